//! An element, as whatever a visitor asks for.

use std::borrow::Cow;

use serde::de::{self, IntoDeserializer, Visitor};

use super::{
    children::Children,
    list::{Items, Repeated},
    variant::Variant,
};
use crate::xml::{
    error::{Error, ErrorKind, Result},
    read::{Content, Reader, Tag, Text, trim},
    scalar, sought, with,
};

/// Where an element stands, which decides what a list read from it is.
pub(super) trait Place<'de> {
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
        visitor.visit_seq(Repeated::from(tag, self))
    }

    fn seek<V: Visitor<'de>>(self, tag: Tag<'de>, name: &str, visitor: V) -> Result<V::Value> {
        let value = self.read_sought(tag, name, visitor);
        self.misplaced = value.is_err();
        value
    }
}

/// An element whose start tag has been read; its content and end tag have not.
pub(super) struct Element<'de, P> {
    pub(super) place: P,
    pub(super) tag: Tag<'de>,
}

impl<'de, P: Place<'de>> Element<'de, P> {
    fn text(&mut self) -> Result<Text<'de>> {
        self.place.reader().text(&self.tag)
    }

    fn content(&mut self) -> Result<Content> {
        self.place.reader().content(&self.tag)
    }

    pub(super) fn elements<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
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
            let name = trim(&text);
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
