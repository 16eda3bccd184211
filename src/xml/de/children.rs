//! The children of an element: as a map, a list or an enum.

use std::collections::HashSet;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor, value::BorrowedStrDeserializer};

use super::element::{Element, Member};
use crate::xml::{
    error::{Error, ErrorKind, Result},
    name_index::{Glimpsed, NameIndex},
    read::{Content, Leaf, Reader, Tag},
    typed::is_typed,
};

/// The children of an element, one after the other.
pub(super) struct Children<'a, 'de> {
    reader: &'a mut Reader<'de>,
    parent: Tag<'de>,
    /// The child whose name has been handed out, but not its value.
    current: Option<Tag<'de>>,
    /// Whether an error is about another child than the current one, and has that child's path.
    error_has_path: bool,
    /// The child that the last lookahead found. The next one starts there: WeChat writes Event behind
    /// MsgType.
    found: Option<Tag<'de>>,
    /// Whether the parent's end tag has been read.
    ended: bool,
    /// All further children, if a list has searched them for scattered members.
    indexed: Option<Box<Indexed<'de>>>,
    /// The names that nobody else compares.
    glimpsed: Glimpsed,
}

/// Children that were skipped to find the members of a list.
#[derive(Debug, Default)]
struct Indexed<'de> {
    names: NameIndex<'de>,
    /// A child that comes again: a lookahead was read in its place.
    again: Option<(Tag<'de>, usize)>,
    /// The tag of each child and the offset of its content.
    tags: Vec<(Tag<'de>, usize)>,
    /// The offset after the parent's end tag.
    end: usize,
}

impl<'a, 'de> Children<'a, 'de> {
    /// The children of an element that is read into `fields`.
    pub(super) fn of(
        reader: &'a mut Reader<'de>,
        parent: Tag<'de>,
        fields: &[&str],
    ) -> Result<Self> {
        let mut ended = parent.is_closed();
        match reader.content(&parent)? {
            Content::Elements | Content::Empty => {}
            Content::Text if reader.skip_text_before_elements(&parent) => {}
            // An empty section.
            Content::Text if matches!(reader.plain_of(&parent), Some(Leaf::Section(text)) if text.is_empty()) =>
            {
                ended = true;
            }
            Content::Text => {
                let error = Error::expected(ErrorKind::Type, "elements", "text");
                return Err(error.at(reader.offset()));
            }
        }
        reader.note_nested_fields(&parent, fields);
        Ok(Self {
            reader,
            parent,
            current: None,
            error_has_path: false,
            found: None,
            ended,
            indexed: None,
            glimpsed: Glimpsed::default(),
        })
    }

    pub(super) fn reader(&mut self) -> &mut Reader<'de> {
        self.reader
    }

    /// Notes that no field has the name of `tag`: nobody else sees whether it is repeated.
    ///
    /// Typed text that goes on as markup repeats its own field, since WeChat's end of the section follows.
    pub(super) fn note(&mut self, tag: &Tag<'de>) {
        if self.parent.is_root() && self.glimpsed.may_repeat(tag.name) {
            self.look_back(tag);
        }
    }

    /// Refuses a wrapper of a list's members in place of a member. Else it would be a member without fields.
    pub(super) fn refuse_items(&mut self) -> Result<()> {
        if self.ended || !self.reader.begins_with_item() {
            return Ok(());
        }
        self.look_at_items()
    }

    #[cold]
    fn look_at_items(&mut self) -> Result<()> {
        let here = self.reader.offset();
        while let Some(tag) = self.reader.child(&self.parent)? {
            if tag.name != "item" {
                self.reader.seek(here);
                return Ok(());
            }
            self.reader.skip(&tag)?;
        }
        Err(Error::wrapper().at(here))
    }

    /// Whether a further child has the name of `tag`, at the content of which the reader stands.
    pub(super) fn is_repeated(&mut self, tag: &Tag<'de>) -> Result<bool> {
        if self.indexed.is_none() {
            let here = self.reader.offset();
            if !self.reader.may_stand_behind(tag.name) {
                return Ok(false);
            }
            self.index_rest(*tag)?;
            self.reader.seek(here);
            if let Some(indexed) = &mut self.indexed {
                indexed.names.take_named(tag.name);
            }
        }
        let indexed = self.indexed.as_ref();
        Ok(indexed.is_some_and(|indexed| indexed.names.holds(tag.name)))
    }

    #[cold]
    fn look_back(&mut self, tag: &Tag<'de>) {
        if self.glimpsed.are_many() || self.reader.stood_before(tag) {
            self.reader.doubt_it();
        }
    }

    /// The names of the children from the offset `start` on, up to `tag`.
    fn names_before(&mut self, tag: &Tag<'de>, start: usize) -> Result<HashSet<&'de str>> {
        let here = self.reader.offset();
        self.reader.seek(start);
        let mut names = HashSet::new();
        while let Some(child) = self.reader.child(&self.parent)?
            && child.name.as_ptr() != tag.name.as_ptr()
        {
            names.insert(child.name);
            self.reader.skip(&child)?;
        }
        self.reader.seek(here);
        Ok(names)
    }

    /// The next child that no list has taken.
    pub(super) fn next(&mut self) -> Result<Option<Tag<'de>>> {
        if self.indexed.is_some() {
            return Ok(self.next_indexed());
        }
        if self.ended {
            return Ok(None);
        }
        let child = self.reader.child(&self.parent)?;
        self.ended = child.is_none();
        Ok(child)
    }

    /// Goes to the next child.
    fn advance(&mut self) -> Result<Option<Tag<'de>>> {
        self.current = self.next()?;
        Ok(self.current)
    }

    /// Hands out the name of `tag`.
    fn name<K: DeserializeSeed<'de>>(&self, tag: &Tag<'de>, seed: K) -> Result<Option<K::Value>> {
        seed.deserialize(BorrowedStrDeserializer::new(tag.name))
            .map(Some)
            .map_err(|error: Error| error.at(self.reader.offset_of(tag)))
    }

    fn next_indexed(&mut self) -> Option<Tag<'de>> {
        let indexed = self.indexed.as_mut()?;
        if let Some((tag, content)) = indexed.again.take() {
            self.reader.seek(content);
            return Some(tag);
        }
        let tags = &indexed.tags;
        let name = |position: usize| tags.get(position).map(|(tag, _)| tag.name);
        let position = indexed.names.take_next(name);
        self.seek_indexed(position)
    }

    /// The next child called `name`, wherever it stands.
    fn next_named(&mut self, name: &str) -> Result<Option<Tag<'de>>> {
        if self.indexed.is_none() {
            match self.next()? {
                Some(tag) if tag.name != name => self.index_rest(tag)?,
                adjacent => return Ok(adjacent),
            }
        }
        let position = self
            .indexed
            .as_mut()
            .and_then(|indexed| indexed.names.take_named(name));
        Ok(self.seek_indexed(position))
    }

    fn seek_indexed(&mut self, position: Option<usize>) -> Option<Tag<'de>> {
        let indexed = self.indexed.as_ref()?;
        let found = position.and_then(|position| indexed.tags.get(position).copied());
        self.reader
            .seek(found.map_or(indexed.end, |(_, content)| content));
        found.map(|(tag, _)| tag)
    }

    /// Skips `tag` and all children behind it, and indexes them.
    #[cold]
    fn index_rest(&mut self, tag: Tag<'de>) -> Result<()> {
        let mut indexed = Box::<Indexed<'de>>::default();
        let mut next = Some(tag);
        while let Some(tag) = next {
            indexed.names.push(tag.name);
            indexed.tags.push((tag, self.reader.offset()));
            self.reader
                .skip(&tag)
                .map_err(|error| error.inside(tag.name))?;
            next = self.reader.child(&self.parent)?;
        }
        indexed.end = self.reader.offset();
        self.indexed = Some(indexed);
        self.ended = true;
        Ok(())
    }

    /// Reads a child called `name` that is `tag` or stands behind it, then goes back: `tag` comes again.
    ///
    /// WeChat writes MsgType behind two or three short fields. To read past these twice costs less than
    /// to remember them. Of several children called `name`, any one is read.
    pub(super) fn look_ahead<V: Visitor<'de>>(
        &mut self,
        tag: Tag<'de>,
        name: &str,
        visitor: V,
    ) -> Result<V::Value> {
        let here = self.reader.offset();
        self.error_has_path = true;
        self.found = self.find(tag, name)?;
        let value = match self.found {
            Some(found) => visitor
                .visit_some(Element {
                    place: &mut *self.reader,
                    tag: found,
                })
                .map_err(|error| self.reader.inside(&found, error))?,
            None => visitor.visit_none()?,
        };
        self.error_has_path = false;
        match &mut self.indexed {
            Some(indexed) => indexed.again = Some((tag, here)),
            None => self.reader.seek(self.reader.offset_of(&tag)),
        }
        Ok(value)
    }

    /// Goes to the content of a child called `name`.
    fn find(&mut self, tag: Tag<'de>, name: &str) -> Result<Option<Tag<'de>>> {
        let here = self.reader.offset();
        if let Some(found) = self.found {
            self.reader.seek(self.reader.offset_of(&found));
            if let Some(first) = self.reader.child(&self.parent)?
                && let Some(found) = self.reader.find(&self.parent, first, name)?
            {
                return Ok(Some(found));
            }
            self.reader.seek(here);
        }
        self.reader.find(&self.parent, tag, name)
    }

    /// Skips the children that the visitor left, and reads the parent's end tag.
    pub(super) fn finish(mut self) -> Result<()> {
        while let Some(tag) = self
            .current
            .take()
            .map_or_else(|| self.next(), |tag| Ok(Some(tag)))?
        {
            self.note(&tag);
            self.reader.note_nested(&tag);
            self.reader
                .skip(&tag)
                .map_err(|error| error.inside(tag.name))?;
        }
        Ok(())
    }
}

