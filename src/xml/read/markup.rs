//! Tags, names, comments and processing instructions.

use std::fmt;

use memchr::{memchr_iter, memchr2, memmem};

use super::{Comments, END_OF_INPUT, End, MAX_DEPTH, Reader, Tag, is_white};
use crate::xml::{
    error::{Error, ErrorKind, Quoted, Result},
    typed::{Form, Piece},
};

impl<'de> Reader<'de> {
    /// Reads a start tag that holds only a name, as WeChat writes it.
    ///
    /// `None` if anything else stands there; nothing has been read then.
    #[expect(clippy::inline_always, reason = "the hot loop of every map")]
    #[inline(always)]
    pub(in crate::xml) fn plain_start_tag(&mut self) -> Option<&'de str> {
        let [b'<', tag @ ..] = behind_white(self.rest) else {
            return None;
        };
        let (length, content) = plain_name(tag)?;
        let name = self.part(tag, length)?;
        self.pass_to(content);
        Some(name)
    }

    /// Goes to the content of the first plain start tag called `name` from here on, perhaps inside a text. Returns the name.
    pub(in crate::xml) fn seek_start_tag(&mut self, name: &str) -> Option<&'de str> {
        let rest = self.rest;
        // Less work than a search for all of the name: few tags have to be passed.
        let mut found = memchr_iter(*name.as_bytes().first()?, rest);
        let (tag, content) = found.find_map(|at| {
            let (before, tag) = rest.split_at_checked(at)?;
            let content = tag.strip_prefix(name.as_bytes())?.strip_prefix(b">")?;
            before.ends_with(b"<").then_some((tag, content))
        })?;
        self.pass_to(content);
        self.part(tag, name.len())
    }

    /// Reads a start tag and its attributes.
    pub(super) fn start_tag(&mut self, depth: u8) -> Result<Tag<'de>> {
        let at = self.offset();
        if depth > MAX_DEPTH {
            return Err(self.error(
                ErrorKind::Depth,
                format_args!("at most {MAX_DEPTH} nested elements"),
                "another one",
            ));
        }
        let rest = self.rest.get(1..).unwrap_or_default();
        let Some(length) = name_length(rest) else {
            return Err(self.error(ErrorKind::Eof, "the end of a tag", END_OF_INPUT));
        };
        let name = self.slice(at + 1, at + 1 + length)?;
        if !rest.first().is_some_and(|&first| is_name_start(first)) {
            return Err(self.error(ErrorKind::Syntax, "an element's name", Quoted(name)));
        }
        self.advance(1 + length);
        let end = if self.rest.first() == Some(&b'>') {
            self.advance(1);
            match self.piece(self.offset()) {
                Some(_) => End::Given,
                None => End::Tag,
            }
        } else {
            self.attributes()?
        };
        Ok(Tag { name, depth, end })
    }

    /// The piece that is the content at `at`.
    pub(super) fn piece(&self, at: usize) -> Option<&Piece> {
        let mut pieces = self.facts.iter().flat_map(|facts| &facts.pieces);
        pieces.find(|piece| piece.content == at)
    }

    /// Skips the attributes and the end of a start tag. Returns how the element ends.
    fn attributes(&mut self) -> Result<End> {
        loop {
            let before = self.rest.len();
            self.skip_white();
            let rest = self.rest;
            match rest {
                [b'>', ..] => {
                    self.advance(1);
                    return Ok(End::Tag);
                }
                [b'/', b'>', ..] => {
                    self.advance(2);
                    return Ok(End::Same);
                }
                [] => return Err(self.error(ErrorKind::Eof, "the end of a tag", END_OF_INPUT)),
                _ if before == self.rest.len() => {
                    return Err(self.unexpected("the end of a tag"));
                }
                _ => {}
            }
            let name = rest.iter().take_while(|&&byte| is_name_byte(byte)).count();
            if name == 0 {
                return Err(self.unexpected("an attribute"));
            }
            self.advance(name);
            self.skip_white();
            if self.rest.first() != Some(&b'=') {
                return Err(self.unexpected("`=` after an attribute's name"));
            }
            self.advance(1);
            self.skip_white();
            let (quote, value) = match self.rest {
                [quote @ (b'"' | b'\''), value @ ..] => (*quote, value),
                _ => return Err(self.unexpected("a quoted value")),
            };
            match memchr2(quote, b'<', value) {
                Some(length) if value.get(length) == Some(&quote) => {
                    self.advance(length + 2);
                }
                Some(_) => return Err(self.error(ErrorKind::Syntax, "the end of a value", "`<`")),
                None => return Err(self.error(ErrorKind::Eof, "the end of a value", END_OF_INPUT)),
            }
        }
    }

    /// Reads the end tag of `tag`.
    pub(super) fn end_tag(&mut self, tag: &Tag<'de>) -> Result<()> {
        if let Some(after) = self.closing(tag.name) {
            self.pass_to(after);
            return Ok(());
        }
        let rest = self.rest.get(2..).unwrap_or_default();
        let length = rest.iter().take_while(|&&byte| is_name_byte(byte)).count();
        let at = self.offset();
        let name = self.slice(at + 2, at + 2 + length)?;
        if length == rest.len() {
            return Err(self.error(ErrorKind::Eof, EndTag(tag.name), END_OF_INPUT));
        }
        Err(self.error(ErrorKind::Syntax, EndTag(tag.name), EndTag(name)))
    }

    /// The bytes behind the end tag of `name`, if one stands here.
    pub(super) fn closing(&self, name: &str) -> Option<&'de [u8]> {
        let rest = self.rest.strip_prefix(b"</")?;
        let rest = rest.strip_prefix(name.as_bytes())?;
        let white = rest.iter().take_while(|&&byte| is_white(byte)).count();
        rest.get(white..)?.strip_prefix(b">")
    }

    /// Skips white space, comments and processing instructions.
    pub(super) fn skip_misc(&mut self) -> Result<()> {
        loop {
            self.skip_white();
            let is_markup = matches!(self.rest, [b'<', b'!' | b'?', ..]);
            if !is_markup || !self.skip_markup()? {
                return Ok(());
            }
        }
    }

    pub(super) fn skip_white(&mut self) {
        self.pass_to(behind_white(self.rest));
    }

    /// Skips one comment or processing instruction. Returns whether one stands here.
    pub(super) fn skip_markup(&mut self) -> Result<bool> {
        let rest = self.rest;
        let (open, close) = if rest.starts_with(b"<!--") {
            ("<!--", "-->")
        } else if rest.starts_with(b"<?") {
            ("<?", "?>")
        } else {
            return Ok(false);
        };
        if self.comments != Comments::Skipped
            && self.offset() > self.facts().first_section
            && self.form() != Form::Foreign
        {
            if self.comments == Comments::Refused {
                let found = "a comment that may be typed";
                return Err(self.error(ErrorKind::Syntax, "an element", found));
            }
            self.doubt_it();
        }
        let inside = rest.get(open.len()..).unwrap_or_default();
        let Some(length) = memmem::find(inside, close.as_bytes()) else {
            return Err(self.error(ErrorKind::Eof, Quoted(close), END_OF_INPUT));
        };
        self.advance(open.len() + length + close.len());
        Ok(true)
    }

    #[cold]
    pub(super) fn unclosed(&self, tag: &Tag<'de>) -> Error {
        Error::expected(ErrorKind::Eof, EndTag(tag.name), END_OF_INPUT).at(self.input.len())
    }

    #[cold]
    pub(super) fn doctype(&self) -> Error {
        let start = self.rest.get(..9);
        if start.is_some_and(|start| start.eq_ignore_ascii_case(b"<!DOCTYPE")) {
            let found = "a document type declaration";
            return self.error(ErrorKind::Doctype, "an element", found);
        }
        self.error(ErrorKind::Syntax, "an element", "unknown markup")
    }

    #[cold]
    fn unexpected(&self, expected: &str) -> Error {
        self.error(ErrorKind::Syntax, expected, "something else")
    }
}

