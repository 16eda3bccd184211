//! The names of one element's children: to find a child, and to see that a name is repeated.

use std::collections::{HashMap, HashSet};

/// The children of one element in two orders: as they stand, and by name.
///
/// A list takes its scattered members out of turn; a child that was taken does not come again. The map's
/// hasher has a random key, so names that are chosen to collide cost nothing extra.
#[derive(Debug, Default)]
pub(super) struct NameIndex<'de> {
    children: Vec<Child>,
    names: HashMap<&'de str, Namesakes>,
    cursor: usize,
}

#[derive(Debug)]
struct Child {
    /// The position of the next child with the same name.
    next: Option<usize>,
    taken: bool,
}

/// The positions of the children with one name.
#[derive(Debug)]
struct Namesakes {
    /// The first child that has not been taken.
    first: Option<usize>,
    last: usize,
}

impl<'de> NameIndex<'de> {
    pub(super) fn push(&mut self, name: &'de str) {
        let position = self.children.len();
        self.children.push(Child {
            next: None,
            taken: false,
        });
        let namesakes = self.names.entry(name).or_insert(Namesakes {
            first: None,
            last: position,
        });
        if namesakes.first.is_none() {
            namesakes.first = Some(position);
        } else if let Some(last) = self.children.get_mut(namesakes.last) {
            last.next = Some(position);
        }
        namesakes.last = position;
    }

    /// Takes the next child that has not been taken, and returns its position. `name` returns the name of
    /// the child at a position.
    pub(super) fn take_next(&mut self, name: impl Fn(usize) -> Option<&'de str>) -> Option<usize> {
        while self.children.get(self.cursor)?.taken {
            self.cursor += 1;
        }
        self.take_named(name(self.cursor)?)
    }

    /// Whether a child called `name` has not been taken.
    pub(super) fn holds(&self, name: &str) -> bool {
        let namesakes = self.names.get(name);
        namesakes.is_some_and(|namesakes| namesakes.first.is_some())
    }

    /// Takes the next child called `name` that has not been taken, and returns its position.
    pub(super) fn take_named(&mut self, name: &str) -> Option<usize> {
        let namesakes = self.names.get_mut(name)?;
        let position = namesakes.first?;
        let child = self.children.get_mut(position)?;
        child.taken = true;
        namesakes.first = child.next;
        Some(position)
    }
}

/// The names of some children.
#[derive(Debug)]
pub(super) struct Seen<'de> {
    few: Vec<&'de str>,
    many: HashSet<&'de str>,
}

impl<'de> Seen<'de> {
    pub(super) fn new() -> Self {
        Self {
            few: Vec::with_capacity(FEW),
            many: HashSet::new(),
        }
    }

    /// Returns whether `name` is new.
    pub(super) fn insert(&mut self, name: &'de str) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(name);
            return true;
        }
        self.many.insert(name)
    }
}

/// So many names are found as fast in a row as in a table.
const FEW: usize = 16;

/// A filter of names in 64 bits. It may take a new name for a repeated one, never the other way round.
#[derive(Debug, Default)]
pub(super) struct Glimpsed {
    /// A bit for each hash of a name.
    hashes: u64,
    doubts: u8,
}

impl Glimpsed {
    /// Adds `name`. Returns whether it may have been added before.
    #[inline]
    pub(super) fn may_repeat(&mut self, name: &str) -> bool {
        let (Some(first), Some(last)) = (name.bytes().next(), name.bytes().last()) else {
            return false;
        };
        let hash = name.len() ^ usize::from(first) << 1 ^ usize::from(last) << 3;
        let bit = 1 << (hash % 64);
        let repeats = self.hashes & bit != 0;
        self.hashes |= bit;
        repeats
    }

    /// Counts a name that may be repeated. Returns whether there were more than eight of them.
    #[cold]
    pub(super) fn are_many(&mut self) -> bool {
        self.doubts = self.doubts.saturating_add(1);
        self.doubts > 8
    }
}
