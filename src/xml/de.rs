//! The deserializer over the scanner.

use std::borrow::Cow;

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor, value::BorrowedStrDeserializer,
};

use super::{
    error::{Error, ErrorKind, Result},
    near::{Leaf, Near},
    read::{Content, Reader, Tag, Text},
    scalar,
    siblings::Siblings,
    sought, with,
};

/// Reads one document.
///
/// [`from_str`](super::from_str) is the short way. A deserializer of one's own is for a
/// [`DeserializeSeed`] or for the crates that work on deserializers.
#[derive(Debug)]
pub struct Deserializer<'de> {
    pub(super) reader: Reader<'de>,
}

impl<'de> Deserializer<'de> {
    /// A deserializer of `input`, nothing of which has been read.
    #[expect(clippy::should_implement_trait, reason = "serde's formats name it so")]
    pub fn from_str(input: &'de str) -> Self {
        Self {
            reader: Reader::new(input),
        }
    }

    /// A deserializer of `input`, which is checked to be UTF-8 here, once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Utf8`] with the offset of the first byte that is not.
    pub fn from_slice(input: &'de [u8]) -> Result<Self> {
        match std::str::from_utf8(input) {
            Ok(input) => Ok(Self::from_str(input)),
            Err(error) => {
                let found = "other bytes";
                Err(Error::expected(ErrorKind::Utf8, "UTF-8", found).at(error.valid_up_to()))
            }
        }
    }

    /// Makes sure that the input ends here, after the root element.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Trailing`] if anything but white space, comments and processing instructions
    /// follows.
    pub fn end(&mut self) -> Result<()> {
        self.reader.end()
    }

    fn root<T>(
        &mut self,
        read: impl FnOnce(Element<'de, &mut Reader<'de>>) -> Result<T>,
    ) -> Result<T> {
        let tag = self.reader.root()?;
        let root = Element {
            place: &mut self.reader,
            tag,
        };
        read(root).map_err(|error| self.reader.inside(&tag, error))
    }
}

/// Forwards the named methods, with their arguments before the visitor, to the root element.
macro_rules! forward_to_root {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            self.root(|root| root.$method($($argument,)* visitor))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = Error;

    forward_to_root! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str) deserialize_seq()
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}

/// Where an element stands, which decides what a list read from it is.
trait Place<'de> {
    fn reader(&mut self) -> &mut Reader<'de>;

    /// Reads the element of `tag` as a list.
    fn list<V: Visitor<'de>>(self, tag: Tag<'de>, visitor: V) -> Result<V::Value>;

    /// Reads the first element called `name` from `tag` on, without moving past `tag`.
    fn seek<V: Visitor<'de>>(self, tag: Tag<'de>, name: &str, visitor: V) -> Result<V::Value>;
}

/// The root, a list's member or a variant's content: as a list, its children whatever their names.
impl<'de> Place<'de> for &mut Reader<'de> {
    fn reader(&mut self) -> &mut Reader<'de> {
        self
    }

    fn list<V: Visitor<'de>>(self, tag: Tag<'de>, visitor: V) -> Result<V::Value> {
        let mut children = Children::of(self, tag)?;
        let value = visitor.visit_seq(Items(&mut children))?;
        children.finish()?;
        Ok(value)
    }

    fn seek<V: Visitor<'de>>(self, tag: Tag<'de>, _name: &str, visitor: V) -> Result<V::Value> {
        self.skip(&tag)?;
        visitor.visit_none()
    }
}

/// A field: as a list, it and all its namesakes among its siblings.
impl<'de> Place<'de> for &mut Children<'_, 'de> {
    fn reader(&mut self) -> &mut Reader<'de> {
        self.reader
    }

    fn list<V: Visitor<'de>>(self, tag: Tag<'de>, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Repeated {
            name: tag.name,
            first: Some(tag),
            children: self,
        })
    }

    fn seek<V: Visitor<'de>>(self, tag: Tag<'de>, name: &str, visitor: V) -> Result<V::Value> {
        let value = self.read_sought(tag, name, visitor);
        self.misplaced = value.is_err();
        value
    }
}

/// An element whose start tag has been read; its content and end tag have not.
struct Element<'de, P> {
    place: P,
    tag: Tag<'de>,
}

