//! What a leaf says.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};
use quick_xml::escape::unescape;

use super::{Reader, Tag, is_white};
use crate::xml::error::{Error, ErrorKind, Quoted, Result};

/// The value of a leaf.
#[derive(Debug)]
pub(in crate::xml) enum Text<'de> {
    /// Nothing but white space and comments, which is less than an empty section.
    Empty,
    /// Character data alone, trimmed.
    Bare(Cow<'de, str>),
    /// At least one CDATA section.
    Section(Cow<'de, str>),
}

impl<'de> Text<'de> {
    pub(in crate::xml) fn into_str(self) -> Cow<'de, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Bare(text) | Self::Section(text) => text,
        }
    }
}

impl<'de> Reader<'de> {
    /// Reads a leaf: its text and its end tag.
    pub(in crate::xml) fn text(&mut self, tag: &Tag<'de>) -> Result<Text<'de>> {
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
    pub(in crate::xml) fn plain_text(&mut self, tag: &Tag<'de>) -> Option<&'de str> {
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

/// Trims what XML calls white space.
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

const SECTION: &[u8] = b"<![CDATA[";
const SECTION_END: &[u8] = b"]]>";
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];
