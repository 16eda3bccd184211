//! Repeated siblings, adjacent or not, in linear time.

use std::collections::HashMap;

/// The children of one element by name, in two orders at once: as they stand, and from each to the next
/// of the same name.
///
/// A list takes its scattered members ahead of time; what it took does not come up again. The map's
/// hasher is keyed, so names chosen to collide cost nothing extra.
#[derive(Debug, Default)]
pub(super) struct Siblings<'de> {
    /// Of each child, its next namesake; and whether a list has taken it.
    children: Vec<Child>,
    /// Of each name, the first child that has not been taken, and the last one.
    names: HashMap<&'de str, Namesakes>,
    cursor: usize,
}

#[derive(Debug)]
struct Child {
    next: Option<usize>,
    taken: bool,
}

#[derive(Debug)]
struct Namesakes {
    first: Option<usize>,
    last: usize,
}

impl<'de> Siblings<'de> {
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

    /// The position of the next child that has not been taken, `name` giving the name of a position.
    pub(super) fn next(&mut self, name: impl Fn(usize) -> Option<&'de str>) -> Option<usize> {
        while self.children.get(self.cursor)?.taken {
            self.cursor += 1;
        }
        self.next_named(name(self.cursor)?)
    }

    /// The position of the first child called `name` that has not been taken; it is not taken.
    pub(super) fn first_named(&self, name: &str) -> Option<usize> {
        self.names.get(name)?.first
    }

    /// Puts back the child that [`next`](Self::next) took last, if nothing has been taken since; it is
    /// called `name`.
    pub(super) fn put_back(&mut self, name: &str) {
        let Some(namesakes) = self.names.get_mut(name) else {
            return;
        };
        if let Some(child) = self.children.get_mut(self.cursor) {
            child.taken = false;
            namesakes.first = Some(self.cursor);
        }
    }

    /// The position of the next child called `name` that has not been taken.
    pub(super) fn next_named(&mut self, name: &str) -> Option<usize> {
        let namesakes = self.names.get_mut(name)?;
        let position = namesakes.first?;
        let child = self.children.get_mut(position)?;
        child.taken = true;
        namesakes.first = child.next;
        Some(position)
    }
}
