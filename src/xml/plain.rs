//! The plain reading: documents as WeChat writes nearly all of them. Each document is read so first.
//!
//! It knows no tags but those that hold only a name, and no list but one whose members stand side by side. For anything
//! else, for all that typed text may have made, and for every error, it fails as [`NotPlain`]: the deserializer of any
//! document reads the input again from its start, and says what is wrong. So both have one meaning, and an error of this
//! one needs no place.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{
        self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
};

use super::{
    alike::{deserialize_alike, deserialize_numbers},
    lookahead,
    name_index::Glimpsed,
    read::{Content, Leaf, MAX_DEPTH, Plain, Reader, Tag, trim},
    scalar::{self, Number},
    typed::is_typed,
    with,
};

type Result<T> = std::result::Result<T, NotPlain>;

/// Reads a plain document, and any other one by `read_any`.
#[inline]
pub(super) fn from_str<'de, T: Deserialize<'de>>(
    input: &'de str,
    read_any: impl FnOnce(&'de str) -> super::Result<T>,
) -> super::Result<T> {
    let mut reader = Reader::new(input);
    let Some(name) = reader.plain_start_tag() else {
        return read_any(input);
    };
    let value = T::deserialize(Element {
        reader: &mut reader,
        name,
        depth: 1,
        siblings: None,
    });
    match value {
        Ok(value) if !reader.doubt() && reader.plain_end_of_input() => Ok(value),
        _ => read_any(input),
    }
}

/// The document has to be read as any other.
#[derive(Debug)]
pub(super) struct NotPlain;

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a plain document")
    }
}

impl std::error::Error for NotPlain {}

impl de::Error for NotPlain {
    #[cold]
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }

    // The provided methods format a message.

    #[cold]
    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self
    }

    #[cold]
    fn invalid_value(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self
    }

    #[cold]
    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        Self
    }

    #[cold]
    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    #[cold]
    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    #[cold]
    fn missing_field(_: &'static str) -> Self {
        Self
    }

    #[cold]
    fn duplicate_field(_: &'static str) -> Self {
        Self
    }
}

/// An element whose start tag has been read, but not its content and its end tag.
struct Element<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// A part of the input, so that it also says where the tag stands.
    name: &'de str,
    /// 1 for the root.
    depth: u8,
    /// `None` for the root and for a list's member.
    siblings: Option<&'a mut Siblings<'de>>,
}

/// What the children of one element share.
struct Siblings<'de> {
    parent: &'de str,
    /// The depth of the children.
    depth: u8,
    /// The names that nobody else compares.
    glimpsed: Glimpsed,
    /// The names that must not come again: those of lists, and of all entries of a map.
    finished: Glimpsed,
    /// A child that comes again, at the content of which the reader stands: a lookahead was read in its place.
    again: Option<&'de str>,
    /// The addresses of the names whose elements lookaheads have read, until they come up as children; else 0.
    ahead: [usize; 2],
}

