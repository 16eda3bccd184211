//! The text of leaves: sections, character data and entities. Control characters are kept as they come.

use std::borrow::Cow;

use memchr::{memchr, memchr3};
use quick_xml::escape::unescape;

use super::{Comments, END_OF_INPUT, End, Reader, Tag, markup::behind_white};
use crate::xml::{
    error::{Error, ErrorKind, Quoted, Result},
    scalar,
};

/// The text of a leaf.
#[derive(Debug)]
pub(in crate::xml) enum Leaf<'de> {
    /// Only white space and comments. Unlike an empty section, this is no text.
    Empty,
    /// Only character data, trimmed.
    Bare(Cow<'de, str>),
    /// At least one CDATA section.
    Section(Cow<'de, str>),
}

impl<'de> Leaf<'de> {
    pub(in crate::xml) fn into_str(self) -> Cow<'de, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Bare(text) | Self::Section(text) => text,
        }
    }
}

/// The text of a plain leaf.
///
/// A plain leaf is as WeChat writes leaves: one section, or character data without entities.
pub(in crate::xml) struct Plain<'de> {
    pub(in crate::xml) text: &'de str,
    pub(in crate::xml) is_section: bool,
}

impl<'de> From<Plain<'de>> for Leaf<'de> {
    fn from(Plain { text, is_section }: Plain<'de>) -> Self {
        match (is_section, text) {
            (true, _) => Self::Section(Cow::Borrowed(text)),
            (false, "") => Self::Empty,
            (false, _) => Self::Bare(Cow::Borrowed(text)),
        }
    }
}

