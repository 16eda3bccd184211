//! The children of one element, found by name in linear time.

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