impl<'de, P: Place<'de>> Element<'de, P> {
    fn text(&mut self) -> Result<Text<'de>> {
        self.place.reader().text(&self.tag)
    }

    fn content(&mut self) -> Result<Content> {
        self.place.reader().content(&self.tag)
    }

    fn elements<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        let mut children = Children::of(self.place.reader(), self.tag)?;
        let value = visitor.visit_map(&mut children)?;
        children.finish()?;
        Ok(value)
    }
}

macro_rules! deserialize_number {
    ($($method:ident => $visit:ident),*) => {$(
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
            if let Some(text) = self.place.reader().plain_text(&self.tag) {
                return visitor.$visit(scalar::number(text)?);
            }
            visitor.$visit(scalar::number(&self.text()?.into_str())?)
        }
    )*};
}

impl<'de, P: Place<'de>> de::Deserializer<'de> for Element<'de, P> {
    type Error = Error;

    deserialize_number! {
        deserialize_i8 => visit_i8, deserialize_i16 => visit_i16, deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64, deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8, deserialize_u16 => visit_u16, deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64, deserialize_u128 => visit_u128,
        deserialize_f32 => visit_f32, deserialize_f64 => visit_f64
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if self.content()? == Content::Elements {
            return self.elements(visitor);
        }
        match self.text()? {
            Text::Empty => visitor.visit_borrowed_str(""),
            Text::Bare(text) => scalar::visit_bare(text, visitor),
            Text::Section(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Text::Section(Cow::Owned(text)) => visitor.visit_string(text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(scalar::boolean(&self.text()?.into_str())?)
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        visitor.visit_char(scalar::character(&self.text()?.into_str())?)
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if let Some(text) = self.place.reader().plain_text(&self.tag) {
            return visitor.visit_borrowed_str(text);
        }
        match self.text()?.into_str() {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.text()?.into_str() {
            Cow::Borrowed(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            Cow::Owned(text) => visitor.visit_byte_buf(text.into_bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if self.content()? == Content::Empty {
            self.place.reader().skip(&self.tag)?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        self.place.reader().skip(&self.tag)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == with::AS_TEXT {
            return self.deserialize_str(visitor);
        }
        if name == sought::ELEMENTS {
            return self.elements(visitor);
        }
        if let Some(name) = sought::name(name) {
            return self.place.seek(self.tag, name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.place.list(self.tag, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.elements(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.elements(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.content()? != Content::Elements {
            let text = self.text()?.into_str();
            let name = super::read::trim(&text);
            return visitor.visit_enum(name.into_deserializer());
        }
        let mut children = Children::of(self.place.reader(), self.tag)?;
        let value = visitor.visit_enum(Variant(&mut children))?;
        match children.next()? {
            None => Ok(value),
            Some(extra) => Err(
                Error::expected(ErrorKind::Type, "one variant", "another element")
                    .at(children.reader.offset_of(&extra)),
            ),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }
}

/// The children of an element, one after the other.
struct Children<'a, 'de> {
    reader: &'a mut Reader<'de>,
    parent: Tag<'de>,
    /// The child whose name has been handed out, but not its value.
    current: Option<Tag<'de>>,
    /// Whether an error is not about the current child, and has its path.
    misplaced: bool,
    /// Whether the end tag has been read, perhaps while looking ahead; or `near` comes next.
    ended: bool,
    /// The next few children, once one of them has been sought.
    near: Option<Near<'de>>,
    /// All further children, once a list has had to look beyond other names.
    ahead: Option<Box<Ahead<'de>>>,
}

/// Children that have been skipped over while looking for a list's members.
#[derive(Default)]
struct Ahead<'de> {
    siblings: Siblings<'de>,
    /// Of each, the tag and the offset of its content.
    tags: Vec<(Tag<'de>, usize)>,
    /// The offset after the parent's end tag.
    end: usize,
}

impl<'a, 'de> Children<'a, 'de> {
    fn of(reader: &'a mut Reader<'de>, parent: Tag<'de>) -> Result<Self> {
        if reader.content(&parent)? == Content::Text {
            let error = Error::expected(ErrorKind::Type, "elements", "text");
            return Err(error.at(reader.offset()));
        }
        Ok(Self {
            reader,
            parent,
            current: None,
            misplaced: false,
            ended: parent.is_closed(),
            near: None,
            ahead: None,
        })
    }

    /// The next child that no list has taken.
    #[inline]
    fn next(&mut self) -> Result<Option<Tag<'de>>> {
        if !self.ended
            && let Some(tag) = self.reader.plain_child(&self.parent)
        {
            return Ok(Some(tag));
        }
        self.next_or_end()
    }

    #[inline(never)]
    fn next_or_end(&mut self) -> Result<Option<Tag<'de>>> {
        if let Some(near) = &mut self.near {
            if let Some(leaf) = near.next() {
                self.reader.go_to(leaf);
                return Ok(Some(leaf.tag));
            }
            self.near = None;
            self.ended = false;
        }
        if self.ahead.is_some() {
            return Ok(self.next_ahead());
        }
        if self.ended {
            return Ok(None);
        }
        let child = self.reader.child(&self.parent)?;
        self.ended = child.is_none();
        Ok(child)
    }

    fn next_ahead(&mut self) -> Option<Tag<'de>> {
        let ahead = self.ahead.as_mut()?;
        let tags = &ahead.tags;
        let name = |position: usize| tags.get(position).map(|(tag, _)| tag.name);
        let position = ahead.siblings.next(name);
        self.go_to(position)
    }

    /// The next child called `name`, wherever it stands.
    fn next_named(&mut self, name: &str) -> Result<Option<Tag<'de>>> {
        if self.ahead.is_none() {
            match self.next()? {
                Some(tag) if tag.name != name => self.look_ahead(tag)?,
                adjacent => return Ok(adjacent),
            }
        }
        let position = self
            .ahead
            .as_mut()
            .and_then(|ahead| ahead.siblings.next_named(name));
        Ok(self.go_to(position))
    }

    fn go_to(&mut self, position: Option<usize>) -> Option<Tag<'de>> {
        let ahead = self.ahead.as_ref()?;
        let found = position.and_then(|position| ahead.tags.get(position).copied());
        self.reader.meter.add(1);
        self.reader
            .seek(found.map_or(ahead.end, |(_, content)| content));
        found.map(|(tag, _)| tag)
    }

    /// Reads the first child called `name` from `tag` on; then `tag` comes up again.
    fn read_sought<V: Visitor<'de>>(
        &mut self,
        tag: Tag<'de>,
        name: &str,
        visitor: V,
    ) -> Result<V::Value> {
        let here = self.reader.offset();
        let found = if let Some(leaf) = self.find_near(tag, name)? {
            self.reader.go_to(leaf);
            leaf.tag
        } else {
            self.near = None;
            self.reader.seek(here);
            match self.put_back(tag, name)? {
                Some(found) => found,
                None => return visitor.visit_none(),
            }
        };
        let element = Element {
            place: &mut *self.reader,
            tag: found,
        };
        visitor
            .visit_some(element)
            .map_err(|error| self.reader.inside(&found, error))
    }

    /// The child called `name`, if it is `tag` or one of the next few: WeChat puts what a type asks for
    /// behind two or three others, and noting where all children stand costs more than that.
    #[inline]
    fn find_near(&mut self, tag: Tag<'de>, name: &str) -> Result<Option<Leaf<'de>>> {
        if self.ahead.is_some() {
            return Ok(None);
        }
        let near = match &mut self.near {
            Some(near) => {
                near.put_back();
                near
            }
            None => self.near.insert(Near::of(self.reader.leaf(tag)?)),
        };
        self.ended = true;
        if let Some(leaf) = near.find(name) {
            return Ok(Some(leaf));
        }
        self.reader.seek(near.end());
        while near.has_room()
            && let Some(tag) = self.reader.child(&self.parent)?
        {
            let leaf = self.reader.leaf(tag)?;
            near.push(leaf);
            if tag.name == name {
                return Ok(Some(leaf));
            }
        }
        Ok(None)
    }

    /// Goes to the first child called `name` from `tag` on; after it, `tag` comes up again.
    #[cold]
    fn put_back(&mut self, tag: Tag<'de>, name: &str) -> Result<Option<Tag<'de>>> {
        match &mut self.ahead {
            Some(ahead) => ahead.siblings.put_back(tag.name),
            None => self.look_ahead(tag)?,
        }
        let ahead = self.ahead.as_ref();
        let position = ahead.and_then(|ahead| ahead.siblings.first_named(name));
        Ok(self.go_to(position))
    }

    /// Skips over `tag` and all that follows it, noting where each stands.
    #[cold]
    fn look_ahead(&mut self, tag: Tag<'de>) -> Result<()> {
        let mut ahead = Box::<Ahead<'de>>::default();
        // The reader stands at the tag's content, and what is near follows.
        self.near = None;
        let mut next = Some(tag);
        while let Some(tag) = next {
            ahead.siblings.push(tag.name);
            ahead.tags.push((tag, self.reader.offset()));
            self.reader
                .skip(&tag)
                .map_err(|error| error.inside(tag.name))?;
            next = self.reader.child(&self.parent)?;
        }
        ahead.end = self.reader.offset();
        self.ahead = Some(ahead);
        self.ended = true;
        Ok(())
    }

    /// Reads what the visitor left over, so that the element's end has been read.
    fn finish(mut self) -> Result<()> {
        while let Some(tag) = self
            .current
            .take()
            .map_or_else(|| self.next(), |tag| Ok(Some(tag)))?
        {
            self.reader
                .skip(&tag)
                .map_err(|error| error.inside(tag.name))?;
        }
        Ok(())
    }
}

impl<'de> MapAccess<'de> for Children<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.current = self.next()?;
        let Some(tag) = self.current else {
            return Ok(None);
        };
        let name = BorrowedStrDeserializer::new(tag.name);
        seed.deserialize(name)
            .map(Some)
            .map_err(|error: Error| error.at(self.reader.offset_of(&tag)))
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(tag) = self.current.take() else {
            return Err(Error::new(
                ErrorKind::Custom,
                "a value was asked for before its name",
            ));
        };
        seed.deserialize(Element {
            place: &mut *self,
            tag,
        })
        .map_err(|error| {
            if self.misplaced {
                return error;
            }
            self.reader.inside(&tag, error)
        })
    }
}

/// The members of a list: `first` and its namesakes.
struct Repeated<'a, 'b, 'de> {
    name: &'de str,
    first: Option<Tag<'de>>,
    children: &'a mut Children<'b, 'de>,
}

impl<'de> SeqAccess<'de> for Repeated<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.children.next_named(self.name)?,
        };
        let Some(tag) = next else {
            return Ok(None);
        };
        let member = Element {
            place: &mut *self.children.reader,
            tag,
        };
        seed.deserialize(member)
            .map(Some)
            .map_err(|error| error.at(self.children.reader.offset_of(&tag)))
    }
}

/// The children of an element as a list.
struct Items<'a, 'b, 'de>(&'a mut Children<'b, 'de>);

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(tag) = self.0.next()? else {
            return Ok(None);
        };
        let item = Element {
            place: &mut *self.0.reader,
            tag,
        };
        seed.deserialize(item)
            .map(Some)
            .map_err(|error| self.0.reader.inside(&tag, error))
    }
}

/// An enum's value that is more than a name: the one child is called as the variant.
struct Variant<'a, 'b, 'de>(&'a mut Children<'b, 'de>);