/// An end tag in an error's message.
struct EndTag<'a>(&'a str);

impl fmt::Display for EndTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "end tag {}", Quoted(self.0))
    }
}

/// Whether XML can write `name` as an element's name.
pub(in crate::xml) fn is_name(name: &str) -> bool {
    let first = name.as_bytes().first();
    first.is_some_and(|&first| is_name_start(first)) && name.bytes().all(is_name_byte)
}

#[inline]
pub(super) fn behind_white(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The length of the name that `bytes` begins with, and the bytes behind the `>` that follows it.
#[inline]
fn plain_name(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    // Nearly all names are letters only: eight bytes at a time find where they end.
    while let Some(word) = bytes.get(length..)?.first_chunk() {
        let letters = count_letters(u64::from_le_bytes(*word));
        length += letters;
        if letters < 8 {
            break;
        }
    }
    match bytes.get(length..)? {
        [b'>', content @ ..] if length > 0 => Some((length, content)),
        _ => other_name(bytes),
    }
}

#[inline(never)]
fn other_name(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = name_length(bytes)?;
    let content = bytes.get(length..)?.strip_prefix(b">")?;
    is_name_start(*bytes.first()?).then_some((length, content))
}

/// How many bytes of a name `bytes` begins with; `None` if nothing follows them.
fn name_length(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| !is_name_byte(byte))
}

/// How many ASCII letters a word of eight bytes begins with.
#[inline]
fn count_letters(word: u64) -> usize {
    const fn every(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }

    let lower_case = word & every(0x7f) | every(0x20);
    // A sum sets the high bit of each byte that is at least the bound; no sum carries over.
    let from_a = lower_case + every(0x80 - b'a');
    let above_z = lower_case + every(0x7f - b'z');
    let others = (!from_a | above_z | word) & every(0x80);
    others.trailing_zeros() as usize / 8
}

/// ASCII as XML has it. All of non-ASCII too, since WeChat's own names are ASCII.
#[inline]
fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES
        .get(usize::from(byte))
        .is_some_and(|role| *role != Role::None)
}

#[inline]
pub(super) fn is_name_start(byte: u8) -> bool {
    NAME_BYTES
        .get(usize::from(byte))
        .is_some_and(|role| *role == Role::Start)
}

/// Where in a name a byte may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    Later,
    Start,
}

/// A table is faster than comparing each byte with the ranges.
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
