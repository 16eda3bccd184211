//! The next few children of an element, read ahead and kept.

use super::read::Tag;

/// A child that has been looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'de> {
    pub(super) tag: Tag<'de>,
    /// The offset of its content.
    pub(super) content: usize,
    /// Its text, if it is one as WeChat writes it, so that it is not read a second time.
    pub(super) text: Option<&'de str>,
    /// The offset after its end tag.
    pub(super) after: usize,
}

/// At most [`NEAR`] children in a row; those that have come up, and those that come up next.
#[derive(Debug)]
pub(super) struct Near<'de> {
    leaves: [Option<Leaf<'de>>; NEAR],
    length: usize,
    next: usize,
}

impl<'de> Near<'de> {
    /// `first` comes up next.
    pub(super) fn of(first: Leaf<'de>) -> Self {
        let mut leaves = [None; NEAR];
        leaves[0] = Some(first);
        Self {
            leaves,
            length: 1,
            next: 0,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.length < NEAR
    }

    /// There must be room.
    pub(super) fn push(&mut self, leaf: Leaf<'de>) {
        if let Some(free) = self.leaves.get_mut(self.length) {
            *free = Some(leaf);
            self.length += 1;
        }
    }

    /// The child that comes up.
    pub(super) fn next(&mut self) -> Option<Leaf<'de>> {
        let next = *self.leaves.get(self.next)?;
        self.next += usize::from(next.is_some());
        next
    }

    /// Makes the child that came up last come up again.
    pub(super) fn put_back(&mut self) {
        self.next = self.next.saturating_sub(1);
    }

    /// The first one called `name` that has not come up.
    pub(super) fn find(&self, name: &str) -> Option<Leaf<'de>> {
        let left = self.leaves.get(self.next..).unwrap_or_default();
        let mut left = left.iter().flatten();
        left.find(|leaf| leaf.tag.name == name).copied()
    }

    /// The offset after the last one.
    pub(super) fn end(&self) -> usize {
        let last = self
            .length
            .checked_sub(1)
            .and_then(|last| self.leaves.get(last));
        last.copied().flatten().map_or(0, |leaf| leaf.after)
    }
}

/// ToUserName, FromUserName, CreateTime, MsgType and Event.
const NEAR: usize = 5;