impl<'de> Element<'_, 'de> {
    #[inline]
    fn map<V: Visitor<'de>>(
        self,
        fields: &[&str],
        are_entries: bool,
        visitor: V,
    ) -> Result<V::Value> {
        if self.depth == MAX_DEPTH {
            return Err(NotPlain);
        }
        let tag = Tag::plain(self.name, self.depth);
        self.reader.note_nested_fields(&tag, fields);
        let mut children = Children {
            reader: self.reader,
            current: None,
            ended: false,
            are_entries,
            siblings: Siblings {
                parent: self.name,
                depth: self.depth + 1,
                glimpsed: Glimpsed::default(),
                finished: Glimpsed::default(),
                again: None,
                ahead: [0; 2],
            },
        };
        // The result stays in one place: a message is several hundred bytes.
        let value = visitor.visit_map(&mut children);
        if !children.ended || children.siblings.ahead != [0; 2] {
            children.reader.refuse();
        }
        value
    }

    /// Refuses that a sibling with the same name follows.
    #[inline]
    fn finish(&mut self) {
        if let Some(siblings) = &mut self.siblings {
            siblings.finished.add(self.name);
        }
    }

    /// Notes that no field has the name. Refuses that two siblings have it: nobody else sees that.
    #[inline]
    fn note(&mut self) {
        let tag = Tag::plain(self.name, self.depth);
        self.reader.note_nested(&tag);
        if self.depth == 2
            && let Some(siblings) = &mut self.siblings
            && siblings.glimpsed.may_repeat(self.name)
        {
            self.reader.refuse();
        }
    }

    fn text(&mut self) -> Result<Cow<'de, str>> {
        match self.reader.plain_text(self.name) {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => self.other_text(),
        }
    }

    /// Reads a text with entities, or in several parts.
    #[cold]
    fn other_text(&mut self) -> Result<Cow<'de, str>> {
        let leaf = self.reader.text(&Tag::plain(self.name, self.depth));
        leaf.map(Leaf::into_str).map_err(|_| NotPlain)
    }

    #[inline]
    fn number<T: Number>(mut self) -> Result<T> {
        match self.reader.plain_number(self.name) {
            Some(number) => T::from_u64(number).ok_or(NotPlain),
            None => scalar::number(&self.text()?).map_err(|_| NotPlain),
        }
    }

    /// Returns whether it is empty. Reads past it then.
    #[inline]
    fn skip_empty(&mut self) -> Result<bool> {
        let tag = Tag::plain(self.name, self.depth);
        let content = self.reader.content(&tag).map_err(|_| NotPlain)?;
        if content == Content::Empty {
            self.reader.skip(&tag).map_err(|_| NotPlain)?;
        }
        Ok(content == Content::Empty)
    }

    /// Reads elements, of which a map may not hold two with one name, or a text.
    #[inline]
    fn any<V: Visitor<'de>>(self, are_entries: bool, visitor: V) -> Result<V::Value> {
        if let Some(number) = self.reader.plain_number(self.name) {
            return visitor.visit_u64(number);
        }
        match self.reader.plain(self.name) {
            None => self.map(&[], are_entries, visitor),
            Some(Plain {
                text,
                is_section: false,
            }) if !text.is_empty() => scalar::visit_bare(text.into(), visitor),
            Some(Plain { text, .. }) => visitor.visit_borrowed_str(text),
        }
    }

    /// Reads the first sibling called `name` from here on, and goes back.
    ///
    /// That is where its start tag stands first. If it stands inside another sibling or a text, it does not come up as a
    /// sibling later.
    fn look_ahead<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value> {
        let siblings = self.siblings.ok_or(NotPlain)?;
        let content = self.reader.offset();
        let start = self.reader.offset_of(&Tag::plain(self.name, self.depth));
        self.reader.seek(start);
        let value = match self.reader.seek_start_tag(name) {
            Some(name) => {
                let free = siblings.ahead.iter_mut().find(|ahead| **ahead == 0);
                *free.ok_or(NotPlain)? = name.as_ptr().addr();
                visitor.visit_some(Element {
                    reader: &mut *self.reader,
                    name,
                    depth: self.depth,
                    siblings: None,
                })
            }
            None => visitor.visit_none(),
        };
        siblings.again = Some(self.name);
        self.reader.seek(content);
        value
    }
}

impl<'de> de::Deserializer<'de> for Element<'_, 'de> {
    type Error = NotPlain;

