//! The reader: finds where elements begin and end, and reads the text of leaves.
//!
//! A leaf is an element without child elements. The reader moves forward over the input. It looks at
//! each byte a bounded number of times: a caller goes back with [`Reader::seek`] a bounded number of
//! times per level.

mod markup;
mod text;

use memchr::memmem;

pub(super) use self::{
    markup::is_name,
    text::{Leaf, Plain, is_white, trim},
};
use super::{
    error::{Error, ErrorKind, Result},
    typed::{Form, Piece, is_typed, position_in_container},
};

/// Reads the input from a position on. Also notes which of the markup a user may have typed.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    input: &'de str,
    /// What has not been read.
    rest: &'de [u8],
    /// Plain start tags are read on the fast path inside elements of a smaller depth.
    fast_depth: u8,
    comments: Comments,
    doubt: bool,
    /// A bit for each typed field that has been read inside another element, where WeChat writes it.
    in_containers: u8,
    /// What has been found out about the input, once it was needed.
    facts: Option<Box<Facts>>,
}

#[derive(Debug)]
struct Facts {
    form: Form,
    /// The offset of the first section.
    first_section: usize,
    /// Whether no typed text made an element inside another one than the root.
    nested_is_safe: bool,
    /// The fields that do not end where XML says.
    pieces: Vec<Piece>,
}

impl Facts {
    fn of(input: &str) -> Self {
        Self {
            form: Form::of(input),
            first_section: input.find("<![CDATA[").unwrap_or(input.len()),
            nested_is_safe: false,
            pieces: Vec::new(),
        }
    }
}

/// What a comment or processing instruction behind a message's first section means: a user may have typed
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// A reason to [doubt](Reader::doubt) the reading.
    Doubted,
    /// An error.
    Refused,
    /// Nothing.
    Skipped,
}

/// A start tag that has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'de> {
    /// A part of the input, so that it also says where the tag stands.
    pub(super) name: &'de str,
    /// 1 for the root.
    depth: u8,
    end: End,
}

/// How the end of an element is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By its end tag.
    Tag,
    /// The start tag is also the end: `<a/>`.
    Same,
    /// By a [`Piece`].
    Given,
}

