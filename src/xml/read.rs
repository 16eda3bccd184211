//! The scanner: where elements begin and end, and what a leaf's text is.
//!
//! It moves forward over the input and looks at every byte a bounded number of times. The one place
//! where it goes back is [`Reader::raw_section`], whose work has a budget.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};
use quick_xml::escape::unescape;

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

/// The value of a leaf.
#[derive(Debug)]
pub(super) enum Text<'de> {
    /// Nothing but white space and comments, which is less than an empty section.
    Empty,
    /// Character data alone, trimmed.
    Bare(Cow<'de, str>),
    /// At least one CDATA section.
    Section(Cow<'de, str>),
}

impl<'de> Text<'de> {
    pub(super) fn into_str(self) -> Cow<'de, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Bare(text) | Self::Section(text) => text,
        }
    }
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

    #[inline]
    /// Looks at what stands in the element, without reading more than white space and comments.
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

    /// Reads a leaf: its text and its end tag.
    pub(super) fn text(&mut self, tag: &Tag<'de>) -> Result<Text<'de>> {
        if tag.closed {
            return Ok(Text::Empty);
        }
        let start = self.at;
        let bare = !self.rest().starts_with(SECTION);
        match self.plain_text(tag) {
            Some("") if bare => Ok(Text::Empty),
            Some(text) if bare => Ok(Text::Bare(Cow::Borrowed(text))),
            Some(text) => Ok(Text::Section(Cow::Borrowed(text))),
            None => self
                .runs(tag)
                .or_else(|error| match self.raw_section(start, tag) {
                    Some(raw) => Ok(Text::Section(Cow::Borrowed(raw))),
                    None => Err(error),
                }),
        }
    }

    /// Reads a leaf as WeChat writes them: one section, or character data without entities.
    ///
    /// `None` if it is anything else, and nothing has been read then.
    #[inline]
    pub(super) fn plain_text(&mut self, tag: &Tag<'de>) -> Option<&'de str> {
        if let Some(leaf) = &self.known
            && leaf.content == self.at
            && leaf.text.is_some()
        {
            self.at = leaf.after;
            return leaf.text;
        }
        if tag.closed {
            return None;
        }
        let rest = self.rest();
        let section = rest.strip_prefix(SECTION);
        let content = section.unwrap_or(rest);
        let (length, behind) = if section.is_some() {
            let length = section_end(content)?;
            (length, content.get(length + SECTION_END.len()..)?)
        } else {
            let length = memchr2(b'<', b'&', content)?;
            (length, content.get(length..)?)
        };
        let behind = behind
            .strip_prefix(b"</")?
            .strip_prefix(tag.name.as_bytes())?;
        let behind = behind.strip_prefix(b">")?;
        let start = self.input.len() - content.len();
        let text = self.input.get(start..start + length)?;
        self.advance(self.input.len() - behind.len());
        Some(if section.is_some() { text } else { trim(text) })
    }

    /// Reads a leaf that mixes sections, character data, entities and comments, as XML says.
    fn runs(&mut self, tag: &Tag<'de>) -> Result<Text<'de>> {
        let mut value = Cow::Borrowed("");
        // White space at the end of a run counts only where more follows.
        let mut pending = Cow::Borrowed("");
        let mut section = false;
        loop {
            let start = self.at;
            let rest = self.rest();
            let Some(length) = memchr(b'<', rest) else {
                return Err(self.unclosed(tag));
            };
            if length > 0 {
                let run = self.slice(start, start + length)?;
                if section && run.contains("]]>") {
                    return Err(self.error(
                        ErrorKind::Syntax,
                        "character data",
                        "`]]>` outside a section",
                    ));
                }
                let begun = section || !value.is_empty();
                let run = if begun {
                    run
                } else {
                    run.trim_start_matches(WHITE)
                };
                let text = run.trim_end_matches(WHITE);
                if !text.is_empty() {
                    let text = self.unescaped(text)?;
                    append(&mut value, std::mem::take(&mut pending));
                    append(&mut value, text);
                }
                append(
                    &mut pending,
                    Cow::Borrowed(run.get(text.len()..).unwrap_or_default()),
                );
                self.advance(start + length);
            }
            match self.rest() {
                [b'<', b'/', ..] => {
                    self.end_tag(tag)?;
                    return Ok(match (section, value.is_empty()) {
                        (true, _) => Text::Section(value),
                        (false, true) => Text::Empty,
                        (false, false) => Text::Bare(value),
                    });
                }
                rest if rest.starts_with(SECTION) => {
                    let from = self.at + SECTION.len();
                    let content = rest.get(SECTION.len()..).unwrap_or_default();
                    let Some(length) = section_end(content) else {
                        return Err(self.error(ErrorKind::Eof, "`]]>`", "the end of the input"));
                    };
                    let end = from + length;
                    append(&mut value, std::mem::take(&mut pending));
                    append(&mut value, Cow::Borrowed(self.slice(from, end)?));
                    section = true;
                    self.advance(end + SECTION_END.len());
                }
                [b'<', b'!' | b'?', ..] if self.skip_markup()? => {}
                [b'<', b'!', ..] => return Err(self.doctype()),
                _ => return Err(self.error(ErrorKind::Type, "text", "an element")),
            }
        }
    }

    /// Replaces the entities in `text`, a part of the input.
    fn unescaped(&self, text: &'de str) -> Result<Cow<'de, str>> {
        unescape(text).map_err(|_| {
            // The first that does not read by itself.
            let rest = text.match_indices('&').filter_map(|(at, _)| text.get(at..));
            let mut entities = rest.filter_map(|rest| rest.split_inclusive(';').next());
            let entity = entities
                .find(|entity| unescape(entity).is_err())
                .unwrap_or(text);
            let expected = "a predefined or numeric entity";
            Error::expected(ErrorKind::Entity, expected, Quoted(entity)).at(self.offset_in(entity))
        })
    }

    /// The value of a leaf that XML finds malformed because WeChat does not split a typed `]]>`: the raw
    /// text up to the first `]]>` that stands directly before the leaf's own end tag.
    ///
    /// Only for a value that begins with a section, at `start`. The budget keeps a document of many such
    /// leaves from being read over and over: within it, reading stays linear.
    fn raw_section(&mut self, start: usize, tag: &Tag<'de>) -> Option<&'de str> {
        let failed = self.at;
        self.at = start;
        self.skip_white();
        let value = self.at + SECTION.len();
        let raw = self.rest().strip_prefix(SECTION)?;
        let (length, after) = memmem::find_iter(raw, b"]]></").find_map(|found| {
            let after = self.closing(value + found + SECTION_END.len(), tag.name)?;
            Some((found, after))
        })?;
        self.budget = self.budget.checked_sub(failed.max(after) - start)?;
        self.advance(after);
        self.slice(value, value + length).ok()
    }

    /// Reads a start tag, its attributes included.
    fn start_tag(&mut self, depth: u8) -> Result<Tag<'de>> {
        let at = self.at;
        if depth > MAX_DEPTH {
            let expected = format_args!("at most {MAX_DEPTH} nested elements");
            return Err(self.error(ErrorKind::Depth, expected, "another one"));
        }
        let rest = self.rest().get(1..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| !is_name_byte(byte)) else {
            return Err(self.error(ErrorKind::Eof, "the end of a tag", "the end of the input"));
        };
        let name = self.slice(at + 1, at + 1 + length)?;
        if !rest.first().is_some_and(|&first| is_name_start(first)) {
            return Err(self.error(ErrorKind::Syntax, "an element's name", Quoted(name)));
        }
        self.advance(at + 1 + length);
        let closed = if self.rest().first() == Some(&b'>') {
            self.advance(self.at + 1);
            false
        } else {
            self.attributes()?
        };
        Ok(Tag {
            name,
            depth,
            closed,
        })
    }

    /// Skips the attributes and the end of a start tag; says whether the tag closes itself.
    fn attributes(&mut self) -> Result<bool> {
        loop {
            let before = self.at;
            self.skip_white();
            let rest = self.rest();
            match rest {
                [b'>', ..] => {
                    self.advance(self.at + 1);
                    return Ok(false);
                }
                [b'/', b'>', ..] => {
                    self.advance(self.at + 2);
                    return Ok(true);
                }
                [] => {
                    return Err(self.error(
                        ErrorKind::Eof,
                        "the end of a tag",
                        "the end of the input",
                    ));
                }
                _ if before == self.at => {
                    return Err(self.error(
                        ErrorKind::Syntax,
                        "the end of a tag",
                        "something else",
                    ));
                }
                _ => {}
            }
            let name = rest.iter().take_while(|&&byte| is_name_byte(byte)).count();
            if name == 0 {
                return Err(self.error(ErrorKind::Syntax, "an attribute", "something else"));
            }
            self.advance(self.at + name);
            self.skip_white();
            if self.rest().first() != Some(&b'=') {
                return Err(self.error(
                    ErrorKind::Syntax,
                    "`=` after an attribute's name",
                    "something else",
                ));
            }
            self.advance(self.at + 1);
            self.skip_white();
            let (quote, value) = match self.rest() {
                [quote @ (b'"' | b'\''), value @ ..] => (*quote, value),
                _ => return Err(self.error(ErrorKind::Syntax, "a quoted value", "something else")),
            };
            match memchr2(quote, b'<', value) {
                Some(length) if value.get(length) == Some(&quote) => {
                    self.advance(self.at + length + 2);
                }
                Some(_) => return Err(self.error(ErrorKind::Syntax, "the end of a value", "`<`")),
                None => {
                    return Err(self.error(
                        ErrorKind::Eof,
                        "the end of a value",
                        "the end of the input",
                    ));
                }
            }
        }
    }

    /// Reads the end tag of `tag`.
    fn end_tag(&mut self, tag: &Tag<'de>) -> Result<()> {
        if let Some(after) = self.closing(self.at, tag.name) {
            self.advance(after);
            return Ok(());
        }
        let rest = self.rest().get(2..).unwrap_or_default();
        let length = rest.iter().take_while(|&&byte| is_name_byte(byte)).count();
        let name = self.slice(self.at + 2, self.at + 2 + length)?;
        let expected = format_args!("end tag {}", Quoted(tag.name));
        if length == rest.len() {
            return Err(self.error(ErrorKind::Eof, expected, "the end of the input"));
        }
        Err(self.error(
            ErrorKind::Syntax,
            expected,
            format_args!("end tag {}", Quoted(name)),
        ))
    }

    /// Where the end tag of `name` ends, if one stands at `at`.
    #[inline]
    fn closing(&self, at: usize, name: &str) -> Option<usize> {
        let rest = self.input.as_bytes().get(at..)?.strip_prefix(b"</")?;
        let mut rest = rest.strip_prefix(name.as_bytes())?;
        while let [byte, more @ ..] = rest {
            match byte {
                b'>' => return Some(self.input.len() - more.len()),
                b' ' | b'\t' | b'\r' | b'\n' => rest = more,
                _ => return None,
            }
        }
        None
    }

    /// Skips white space, comments and processing instructions.
    fn skip_misc(&mut self) -> Result<()> {
        loop {
            self.skip_white();
            match self.rest() {
                [b'<', b'!' | b'?', ..] if self.skip_markup()? => {}
                _ => return Ok(()),
            }
        }
    }

    #[inline]
    fn skip_white(&mut self) {
        let mut rest = self.rest();
        while let [b' ' | b'\t' | b'\r' | b'\n', more @ ..] = rest {
            rest = more;
        }
        self.advance(self.input.len() - rest.len());
    }

    /// Skips one comment or processing instruction, if one stands here.
    fn skip_markup(&mut self) -> Result<bool> {
        let rest = self.rest();
        let (open, close) = if rest.starts_with(b"<!--") {
            ("<!--", "-->")
        } else if rest.starts_with(b"<?") {
            ("<?", "?>")
        } else {
            return Ok(false);
        };
        let inside = rest.get(open.len()..).unwrap_or_default();
        let Some(length) = memmem::find(inside, close.as_bytes()) else {
            let error = self.error(ErrorKind::Eof, Quoted(close), "the end of the input");
            // All of the rest has been looked at, which `raw_section` has to know.
            self.advance(self.input.len());
            return Err(error);
        };
        self.advance(self.at + open.len() + length + close.len());
        Ok(true)
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

/// How long the section is whose content `bytes` begins with.
#[inline]
fn section_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(b']', bytes.get(at..)?)?;
        if bytes.get(at..)?.starts_with(SECTION_END) {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether XML can write `name` as an element's name.
pub(super) fn is_name(name: &str) -> bool {
    let first = name.as_bytes().first();
    first.is_some_and(|&first| is_name_start(first)) && name.bytes().all(is_name_byte)
}

/// Trims what XML calls white space.
#[inline]
pub(super) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        // Nearly always there is nothing to trim.
        [first, .., last] if !is_white(*first) && !is_white(*last) => text,
        _ => text.trim_matches(WHITE),
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// ASCII as XML has it; beyond ASCII everything, since WeChat's names are all ASCII anyway.
#[inline]
fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES
        .get(usize::from(byte))
        .is_some_and(|role| *role != Role::None)
}

#[inline]
fn is_name_start(byte: u8) -> bool {
    NAME_BYTES
        .get(usize::from(byte))
        .is_some_and(|role| *role == Role::Start)
}

/// What a byte may be in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    Later,
    Start,
}

/// A table, since every name is checked byte by byte.
const NAME_BYTES: [Role; 256] = {
    let mut table = [Role::None; 256];
    let mut byte: u8 = 0;
    let mut rest: &mut [Role] = &mut table;
    while let [role, more @ ..] = rest {
        *role = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => Role::Start,
            b'0'..=b'9' | b'-' | b'.' => Role::Later,
            _ => Role::None,
        };
        byte = byte.wrapping_add(1);
        rest = more;
    }
    table
};

fn append<'de>(value: &mut Cow<'de, str>, piece: Cow<'de, str>) {
    if value.is_empty() {
        *value = piece;
    } else if !piece.is_empty() {
        value.to_mut().push_str(&piece);
    }
}

const SECTION: &[u8] = b"<![CDATA[";
const SECTION_END: &[u8] = b"]]>";
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

/// WeChat nests four deep.
const MAX_DEPTH: u8 = 16;

/// How often the input may be read again for sections that WeChat did not split. Looking ahead for a
/// list's members reads a leaf once more at each depth, so twice that leaves room for all of them.
const REREADS: usize = 2 * MAX_DEPTH as usize;