    deserialize_alike!();
    deserialize_numbers!();

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.any(true, visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(scalar::boolean(&self.text()?).map_err(|_| NotPlain)?)
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        visitor.visit_char(scalar::character(&self.text()?).map_err(|_| NotPlain)?)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if let Some(text) = self.reader.plain_text(self.name) {
            return visitor.visit_borrowed_str(text);
        }
        match self.other_text()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.text()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            Cow::Owned(text) => visitor.visit_byte_buf(text.into_bytes()),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if !self.skip_empty()? {
            return visitor.visit_some(self);
        }
        // It may be a list's first member.
        if self.siblings.is_some() && self.reader.may_stand_behind(self.name) {
            return Err(NotPlain);
        }
        visitor.visit_none()
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        self.note();
        let tag = Tag::plain(self.name, self.depth);
        self.reader.skip(&tag).map_err(|_| NotPlain)?;
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == with::AS_NUMBER
            && let Some(number) = self.reader.plain_number(self.name)
        {
            return visitor.visit_u64(number);
        }
        if name == with::AS_TEXT || name == with::AS_NUMBER {
            return self.deserialize_str(visitor);
        }
        if name == lookahead::ELEMENTS {
            return self.map(&[], false, visitor);
        }
        if name == lookahead::VALUE {
            self.note();
            if self.skip_empty()? {
                return visitor.visit_none();
            }
            return self.any(false, visitor);
        }
        if name == lookahead::READINGS {
            return visitor.visit_map(OneReading(Some(self)));
        }
        if let Some(name) = lookahead::requested_field(name) {
            return self.look_ahead(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        self.finish();
        // A list elsewhere has all children as its members.
        if self.siblings.is_none() {
            return Err(NotPlain);
        }
        let mut members = Members {
            reader: self.reader,
            name: self.name,
            depth: self.depth,
            is_first: true,
        };
        let value = visitor.visit_seq(&mut members);
        if members.is_first {
            members.reader.refuse();
        }
        value
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.map(&[], true, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        // A wrapper of a list's members is no member.
        let may_be_member = self.siblings.is_none() && self.depth > 1;
        if may_be_member && self.reader.begins_with_item() && !fields.contains(&"item") {
            return Err(NotPlain);
        }
        self.map(fields, false, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(trim(&self.text()?).into_deserializer())
    }
}

/// The children of an element, one after the other.
struct Children<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// The child whose name has been handed out, but not its value.
    current: Option<&'de str>,
    /// Whether the parent's end tag has been read.
    ended: bool,
    /// Whether no two may have one name, because a map would keep the last.
    are_entries: bool,
    siblings: Siblings<'de>,
}

impl<'de> MapAccess<'de> for &mut Children<'_, 'de> {
    type Error = NotPlain;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.ended {
            return Ok(None);
        }
        let again = self.siblings.again.take();
        let Some(name) = again.or_else(|| self.reader.plain_start_tag()) else {
            self.ended = self.reader.plain_end_tag(self.siblings.parent);
            return if self.ended { Ok(None) } else { Err(NotPlain) };
        };
        let finished = &mut self.siblings.finished;
        let is_finished = if self.are_entries {
            let tag = Tag::plain(name, self.siblings.depth);
            self.reader.note_nested(&tag);
            finished.may_repeat(name)
        } else {
            finished.holds(name)
        };
        if is_finished {
            return Err(NotPlain);
        }
        for ahead in &mut self.siblings.ahead {
            if *ahead == name.as_ptr().addr() {
                *ahead = 0;
            }
        }
        self.current = Some(name);
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(Element {
            reader: &mut *self.reader,
            name: self.current.take().ok_or(NotPlain)?,
            depth: self.siblings.depth,
            siblings: Some(&mut self.siblings),
        })
    }

    /// Not known. But a map that grows to a message's fields hashes each of them twice.
    #[inline]
    fn size_hint(&self) -> Option<usize> {
        (self.are_entries && self.siblings.depth == 2).then_some(TYPICAL)
    }
}

/// The members of a list that repeats its element: `first` and the siblings with its name behind it.
struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    name: &'de str,
    depth: u8,
    /// Whether the first one comes next.
    is_first: bool,
}

impl<'de> SeqAccess<'de> for &mut Members<'_, 'de> {
    type Error = NotPlain;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !std::mem::take(&mut self.is_first) {
            let here = self.reader.offset();
            if self.reader.plain_start_tag() != Some(self.name) {
                self.reader.seek(here);
                // Behind a list, any other reading looks at all further siblings twice.
                self.reader.be_strict();
                return Ok(None);
            }
            let tag = Tag::plain(self.name, self.depth);
            self.reader.note_nested(&tag);
            if self.depth == 2 && is_typed(self.name) {
                // Typed text that goes on as markup repeats its own field.
                self.reader.doubt_it();
            }
        }
        let member = Element {
            reader: &mut *self.reader,
            name: self.name,
            depth: self.depth,
            siblings: None,
        };
        seed.deserialize(member).map(Some)
    }
}

/// The first of an element's [readings](lookahead::READINGS). If it fails, the document is read again.
struct OneReading<'a, 'de>(Option<Element<'a, 'de>>);

impl<'de> MapAccess<'de> for OneReading<'_, 'de> {
    type Error = NotPlain;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _seed: K) -> Result<Option<K::Value>> {
        Ok(None)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(self.0.take().ok_or(NotPlain)?)
    }
}

/// In fields under the root. Most messages have no more.
const TYPICAL: usize = 8;

#[cfg(test)]
mod tests;
