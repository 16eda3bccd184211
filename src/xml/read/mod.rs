//! The reader: finds where elements begin and end, and reads the text of leaves.
//!
//! A leaf is an element without child elements. The reader moves forward over the input. It looks at
//! each byte a bounded number of times: [`Reader::text`], which may go back, has a budget, and a caller
//! goes back with [`Reader::seek`] a bounded number of times per level.

mod markup;
mod text;

pub(super) use self::{
    markup::is_name,
    text::{Leaf, trim},
};
use super::error::{Error, ErrorKind, Result};

/// A position in the input.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    input: &'de str,
    at: usize,
    /// How many more bytes may be read a second time.
    budget: usize,
}

/// A start tag that has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'de> {
    /// A part of the input, so that it also says where the tag stands.
    pub(super) name: &'de str,
    /// 1 for the root.
    depth: u8,
    /// Whether the tag closes itself: `<a/>`.
    closed: bool,
}

impl Tag<'_> {
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// The kind of an element's content, seen without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    Text,
    Elements,
}

impl<'de> Reader<'de> {
    pub(super) fn new(input: &'de str) -> Self {
        let byte_order_mark = if input.starts_with('\u{feff}') { 3 } else { 0 };
        Self {
            input,
            at: byte_order_mark,
            budget: input.len().saturating_mul(REREADS),
        }
    }

    /// The offset of the next byte.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The offset of a tag's `<`, computed only when an error needs it.
    pub(super) fn offset_of(&self, tag: &Tag<'de>) -> usize {
        self.offset_in(tag.name).saturating_sub(1)
    }

    /// The offset of `part`, which is a part of the input.
    fn offset_in(&self, part: &'de str) -> usize {
        part.as_ptr()
            .addr()
            .saturating_sub(self.input.as_ptr().addr())
    }

    /// Adds the element of `tag` to the path of `error`, and its offset if `error` has none.
    #[cold]
    pub(super) fn inside(&self, tag: &Tag<'de>, error: Error) -> Error {
        error.at(self.offset_of(tag)).inside(tag.name)
    }

    /// Goes to a place that [`offset`](Self::offset) returned.
    pub(super) fn seek(&mut self, offset: usize) {
        self.at = offset;
    }