impl<'a, 'de> EnumAccess<'de> for Variant<'a, '_, 'de> {
    type Error = Error;
    type Variant = Element<'de, &'a mut Reader<'de>>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant)> {
        let Some(tag) = self.0.next()? else {
            return Err(Error::expected(
                ErrorKind::Type,
                "a variant",
                "an empty element",
            ));
        };
        let name = BorrowedStrDeserializer::new(tag.name);
        let variant = seed
            .deserialize(name)
            .map_err(|error: Error| error.at(self.0.reader.offset_of(&tag)))?;
        Ok((
            variant,
            Element {
                place: &mut *self.0.reader,
                tag,
            },
        ))
    }
}

impl<'de> VariantAccess<'de> for Element<'de, &mut Reader<'de>> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        self.place.skip(&self.tag)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let Element { place, tag } = self;
        seed.deserialize(Element {
            place: &mut *place,
            tag,
        })
        .map_err(|error| place.inside(&tag, error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        let Element { place, tag } = self;
        let content = Element {
            place: &mut *place,
            tag,
        };
        de::Deserializer::deserialize_tuple(content, length, visitor)
            .map_err(|error| place.inside(&tag, error))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let Element { place, tag } = self;
        Element {
            place: &mut *place,
            tag,
        }
        .elements(visitor)
        .map_err(|error| place.inside(&tag, error))
    }
}