impl<'de> MapAccess<'de> for Children<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(tag) = self.advance()? else {
            return Ok(None);
        };
        self.name(&tag, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(tag) = self.current.take() else {
            return Err(Error::value_before_name());
        };
        seed.deserialize(Element {
            place: &mut *self,
            tag,
        })
        .map_err(|error| {
            if self.error_has_path {
                return error;
            }
            self.reader.inside(&tag, error)
        })
    }
}

/// The children of an element that is read into a map. None may have the name of another, unless both are members of a
/// list: a map would keep the last of two.
pub(super) struct Entries<'a, 'b, 'de> {
    children: &'a mut Children<'b, 'de>,
    /// The offset of the first child.
    start: usize,
    glimpsed: Glimpsed,
    /// The names so far, once one of them may be repeated.
    names: Option<HashSet<&'de str>>,
}

impl<'a, 'b, 'de> Entries<'a, 'b, 'de> {
    pub(super) fn of(children: &'a mut Children<'b, 'de>) -> Self {
        Self {
            start: children.reader.offset(),
            children,
            glimpsed: Glimpsed::default(),
            names: None,
        }
    }

    #[cold]
    fn check(&mut self, tag: &Tag<'de>) -> Result<()> {
        if self.names.is_none() {
            if !self.glimpsed.are_many() && !self.children.reader.stood_before(tag) {
                return Ok(());
            }
            self.names = Some(self.children.names_before(tag, self.start)?);
        }
        let mut names = self.names.iter_mut();
        if names.all(|names| names.insert(tag.name)) {
            return Ok(());
        }
        let offset = self.children.reader.offset_of(tag);
        Err(Error::repeated_in_map(tag.name).at(offset))
    }
}