    /// Reads up to and including the root's start tag.
    pub(super) fn root(&mut self) -> Result<Tag<'de>> {
        if let Some(tag) = self.plain_start_tag(0) {
            return Ok(tag);
        }
        self.skip_misc()?;
        match self.rest() {
            [b'<', b'!', b'D' | b'd', ..] => Err(self.doctype()),
            [b'<', ..] => self.start_tag(1),
            [] => Err(self.error(ErrorKind::Eof, "a root element", END_OF_INPUT)),
            _ => Err(self.error(ErrorKind::Syntax, "a root element", "text")),
        }
    }

    /// Checks that nothing follows the root element.
    pub(super) fn end(&mut self) -> Result<()> {
        self.skip_misc()?;
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(self.error(ErrorKind::Trailing, END_OF_INPUT, "more"))
    }

    /// Reads the next child's start tag, or the end tag of `parent`.
    #[inline]
    pub(super) fn child(&mut self, parent: &Tag<'de>) -> Result<Option<Tag<'de>>> {
        if parent.closed {
            return Ok(None);
        }
        match self.plain_child(parent) {
            Some(tag) => Ok(Some(tag)),
            None => self.child_or_end(parent),
        }
    }

    /// Reads the next child's start tag if WeChat writes it so: only a name.
    ///
    /// `None` if anything else stands there; only white space has been read then. The parent must not
    /// have closed itself.
    #[inline]
    pub(super) fn plain_child(&mut self, parent: &Tag<'de>) -> Option<Tag<'de>> {
        self.plain_start_tag(parent.depth)
    }

    #[inline(never)]
    fn child_or_end(&mut self, parent: &Tag<'de>) -> Result<Option<Tag<'de>>> {
        if let Some(after) = self.closing(self.at, parent.name) {
            self.advance(after);
            return Ok(None);
        }
        self.skip_misc()?;
        match self.rest() {
            [b'<', b'/', ..] => self.end_tag(parent).map(|()| None),
            [b'<', b'!', b'[', ..] => Err(self.error(
                ErrorKind::Type,
                "an element",
                "a CDATA section beside elements",
            )),
            [b'<', b'!', ..] => Err(self.doctype()),
            [b'<', ..] => self.start_tag(parent.depth + 1).map(Some),
            [] => Err(self.unclosed(parent)),
            _ => Err(self.error(ErrorKind::Type, "an element", "text beside elements")),
        }
    }

    /// Goes to the content of the first child called `name` from `tag` on.
    ///
    /// `None` if there is none; the end tag of `parent` has been read then.
    pub(super) fn find(
        &mut self,
        parent: &Tag<'de>,
        tag: Tag<'de>,
        name: &str,
    ) -> Result<Option<Tag<'de>>> {
        let mut next = Some(tag);
        while let Some(tag) = next
            && tag.name != name
        {
            self.skip(&tag).map_err(|error| error.inside(tag.name))?;
            next = self.child(parent)?;
        }
        Ok(next)
    }

    /// Finds the kind of the content of `tag`. Reads at most white space and comments.
    #[inline]
    pub(super) fn content(&mut self, tag: &Tag<'de>) -> Result<Content> {
        if tag.closed {
            return Ok(Content::Empty);
        }
        match self.rest() {
            [b'<', b'!', b'[', ..] => Ok(Content::Text),
            [b'<', first, ..] if markup::is_name_start(*first) => Ok(Content::Elements),
            [first, ..] if *first != b'<' && !text::is_white(*first) => Ok(Content::Text),
            _ => self.content_behind_misc(tag),
        }
    }

    fn content_behind_misc(&mut self, tag: &Tag<'de>) -> Result<Content> {
        let start = self.at;
        self.skip_misc()?;
        match self.rest() {
            [b'<', b'/', ..] => Ok(Content::Empty),
            [b'<', b'!', b'[', ..] => {
                self.at = start;
                Ok(Content::Text)
            }
            [b'<', ..] => Ok(Content::Elements),
            [] => Err(self.unclosed(tag)),
            _ => {
                self.at = start;
                Ok(Content::Text)
            }
        }
    }

    /// Reads past the end tag of an element whose content is not needed.
    #[inline]
    pub(super) fn skip(&mut self, tag: &Tag<'de>) -> Result<()> {
        if self.skip_plain_leaf(tag) {
            return Ok(());
        }
        self.skip_any(tag)
    }

    #[inline(never)]
    fn skip_any(&mut self, tag: &Tag<'de>) -> Result<()> {
        match self.content(tag)? {
            Content::Empty | Content::Elements => {
                // The limit on depth bounds the recursion.
                while let Some(child) = self.child(tag)? {
                    self.skip(&child)
                        .map_err(|error| error.inside(child.name))?;
                }
                Ok(())
            }
            Content::Text => self.text(tag).map(drop),
        }
    }

    #[inline]
    fn rest(&self) -> &'de [u8] {
        self.input.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// A part of the input. Its ends stand beside ASCII, so they are character boundaries.
    fn slice(&self, start: usize, end: usize) -> Result<&'de str> {
        let text = self.input.get(start..end);
        text.ok_or_else(|| self.error(ErrorKind::Syntax, "a whole character", "a part of one"))
    }

    #[inline]
    fn advance(&mut self, to: usize) {
        #[cfg(test)]
        super::tests::count(to - self.at + 1);
        self.at = to;
    }

    #[cold]
    fn error(
        &self,
        kind: ErrorKind,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Error {
        Error::expected(kind, expected, found).at(self.at)
    }
}

/// WeChat nests four deep.
const MAX_DEPTH: u8 = 16;

/// How many times the input may be read again for sections that WeChat did not split.
///
/// A list whose members are scattered reads a leaf once more at each depth. Looking ahead for MsgType
/// and Event reads it twice more. Twice the depth leaves room for all of them.
const REREADS: usize = 2 * MAX_DEPTH as usize;

const END_OF_INPUT: &str = "the end of the input";
