//! The names of one element's children: to find a child, and to see that a name is repeated.

use std::collections::HashMap;

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
    /// Whether a child before it has the same name.
    is_repeated: bool,
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
        let namesakes = self.names.entry(name).or_insert(Namesakes {
            first: None,
            last: position,
        });
        self.children.push(Child {
            next: None,
            taken: false,
            is_repeated: namesakes.last != position,
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

    /// Whether a child before the one at `position` has the same name.
    pub(super) fn is_repeated(&self, position: usize) -> bool {
        let child = self.children.get(position);
        child.is_some_and(|child| child.is_repeated)
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
        let repeats = self.holds(name);
        self.add(name);
        repeats
    }

    #[inline]
    pub(super) fn add(&mut self, name: &str) {
        self.hashes |= Self::bit(name);
    }

    /// Whether `name` may have been added.
    #[inline]
    pub(super) fn holds(&self, name: &str) -> bool {
        self.hashes != 0 && self.hashes & Self::bit(name) != 0
    }

    #[inline]
    fn bit(name: &str) -> u64 {
        let first = name.bytes().next().unwrap_or_default();
        let last = name.bytes().next_back().unwrap_or_default();
        // No two fields of a message that WeChat documents have the same.
        let hash = (name.len() << 3) + (usize::from(first) << 1) + usize::from(last);
        1 << (hash % 64)
    }

    /// Counts a name that may be repeated. Returns whether there were more than eight of them.
    #[cold]
    pub(super) fn are_many(&mut self) -> bool {
        self.doubts = self.doubts.saturating_add(1);
        self.doubts > 8
    }
}
