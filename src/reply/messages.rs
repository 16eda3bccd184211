//! The messages of a reply, in their order: which part of it is the passive reply, and what is left.

use super::{Reply, content::Content};
#[cfg(feature = "layers")]
use super::{
    Tail,
    content::{self, PASSIVE_TEXT_LIMIT, TEXT_LIMIT},
    split::split_with_tail,
};

impl Reply {
    /// Returns the first message, of whose text at most `limit` bytes, and what is left. `None` for [`Reply::success`].
    #[cfg(feature = "layers")]
    pub(crate) fn split_first(&self, limit: usize) -> Option<(Self, Self)> {
        self.cut_first(limit, "")
    }

    /// Returns the messages as passive replies, each of one. A text that is cut ends in `marker`.
    #[cfg(feature = "layers")]
    pub(crate) fn passive_parts(&self, marker: &str) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut left = self.clone();
        while let Some((part, rest)) = left.cut_first(PASSIVE_TEXT_LIMIT, marker) {
            parts.push(part);
            left = rest;
        }
        parts
    }

    /// Returns the first message as far as it fits, and what is left. A text that is cut ends in `marker`, which counts.
    #[cfg(feature = "layers")]
    fn cut_first(&self, limit: usize, marker: &str) -> Option<(Self, Self)> {
        let (first, rest) = self
            .first
            .as_ref()?
            .cut(limit, marker, self.tail_of_first());
        let rest = self.rest_after(rest);
        Some((Self::of(first.into_owned()), rest))
    }

    /// Returns what is left behind the first message, of whose text `rest` is left.
    pub(super) fn rest_after(&self, rest: Option<String>) -> Self {
        let rest = rest.map(Content::Text).into_iter();
        self.rest_of(rest.chain(self.then.iter().cloned()))
    }

    /// Puts `footer` behind the last text, in one part with its end.
    #[cfg(feature = "layers")]
    pub(crate) fn add_footer(&mut self, footer: &str) {
        let contents = self.then.iter_mut().rev().chain(&mut self.first);
        let mut texts = contents.filter_map(|content| match content {
            Content::Text(text) if !content::is_blank(text) => Some(text),
            _ => None,
        });
        if let Some(text) = texts.next() {
            // Where a text is cut, it is without white space at its end.
            let footer = footer.trim_end();
            text.push_str(footer);
            self.tail = Tail(footer.len());
        }
    }

    /// Returns how many bytes stay together at the end of the first message.
    pub(super) fn tail_of_first(&self) -> usize {
        let mut then = self.then.iter();
        let has_footer = !then.any(|content| matches!(content, Content::Text(_)));
        if has_footer { self.tail.0 } else { 0 }
    }

    /// Returns how many messages of customer service it takes.
    #[cfg(feature = "layers")]
    pub(crate) fn count_parts(&self) -> usize {
        let parts = self.contents().map(|content| match content {
            Content::Text(text) => split_with_tail(text, TEXT_LIMIT, self.tail.0).count(),
            _ => 1,
        });
        parts.sum()
    }

    /// Makes the reply of these messages, which end in those of this reply.
    pub(super) fn rest_of(&self, contents: impl IntoIterator<Item = Content>) -> Self {
        let mut contents = contents.into_iter();
        Self {
            first: contents.next(),
            then: contents.collect(),
            tail: self.tail,
        }
    }

    /// The bytes of its texts, which are the largest part of most replies.
    #[cfg(feature = "layers")]
    pub(crate) fn text_len(&self) -> usize {
        let texts = self.contents().map(|content| match content {
            Content::Text(text) => text.len(),
            _ => 0,
        });
        texts.sum()
    }
}