impl<'de> Reader<'de> {
    /// Reads a leaf: its text and its end tag.
    pub(in crate::xml) fn text(&mut self, tag: &Tag<'de>) -> Result<Leaf<'de>> {
        if let Some(leaf) = self.plain_of(tag) {
            return Ok(leaf);
        }
        match tag.end {
            End::Tag => self.runs(tag),
            End::Same => Ok(Leaf::Empty),
            End::Given => self.given_text(tag),
        }
    }

    /// Reads a leaf, or skips a text in front of elements and returns `None`.
    pub(in crate::xml) fn text_or_elements(&mut self, tag: &Tag<'de>) -> Result<Option<Leaf<'de>>> {
        if let Some(leaf) = self.plain_of(tag) {
            return Ok(Some(leaf));
        }
        if self.skip_text_before_elements(tag) {
            return Ok(None);
        }
        self.text(tag).map(Some)
    }

    /// Reads a leaf if it is [plain](Plain).
    pub(in crate::xml) fn plain_of(&mut self, tag: &Tag<'de>) -> Option<Leaf<'de>> {
        let is_plain = tag.end == End::Tag;
        is_plain.then(|| self.plain(tag.name))?.map(Leaf::from)
    }

    /// Reads the content and the end tag of a plain leaf called `name`.
    ///
    /// `None` if the leaf is not plain; nothing has been read then.
    #[expect(clippy::inline_always, reason = "the hot path of every field")]
    #[inline(always)]
    pub(in crate::xml) fn plain(&mut self, name: &str) -> Option<Plain<'de>> {
        let (content, length, rest) = self.plain_leaf(name)?;
        let is_section = content.len() < self.rest.len();
        let text = self.part(content, length)?;
        self.pass_to(rest);
        Some(Plain {
            text: if is_section { text } else { trim(text) },
            is_section,
        })
    }

    /// Reads the text of a [plain leaf](Self::plain).
    #[expect(clippy::inline_always, reason = "the hot path of every field")]
    #[inline(always)]
    pub(in crate::xml) fn plain_text(&mut self, name: &str) -> Option<&'de str> {
        self.plain(name).map(|plain| plain.text)
    }

    /// Reads past a plain leaf. Returns whether the leaf is plain; if not, nothing has been read.
    #[expect(clippy::inline_always, reason = "the hot loop of a lookahead")]
    #[inline(always)]
    pub(in crate::xml) fn skip_plain(&mut self, name: &str) -> bool {
        let leaf = self.plain_leaf(name);
        if let Some((_, _, rest)) = leaf {
            self.pass_to(rest);
        }
        leaf.is_some()
    }

    /// What a plain leaf's text begins, the length of the text, and what is behind the end tag.
    #[expect(clippy::inline_always, reason = "the hot path of every field")]
    #[inline(always)]
    fn plain_leaf(&self, name: &str) -> Option<(&'de [u8], usize, &'de [u8])> {
        let (content, length, end_tag) = if let Some(content) = section(self.rest) {
            let length = section_end(content)?;
            (content, length, content.get(length + SECTION_END.len()..)?)
        } else {
            let length = memchr3(b'<', b'&', b']', self.rest)?;
            (self.rest, length, self.rest.get(length..)?)
        };
        Some((content, length, behind_end_tag(end_tag, name)?))
    }

    /// Reads a leaf that is a number in canonical form, of at most 19 digits, and its end tag.
    ///
    /// `None` if the leaf is not such; nothing has been read then.
    #[inline]
    pub(in crate::xml) fn plain_number(&mut self, name: &str) -> Option<u64> {
        let (number, end_tag) = scalar::canonical_digits(self.rest)?;
        self.pass_to(behind_end_tag(end_tag, name)?);
        Some(number)
    }

    /// Reads the end tag of `name` as WeChat writes it, and white space before it. Returns whether it stands here.
    #[inline]
    pub(in crate::xml) fn plain_end_tag(&mut self, name: &str) -> bool {
        let rest = behind_end_tag(behind_white(self.rest), name);
        if let Some(rest) = rest {
            self.pass_to(rest);
        }
        rest.is_some()
    }

    /// Reads a leaf that mixes sections, character data, entities and comments, by XML's rules.
    fn runs(&mut self, tag: &Tag<'de>) -> Result<Leaf<'de>> {
        let mut value = Cow::Borrowed("");
        // White space at the end of a run is kept only if more text follows.
        let mut pending = Cow::Borrowed("");
        let mut has_section = false;
        loop {
            let start = self.offset();
            let rest = self.rest;
            let Some(length) = memchr(b'<', rest) else {
                return Err(self.unclosed(tag));
            };
            if length > 0 {
                let run = self.slice(start, start + length)?;
                if run.contains("]]>") {
                    return Err(self.outside_section());
                }
                let begun = has_section || !value.is_empty();
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
                self.advance(length);
            }
            match self.rest {
                [b'<', b'/', ..] => {
                    self.end_tag(tag)?;
                    return Ok(match (has_section, value.is_empty()) {
                        (true, _) => Leaf::Section(value),
                        (false, true) => Leaf::Empty,
                        (false, false) => Leaf::Bare(value),
                    });
                }
                rest => {
                    if let Some(content) = section(rest) {
                        let Some(length) = section_end(content) else {
                            return Err(self.error(ErrorKind::Eof, "`]]>`", END_OF_INPUT));
                        };
                        let from = self.offset() + SECTION.len();
                        let end = from + length;
                        append(&mut value, std::mem::take(&mut pending));
                        append(&mut value, Cow::Borrowed(self.slice(from, end)?));
                        has_section = true;
                        self.advance(SECTION.len() + length + SECTION_END.len());
                    } else if !self.skip_markup()? {
                        return Err(match rest {
                            [b'<', b'!', ..] => self.doctype(),
                            _ => self.error(ErrorKind::Type, "text", "an element"),
                        });
                    }
                }
            }
        }
    }

    /// Replaces the entities in `text`, a part of the input.
    fn unescaped(&self, text: &'de str) -> Result<Cow<'de, str>> {
        unescape(text).or_else(|_| self.unescaped_one_by_one(text))
    }

    /// Replaces entities beside what is none, and characters that are written as two surrogates.
    #[cold]
    fn unescaped_one_by_one(&self, text: &'de str) -> Result<Cow<'de, str>> {
        let mut value = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from)) = rest.find('&').map(|at| rest.split_at(at)) {
            value.push_str(before);
            let first = entity(from);
            let behind = from.get(first.len()..).unwrap_or_default();
            let second = entity(behind);
            if first.is_empty() {
                value.push('&');
                rest = from.get(1..).unwrap_or_default();
            } else if let Some(character) = pair(first, second) {
                value.push(character);
                rest = behind.get(second.len()..).unwrap_or_default();
            } else {
                value.push_str(&unescape(first).map_err(|_| {
                    let expected = "a predefined or numeric entity";
                    let error = Error::expected(ErrorKind::Entity, expected, Quoted(first));
                    error.at(self.offset_in(from))
                })?);
                rest = behind;
            }
        }
        value.push_str(rest);
        Ok(Cow::Owned(value))
    }

    #[cold]
    pub(super) fn outside_section(&self) -> Error {
        let found = "`]]>` outside a section";
        self.error(ErrorKind::Syntax, "character data", found)
    }

    /// Reads a typed text: as XML if it is only sections, character data and entities, else literally.
    #[cold]
    fn given_text(&mut self, tag: &Tag<'de>) -> Result<Leaf<'de>> {
        let piece = self.piece(self.offset()).cloned();
        let piece = piece.ok_or_else(|| self.unclosed(tag))?;
        let comments = std::mem::replace(&mut self.comments, Comments::Refused);
        let as_xml = self.text(&Tag {
            end: End::Tag,
            ..*tag
        });
        self.comments = comments;
        let ends = self.offset() == piece.after;
        self.seek(piece.after);
        match as_xml {
            Ok(text) if ends => Ok(text),
            _ => {
                let text = self.slice(piece.value.start, piece.value.end)?;
                Ok(Leaf::Section(Cow::Borrowed(text)))
            }
        }
    }
}

/// The entity that `text` begins with; empty if its `&` is a text.
fn entity(text: &str) -> &str {
    let name = text.strip_prefix('&').unwrap_or_default();
    let length =
        name.find(|character: char| !character.is_ascii_alphanumeric() && character != '#');
    match length {
        Some(length) if length > 0 && name.as_bytes().get(length) == Some(&b';') => {
            text.get(..length + 2).unwrap_or_default()
        }
        _ => "",
    }
}

/// The character of which two numeric entities are the surrogates.
fn pair(high: &str, low: &str) -> Option<char> {
    let unit = |entity: &str| {
        let number = entity.strip_prefix("&#")?.strip_suffix(';')?;
        match number.strip_prefix('x') {
            Some(number) => u16::from_str_radix(number, 16).ok(),
            None => number.parse().ok(),
        }
    };
    let units = [unit(high)?, unit(low)?];
    let is_pair = (0xd800..0xdc00).contains(&units[0]);
    char::decode_utf16(units).next()?.ok().filter(|_| is_pair)
}

/// The bytes behind `<![CDATA[`, if `bytes` begins with it.
#[inline]
pub(super) fn section(bytes: &[u8]) -> Option<&[u8]> {
    behind(bytes, SECTION)
}

/// The bytes behind `start`, if `bytes` begins with it.
///
/// Arrays are compared a word at a time, slices and patterns byte by byte.
#[inline]
fn behind<'a, const N: usize>(bytes: &'a [u8], start: &[u8; N]) -> Option<&'a [u8]> {
    let (found, behind) = bytes.split_first_chunk()?;
    (found == start).then_some(behind)
}

/// The bytes behind `</name>`, if `bytes` begins with it.
#[inline]
fn behind_end_tag<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (found, rest) = behind(bytes, b"</")?.split_at_checked(name.len())?;
    let [b'>', rest @ ..] = rest else {
        return None;
    };
    same(found, name.as_bytes()).then_some(rest)
}

