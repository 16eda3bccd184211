//! Helpers of `typed`: what stands at an offset of raw markup, or next to it.

use std::{collections::HashMap, ops::Range};

use memchr::{memchr_iter, memmem};

use crate::xml::read::{BYTE_ORDER_MARK, ENDS, is_white};

pub(super) const SECTION: &str = "<![CDATA[";
pub(super) const SECTION_END: &str = "]]>";

/// The input. Each method says what stands at an offset, or where something stands.
#[derive(Clone, Copy)]
pub(super) struct Scan<'de>(pub(super) &'de str);

/// A field without attributes and child elements: bare text, or one section.
pub(super) struct Field<'de> {
    pub(super) name: &'de str,
    pub(super) value: &'de str,
    pub(super) after: usize,
}

impl<'de> Scan<'de> {
    fn bytes(self) -> &'de [u8] {
        self.0.as_bytes()
    }

    fn from(self, at: usize) -> &'de [u8] {
        self.bytes().get(at..).unwrap_or_default()
    }

    fn until(self, at: usize) -> &'de [u8] {
        self.bytes().get(..at).unwrap_or_default()
    }

    /// The offset of the next tag from `at` on, behind white space, comments and text beside elements.
    pub(super) fn skip_misc(self, mut at: usize) -> Option<usize> {
        loop {
            let tag = self.find("<", at)?;
            match self.behind(tag, &["<!--"]) {
                Some(inside) => at = self.find("-->", inside)? + 3,
                None => return Some(tag),
            }
        }
    }

    /// The first offset from `at` on without white space.
    pub(super) fn skip_white(self, at: usize) -> usize {
        let white = self.from(at).iter().take_while(|&&byte| is_white(byte));
        at + white.count()
    }

    /// The offset before which no white space stands, at most `at`.
    pub(super) fn skip_white_back(self, at: usize) -> usize {
        let white = self.until(at).iter().rev();
        at - white.take_while(|&&byte| is_white(byte)).count()
    }

    /// The offset behind `parts`, one after the other, if they stand at `at`.
    pub(super) fn behind(self, at: usize, parts: &[&str]) -> Option<usize> {
        parts.iter().try_fold(at, |at, part| {
            let stands = self.from(at).starts_with(part.as_bytes());
            stands.then_some(at + part.len())
        })
    }

    /// The offset of `parts`, if they end at `at`.
    pub(super) fn before(self, at: usize, parts: &[&str]) -> Option<usize> {
        parts.iter().rev().try_fold(at, |at, part| {
            let stands = self.until(at).ends_with(part.as_bytes());
            stands.then(|| at - part.len())
        })
    }

    pub(super) fn find(self, needle: &str, from: usize) -> Option<usize> {
        let found = memmem::find(self.from(from), needle.as_bytes()).map(|found| from + found);
        #[cfg(test)]
        crate::xml::tests::count(found.unwrap_or(self.0.len()).saturating_sub(from) + 1);
        found
    }

    pub(super) fn find_back(self, needle: &str, until: usize) -> Option<usize> {
        let found = memmem::rfind(self.until(until), needle.as_bytes());
        #[cfg(test)]
        crate::xml::tests::count(until - found.unwrap_or(0) + 1);
        found
    }

    pub(super) fn holds(self, range: Range<usize>, needle: &str) -> bool {
        self.0.get(range).is_some_and(|part| part.contains(needle))
    }

    /// The offset behind the `<![CDATA[` that begins the content at `at`, perhaps behind white space.
    pub(super) fn section(self, at: usize) -> Option<usize> {
        self.behind(self.skip_white(at), &[SECTION])
    }

    /// The offset behind the root's start tag, if the root has WeChat's name.
    pub(super) fn root(self) -> Option<usize> {
        let mut at = self.behind(0, &[BYTE_ORDER_MARK]).unwrap_or(0);
        at = self.skip_white(at);
        if self.behind(at, &["<?xml"]).is_some() {
            at = self.skip_white(self.find("?>", at)? + 2);
        }
        self.behind(at, &["<xml>"])
    }

    /// The offset of the root's end tag, if the root has WeChat's name and nothing follows it.
    pub(super) fn root_end(self) -> Option<usize> {
        let input = self.0.trim_end_matches(ENDS);
        self.before(input.len(), &["</xml>"])
    }

    /// The name that begins at `at`, and the offset behind it.
    fn name(self, at: usize) -> Option<(&'de str, usize)> {
        let name = self.from(at).iter().take_while(|&&byte| is_name_byte(byte));
        let after = at + name.count();
        let name = self.0.get(at..after).filter(|name| !name.is_empty())?;
        Some((name, after))
    }

    /// The field at `at`.
    pub(super) fn field(self, at: usize) -> Option<Field<'de>> {
        let (name, after) = self.name(self.behind(at, &["<"])?)?;
        if let Some(after) = self.behind(after, &["/>"]) {
            return Some(Field {
                name,
                value: "",
                after,
            });
        }
        let content = self.behind(after, &[">"])?;
        let (value, end) = if let Some(start) = self.section(content) {
            let end = self.find(SECTION_END, start)?;
            (
                self.0.get(start..end)?,
                self.skip_white(end + SECTION_END.len()),
            )
        } else {
            let end = self.find("<", content)?;
            (self.0.get(content..end)?, end)
        };
        Some(Field {
            name,
            value,
            after: self.behind(end, &["</", name, ">"])?,
        })
    }

    /// The last end of a section that also ends its field, by the field's name: its offset, and the offset
    /// behind the end tag.
    pub(super) fn last_section_ends(self) -> HashMap<&'de str, (usize, usize)> {
        let ends = memmem::find_iter(self.bytes(), "]]></");
        let ends = ends.filter_map(|end| {
            let (name, after) = self.name(end + SECTION_END.len() + 2)?;
            Some((name, (end, self.behind(after, &[">"])?)))
        });
        ends.collect()
    }

    /// The names in all end tags.
    pub(super) fn end_tag_names(self) -> impl Iterator<Item = &'de str> {
        let slashes = memchr_iter(b'/', self.bytes());
        let end_tags = slashes.filter(move |&at| self.before(at, &["<"]).is_some());
        end_tags.filter_map(move |at| self.name(at + 1).map(|(name, _)| name))
    }

    /// The name in the end tag that ends at `at`, and the offset of the tag.
    pub(super) fn end_tag_before(self, at: usize) -> Option<(&'de str, usize)> {
        let end = self.before(at, &[">"])?;
        let start = self.find_back("</", end)?;
        let name = self.0.get(start + 2..end)?;
        name.bytes().all(is_name_byte).then_some((name, start))
    }
}

/// WeChat's own names are ASCII.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