impl<'de> MapAccess<'de> for Entries<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(tag) = self.children.advance()? else {
            return Ok(None);
        };
        self.children.reader.note_nested(&tag);
        if self.glimpsed.may_repeat(tag.name) || self.names.is_some() {
            self.check(&tag)?;
        }
        self.children.name(&tag, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.children.next_value_seed(seed)
    }
}

/// The members of a list that repeats its element: `first` and the siblings with the same name.
pub(super) struct Namesakes<'a, 'b, 'de> {
    name: &'de str,
    first: Option<Tag<'de>>,
    children: &'a mut Children<'b, 'de>,
}

impl<'a, 'b, 'de> Namesakes<'a, 'b, 'de> {
    pub(super) fn from(first: Tag<'de>, children: &'a mut Children<'b, 'de>) -> Self {
        Self {
            name: first.name,
            first: Some(first),
            children,
        }
    }
}

impl<'de> SeqAccess<'de> for Namesakes<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let mut next = self.first.take();
        if next.is_none() {
            next = self.children.next_named(self.name)?;
            if let Some(tag) = &next {
                // Typed text may have made what stands between two members, or the second member of its own field.
                let may_be_typed = self.children.indexed.is_some() || is_typed(tag.name);
                if may_be_typed && self.children.parent.is_root() {
                    self.children.reader.doubt_it();
                }
                self.children.reader.note_nested(tag);
            }
        }
        let Some(tag) = next else {
            return Ok(None);
        };
        let member = Element {
            place: Member(&mut *self.children.reader),
            tag,
        };
        seed.deserialize(member)
            .map(Some)
            .map_err(|error| error.at(self.children.reader.offset_of(&tag)))
    }
}

/// The members of a list inside one element: all its children.
pub(super) struct Items<'a, 'b, 'de>(pub(super) &'a mut Children<'b, 'de>);

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(tag) = self.0.next()? else {
            return Ok(None);
        };
        self.0.note(&tag);
        self.0.reader.note_nested(&tag);
        let item = Element {
            place: &mut *self.0.reader,
            tag,
        };
        seed.deserialize(item)
            .map(Some)
            .map_err(|error| self.0.reader.inside(&tag, error))
    }
}

/// An enum's variant that holds a value: the one child, which has the variant's name.
///
/// Unlike a field, a list in it is the child's own children.
pub(super) struct Variant<'a, 'b, 'de>(pub(super) &'a mut Children<'b, 'de>);

impl<'de> MapAccess<'de> for Variant<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(tag) = self.0.current.take() else {
            return Err(Error::value_before_name());
        };
        self.0.reader.note_nested(&tag);
        seed.deserialize(Element {
            place: &mut *self.0.reader,
            tag,
        })
        .map_err(|error| self.0.reader.inside(&tag, error))
    }
}
