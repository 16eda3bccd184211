//! The text of leaves: sections, character data and entities.

use std::borrow::Cow;

use memchr::{memchr, memchr3};
use quick_xml::escape::unescape;

use super::{Comments, END_OF_INPUT, End, Reader, Tag};
use crate::xml::error::{Error, ErrorKind, Quoted, Result};

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

/// Where the text of a plain leaf stands.
///
/// A plain leaf is as WeChat writes leaves: one section, or character data without entities.
struct PlainLeaf {
    is_section: bool,
    start: usize,
    end: usize,
    /// The offset after the end tag.
    after: usize,
}

impl<'de> Reader<'de> {
    /// Reads a leaf: its text and its end tag.
    pub(in crate::xml) fn text(&mut self, tag: &Tag<'de>) -> Result<Leaf<'de>> {
        if let Some(leaf) = self.plain(tag) {
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
        if let Some(leaf) = self.plain(tag) {
            return Ok(Some(leaf));
        }
        if self.skip_text_before_elements(tag) {
            return Ok(None);
        }
        self.text(tag).map(Some)
    }

    #[inline]
    fn plain(&mut self, tag: &Tag<'de>) -> Option<Leaf<'de>> {
        let is_section = section(self.rest()).is_some();
        let text = self.plain_text(tag)?;
        Some(match (is_section, text) {
            (true, _) => Leaf::Section(Cow::Borrowed(text)),
            (false, "") => Leaf::Empty,
            (false, _) => Leaf::Bare(Cow::Borrowed(text)),
        })
    }

    /// Reads a plain leaf: its text and its end tag.
    ///
    /// `None` if the leaf is not plain; nothing has been read then.
    #[inline]
    pub(in crate::xml) fn plain_text(&mut self, tag: &Tag<'de>) -> Option<&'de str> {
        let leaf = self.plain_leaf(tag)?;
        let text = self.input.get(leaf.start..leaf.end)?;
        self.advance(leaf.after);
        Some(if leaf.is_section { text } else { trim(text) })
    }

    /// Reads past a plain leaf. Returns whether the leaf is plain; if not, nothing has been read.
    #[expect(clippy::inline_always, reason = "the hot loop of a lookahead")]
    #[inline(always)]
    pub(super) fn skip_plain_leaf(&mut self, tag: &Tag<'de>) -> bool {
        let Some(leaf) = self.plain_leaf(tag) else {
            return false;
        };
        self.advance(leaf.after);
        true
    }

    #[expect(clippy::inline_always, reason = "the hot path of every field")]
    #[inline(always)]
    fn plain_leaf(&self, tag: &Tag<'de>) -> Option<PlainLeaf> {
        if tag.end != End::Tag {
            return None;
        }
        let rest = self.rest();
        let section = section(rest);
        let content = section.unwrap_or(rest);
        let (length, end_tag) = if section.is_some() {
            let length = section_end(content)?;
            (length, behind(content.get(length..)?, b"]]></")?)
        } else {
            let length = memchr3(b'<', b'&', b']', content)?;
            (length, behind(content.get(length..)?, b"</")?)
        };
        let (name, rest) = end_tag.split_at_checked(tag.name.len())?;
        let [b'>', rest @ ..] = rest else {
            return None;
        };
        if !same(name, tag.name.as_bytes()) {
            return None;
        }
        let start = self.input.len() - content.len();
        Some(PlainLeaf {
            is_section: section.is_some(),
            start,
            end: start + length,
            after: self.input.len() - rest.len(),
        })
    }

    /// Reads a leaf that mixes sections, character data, entities and comments, by XML's rules.
    fn runs(&mut self, tag: &Tag<'de>) -> Result<Leaf<'de>> {
        let mut value = Cow::Borrowed("");
        // White space at the end of a run is kept only if more text follows.
        let mut pending = Cow::Borrowed("");
        let mut has_section = false;
        loop {
            let start = self.at;
            let rest = self.rest();
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
                self.advance(start + length);
            }
            match self.rest() {
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
                        let from = self.at + SECTION.len();
                        let end = from + length;
                        append(&mut value, std::mem::take(&mut pending));
                        append(&mut value, Cow::Borrowed(self.slice(from, end)?));
                        has_section = true;
                        self.advance(end + SECTION_END.len());
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
        let piece = self.piece(self.at).cloned();
        let piece = piece.ok_or_else(|| self.unclosed(tag))?;
        let comments = std::mem::replace(&mut self.comments, Comments::Refused);
        let as_xml = self.text(&Tag {
            end: End::Tag,
            ..*tag
        });
        self.comments = comments;
        let ends = self.at == piece.after;
        self.at = piece.after;
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

/// The length of a section, the content of which `bytes` begins with.
#[inline]
fn section_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(b']', bytes.get(at..)?)?;
        if bytes.get(at..)?.first_chunk()? == SECTION_END {
            return Some(at);
        }
        at += 1;
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