/// The length of a section, the content of which `bytes` begins with.
#[inline]
fn section_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        // Texts hold a `]` more often: WeChat writes its emoticons in brackets.
        let end = from + memchr(b'>', bytes.get(from..)?)?;
        if bytes.get(..end)?.last_chunk() == Some(b"]]") {
            return Some(end - 2);
        }
        from = end + 1;
    }
}

/// Whether both are the same bytes. Their lengths are equal.
///
/// Names are short. Two words that overlap cover one, and save a call of `memcmp`.
#[inline(always)]
fn same(left: &[u8], right: &[u8]) -> bool {
    fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        bytes.first_chunk().zip(bytes.last_chunk())
    }

    match left.len() {
        4..8 => ends::<4>(left) == ends(right),
        8..=16 => ends::<8>(left) == ends(right),
        _ => left == right,
    }
}

pub(in crate::xml) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Trims white space, as XML defines it.
#[inline]
pub(in crate::xml) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        // Nearly always there is nothing to trim.
        [first, .., last] if !is_white(*first) && !is_white(*last) => text,
        _ => text.trim_matches(WHITE),
    }
}

fn append<'de>(value: &mut Cow<'de, str>, piece: Cow<'de, str>) {
    if value.is_empty() {
        *value = piece;
    } else if !piece.is_empty() {
        value.to_mut().push_str(&piece);
    }
}

const SECTION: &[u8; 9] = b"<![CDATA[";
const SECTION_END: &[u8; 3] = b"]]>";
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];