impl<'de> Tag<'de> {
    /// The start tag of an element that ends by its end tag.
    #[inline]
    pub(super) fn plain(name: &'de str, depth: u8) -> Self {
        Self {
            name,
            depth,
            end: End::Tag,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.end == End::Same
    }

    pub(super) fn is_root(&self) -> bool {
        self.depth == 1
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
    /// Reads the input for the first time.
    pub(super) fn new(input: &'de str) -> Self {
        let rest = input.strip_prefix(BYTE_ORDER_MARK).unwrap_or(input);
        Self {
            input,
            rest: rest.as_bytes(),
            fast_depth: MAX_DEPTH,
            comments: Comments::Doubted,
            doubt: false,
            in_containers: 0,
            facts: None,
        }
    }

    /// Reads the input again, with fields that do not end where XML says.
    pub(super) fn again(input: &'de str, comments: Comments, pieces: Vec<Piece>) -> Self {
        let mut reader = Self::new(input);
        reader.comments = comments;
        if !pieces.is_empty() {
            // Only the slow path knows pieces.
            reader.fast_depth = 0;
            reader.facts().pieces = pieces;
        }
        reader
    }

    pub(super) fn is_first_reading(&self) -> bool {
        self.comments == Comments::Doubted
    }

    /// Whether what has been read may be typed text instead of markup.
    pub(super) fn doubt(&self) -> bool {
        self.doubt
    }

    /// Notes that this reading must not count.
    pub(super) fn refuse(&mut self) {
        self.doubt = true;
    }

    /// Doubts every further typed field inside another element, as if it had been seen once.
    pub(super) fn be_strict(&mut self) {
        self.in_containers = u8::MAX;
    }

    /// Notes an element that typed text may have made, if it is a message.
    #[cold]
    pub(super) fn doubt_it(&mut self) {
        self.doubt |= self.is_first_reading() && self.form() != Form::Foreign;
    }

    /// Whether a start tag of this name may stand in front of `tag`.
    pub(super) fn stood_before(&self, tag: &Tag<'de>) -> bool {
        let before = self.input.as_bytes().get(..self.offset_of(tag));
        holds_start_tag(before.unwrap_or_default(), tag.name)
    }

    /// Whether a start tag called `name` may stand from here on.
    pub(super) fn may_stand_behind(&self, name: &str) -> bool {
        holds_start_tag(self.rest, name)
    }

    /// Notes `tag` inside another element than the root.
    ///
    /// Typed text that leaves its field has to open it again, because WeChat's `]]></Name>` still follows. If
    /// it does so inside another element, no field under the root is repeated.
    #[inline]
    pub(super) fn note_nested(&mut self, tag: &Tag<'de>) {
        if tag.depth > 2 && is_typed(tag.name) {
            self.note_nested_typed(tag.name);
        }
    }

    /// Notes an element that is read into a type with these fields.
    #[inline]
    pub(super) fn note_nested_fields(&mut self, parent: &Tag<'de>, fields: &[&str]) {
        if parent.is_root() {
            return;
        }
        for name in fields.iter().filter(|name| is_typed(name)) {
            self.note_nested_typed(name);
        }
    }

    #[cold]
    fn note_nested_typed(&mut self, name: &str) {
        if self.is_first_reading()
            && let Some(position) = position_in_container(name)
        {
            // WeChat writes it there once.
            let bit = 1 << position;
            let is_first = self.in_containers & bit == 0;
            self.in_containers |= bit;
            if is_first {
                return;
            }
        }
        let input = self.input;
        if self.doubt || self.comments == Comments::Skipped || self.facts().nested_is_safe {
            return;
        }
        match self.form() {
            Form::Typed(fields) if !fields.hold(input) => self.doubt = true,
            _ => self.facts().nested_is_safe = true,
        }
    }

    fn form(&mut self) -> Form {
        self.facts().form
    }

    fn facts(&mut self) -> &mut Facts {
        let input = self.input;
        self.facts.get_or_insert_with(|| Box::new(Facts::of(input)))
    }

    pub(super) fn begins_with_item(&self) -> bool {
        let rest = self.rest.trim_ascii_start();
        rest.starts_with(b"<item")
    }

    pub(super) fn begins_with_section(&self) -> bool {
        text::section(self.rest.trim_ascii_start()).is_some()
    }

    /// The offset of the next byte.
    pub(super) fn offset(&self) -> usize {
        self.input.len() - self.rest.len()
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
        self.rest = self.input.as_bytes().get(offset..).unwrap_or_default();
    }

    /// Reads up to and including the root's start tag.
    pub(super) fn root(&mut self) -> Result<Tag<'de>> {
        if self.fast_depth > 0
            && let Some(name) = self.plain_start_tag()
        {
            return Ok(Tag::plain(name, 1));
        }
        self.skip_misc()?;
        match self.rest {
            [b'<', b'!', b'D' | b'd', ..] => Err(self.doctype()),
            [b'<', ..] => self.start_tag(1),
            [] => Err(self.error(ErrorKind::Eof, "a root element", END_OF_INPUT)),
            _ => Err(self.error(ErrorKind::Syntax, "a root element", "text")),
        }
    }

    /// Whether nothing but white space and NULs follows.
    #[inline]
    pub(super) fn plain_end_of_input(&self) -> bool {
        self.rest.iter().all(|&byte| is_white(byte) || byte == 0)
    }

    /// Checks that nothing but white space, NULs and comments follows the root element.
    pub(super) fn end(&mut self) -> Result<()> {
        // A typed text cannot end the root: WeChat's own end tag would follow.
        self.comments = Comments::Skipped;
        while !self.rest.is_empty() {
            self.skip_misc()?;
            match self.rest {
                [] => {}
                [b'\0', ..] => self.advance(1),
                _ => return Err(self.error(ErrorKind::Trailing, END_OF_INPUT, "more")),
            }
        }
        Ok(())
    }

    /// Reads the next child's start tag, or the end tag of `parent`.
    pub(super) fn child(&mut self, parent: &Tag<'de>) -> Result<Option<Tag<'de>>> {
        if parent.end != End::Tag {
            return Ok(None);
        }
        if parent.depth < self.fast_depth
            && let Some(name) = self.plain_start_tag()
        {
            return Ok(Some(Tag::plain(name, parent.depth + 1)));
        }
        self.child_or_end(parent)
    }

    fn child_or_end(&mut self, parent: &Tag<'de>) -> Result<Option<Tag<'de>>> {
        loop {
            if let Some(after) = self.closing(parent.name) {
                self.pass_to(after);
                return Ok(None);
            }
            self.skip_misc()?;
            match self.rest {
                [b'<', b'/', ..] => return self.end_tag(parent).map(|()| None),
                [b'<', b'!', b'[', ..] => {
                    let found = "a CDATA section beside elements";
                    return Err(self.error(ErrorKind::Type, "an element", found));
                }
                [b'<', b'!', ..] => return Err(self.doctype()),
                [b'<', ..] => return self.start_tag(parent.depth + 1).map(Some),
                [] => return Err(self.unclosed(parent)),
                _ => self.skip_text_beside_elements()?,
            }
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
        match tag.end {
            End::Tag => {}
            End::Same => return Ok(Content::Empty),
            End::Given => return Ok(Content::Text),
        }
        match self.rest {
            [b'<', b'!', b'[', ..] => Ok(Content::Text),
            [b'<', first, ..] if markup::is_name_start(*first) => Ok(Content::Elements),
            [first, ..] if *first != b'<' && !text::is_white(*first) => Ok(Content::Text),
            _ => self.content_behind_misc(tag),
        }
    }

    fn content_behind_misc(&mut self, tag: &Tag<'de>) -> Result<Content> {
        let start = self.rest;
        self.skip_misc()?;
        match self.rest {
            [b'<', b'/', ..] => Ok(Content::Empty),
            [b'<', b'!', b'[', ..] => {
                self.rest = start;
                Ok(Content::Text)
            }
            [b'<', ..] => Ok(Content::Elements),
            [] => Err(self.unclosed(tag)),
            _ => {
                self.rest = start;
                Ok(Content::Text)
            }
        }
    }

    /// Reads past the end tag of an element whose content is not needed.
    pub(super) fn skip(&mut self, tag: &Tag<'de>) -> Result<()> {
        if tag.end == End::Tag && self.skip_plain(tag.name) {
            return Ok(());
        }
        if self.content(tag)? == Content::Text && self.text_or_elements(tag)?.is_some() {
            return Ok(());
        }
        // The limit on depth bounds the recursion.
        while let Some(child) = self.child(tag)? {
            self.note_nested(&child);
            self.skip(&child)
                .map_err(|error| error.inside(child.name))?;
        }
        Ok(())
    }

    /// Skips a text if an element follows it. Returns whether one does; if not, nothing has been read.
    #[cold]
    pub(super) fn skip_text_before_elements(&mut self, tag: &Tag<'de>) -> bool {
        let start = self.rest;
        if tag.end != End::Tag {
            return false;
        }
        let skipped = self.skip_text_beside_elements();
        let skipped = skipped.and_then(|()| self.skip_misc());
        let is_element = matches!(self.rest, [b'<', first, ..] if markup::is_name_start(*first));
        if skipped.is_ok() && is_element {
            return true;
        }
        self.rest = start;
        false
    }

    #[cold]
    fn skip_text_beside_elements(&mut self) -> Result<()> {
        let length = memchr::memchr(b'<', self.rest).unwrap_or(self.rest.len());
        let text = self.rest.get(..length).unwrap_or_default();
        if memmem::find(text, b"]]>").is_some() {
            return Err(self.outside_section());
        }
        self.advance(length);
        Ok(())
    }

    /// A part of the input. Its ends stand beside ASCII, so they are character boundaries.
    fn slice(&self, start: usize, end: usize) -> Result<&'de str> {
        let text = self.input.get(start..end);
        text.ok_or_else(|| self.error(ErrorKind::Syntax, "a whole character", "a part of one"))
    }

    /// The first bytes of what is behind some offset.
    #[inline]
    fn part(&self, behind: &'de [u8], length: usize) -> Option<&'de str> {
        let start = self.input.len() - behind.len();
        self.input.get(start..start + length)
    }

    fn advance(&mut self, by: usize) {
        self.pass_to(self.rest.get(by..).unwrap_or_default());
    }

    /// Goes on at `rest`, the end of the input.
    #[inline]
    fn pass_to(&mut self, rest: &'de [u8]) {
        #[cfg(test)]
        super::tests::count(self.rest.len() - rest.len() + 1);
        self.rest = rest;
    }

    #[cold]
    fn error(
        &self,
        kind: ErrorKind,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Error {
        Error::expected(kind, expected, found).at(self.offset())
    }
}

fn holds_start_tag(part: &[u8], name: &str) -> bool {
    #[cfg(test)]
    super::tests::count(part.len());
    let mut found = memmem::find_iter(part, name);
    found.any(|at| {
        let before = at.checked_sub(1).and_then(|at| part.get(at));
        let behind = part.get(at + name.len());
        before == Some(&b'<')
            && behind.is_some_and(|&byte| matches!(byte, b'>' | b'/') || is_white(byte))
    })
}

/// It may stand in front of a body.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// WeChat nests four deep.
pub(super) const MAX_DEPTH: u8 = 16;

/// What may follow the root besides comments. Some of WeChat's documents end in a NUL.
pub(super) const ENDS: [char; 5] = [' ', '\t', '\r', '\n', '\0'];

const END_OF_INPUT: &str = "the end of the input";
