//! The scanner: where elements begin and end, and what a leaf's text is.
//!
//! It moves forward over the input and looks at every byte a bounded number of times. The one place
//! where it goes back is [`Reader::text`], whose work has a budget.

mod markup;
mod name;
mod text;

use self::name::{is_name_byte, is_name_start};
pub(super) use self::{
    name::is_name,
    text::{Text, trim},
};
use super::{
    error::{Error, ErrorKind, Quoted, Result},
    meter::Meter,
    near::Leaf,
};

/// A position in the input.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    input: &'de str,
    at: usize,
    /// A leaf that has been looked at, to be read again.
    known: Option<Leaf<'de>>,
    /// How many more bytes may be read a second time.
    budget: usize,
    pub(super) meter: Meter,
}

/// A start tag that has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'de> {
    /// A part of the input, so that it also tells where the tag stands.
    pub(super) name: &'de str,
    /// 1 for the root.
    depth: u8,
    /// Whether it closes itself: `<a/>`.
    closed: bool,
}

impl Tag<'_> {
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// What stands in an element, seen without reading it.
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
            known: None,
            budget: input.len().saturating_mul(REREADS),
            meter: Meter::new(),
        }
    }

    /// The offset of the next byte.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The offset of a tag's `<`, for errors: worked out instead of carried along.
    pub(super) fn offset_of(&self, tag: &Tag<'de>) -> usize {
        self.offset_in(tag.name).saturating_sub(1)
    }

    /// The offset of `part`, which is a part of the input.
    fn offset_in(&self, part: &'de str) -> usize {
        part.as_ptr()
            .addr()
            .saturating_sub(self.input.as_ptr().addr())
    }

    /// Says of an error that it is inside the element of `tag`.
    #[cold]
    pub(super) fn inside(&self, tag: &Tag<'de>, error: Error) -> Error {
        error.at(self.offset_of(tag)).inside(tag.name)
    }

    /// Goes to a place that [`offset`](Self::offset) named.
    pub(super) fn seek(&mut self, offset: usize) {
        self.at = offset;
        self.known = None;
    }

    /// Reads past the element of `tag`, and says how to get back to it.
    #[inline]
    pub(super) fn leaf(&mut self, tag: Tag<'de>) -> Result<Leaf<'de>> {
        let content = self.at;
        let text = self.plain_text(&tag);
        if text.is_none() {
            self.skip(&tag).map_err(|error| error.inside(tag.name))?;
        }
        Ok(Leaf {
            tag,
            content,
            text,
            after: self.at,
        })
    }

    /// Goes to the content of a child that has been looked at.
    #[inline]
    pub(super) fn go_to(&mut self, leaf: Leaf<'de>) {
        self.at = leaf.content;
        self.known = Some(leaf);
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
            [] => Err(self.error(ErrorKind::Eof, "a root element", "the end of the input")),
            _ => Err(self.error(ErrorKind::Syntax, "a root element", "text")),
        }
    }

    /// Makes sure that nothing follows the root element.
    pub(super) fn end(&mut self) -> Result<()> {
        self.skip_misc()?;
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(self.error(ErrorKind::Trailing, "the end of the input", "more"))
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

    /// Reads the next child's start tag as WeChat writes it: nothing in it but the name.
    ///
    /// `None` if anything else stands there, and nothing but white space has been read then. The parent
    /// must not have closed itself.
    #[inline]
    pub(super) fn plain_child(&mut self, parent: &Tag<'de>) -> Option<Tag<'de>> {
        self.plain_start_tag(parent.depth)
    }

    #[inline]
    fn plain_start_tag(&mut self, parent_depth: u8) -> Option<Tag<'de>> {
        let mut rest = self.rest();
        while let [b' ' | b'\t' | b'\r' | b'\n', more @ ..] = rest {
            rest = more;
        }
        self.advance(self.input.len() - rest.len());
        let [b'<', tag @ ..] = rest else {
            return None;
        };
        let length = tag.iter().position(|&byte| !is_name_byte(byte))?;
        let [b'>', content @ ..] = tag.get(length..)? else {
            return None;
        };
        if parent_depth >= MAX_DEPTH || !is_name_start(*tag.first()?) {
            return None;
        }
        let name = self.at + 1;
        let name = self.input.get(name..name + length)?;
        self.advance(self.input.len() - content.len());
        Some(Tag {
            name,
            depth: parent_depth + 1,
            closed: false,
        })
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

    /// Looks at what stands in the element, without reading more than white space and comments.
    #[inline]
    pub(super) fn content(&mut self, tag: &Tag<'de>) -> Result<Content> {
        if tag.closed {
            return Ok(Content::Empty);
        }
        match self.rest() {
            [b'<', b'!', b'[', ..] => Ok(Content::Text),
            [b'<', first, ..] if is_name_start(*first) => Ok(Content::Elements),
            [first, ..] if *first != b'<' && !is_white(*first) => Ok(Content::Text),
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

    /// Reads past the end tag of an element whose content is of no interest.
    pub(super) fn skip(&mut self, tag: &Tag<'de>) -> Result<()> {
        match self.content(tag)? {
            Content::Empty | Content::Elements => {
                // No deeper than the limit on depth.
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

    /// A part of the input whose ends are known to be ASCII, and so character boundaries.
    fn slice(&self, start: usize, end: usize) -> Result<&'de str> {
        let text = self.input.get(start..end);
        text.ok_or_else(|| self.error(ErrorKind::Syntax, "a whole character", "a part of one"))
    }

    fn advance(&mut self, to: usize) {
        self.meter.add(to - self.at + 1);
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

    #[cold]
    fn unclosed(&self, tag: &Tag<'de>) -> Error {
        let expected = format_args!("end tag {}", Quoted(tag.name));
        Error::expected(ErrorKind::Eof, expected, "the end of the input").at(self.input.len())
    }

    #[cold]
    fn doctype(&self) -> Error {
        if self
            .rest()
            .get(..9)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"<!DOCTYPE"))
        {
            return self.error(
                ErrorKind::Doctype,
                "an element",
                "a document type declaration",
            );
        }
        self.error(ErrorKind::Syntax, "an element", "unknown markup")
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// WeChat nests four deep.
const MAX_DEPTH: u8 = 16;

/// How often the input may be read again for sections that WeChat did not split. Looking ahead for a
/// list's members reads a leaf once more at each depth, so twice that leaves room for all of them.
const REREADS: usize = 2 * MAX_DEPTH as usize;
