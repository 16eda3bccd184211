//! Reading a type from a [`Value`], with the same rules as from a document.

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
        Visitor, value::BorrowedStrDeserializer,
    },
};

use super::Value;
use crate::xml::{
    error::{Error, ErrorKind, Result},
    scalar,
    siblings::Siblings,
    sought,
};

impl Value {
    fn text(&self) -> Result<&str> {
        match self {
            Self::Empty => Ok(""),
            Self::Text(text) => Ok(text),
            Self::Elements(_) => Err(Error::expected(ErrorKind::Type, "text", "elements")),
        }
    }

    fn children(&self) -> Result<&[(String, Value)]> {
        match self {
            Self::Text(_) => Err(Error::expected(ErrorKind::Type, "elements", "text")),
            Self::Empty | Self::Elements(_) => Ok(self.elements()),
        }
    }
}

macro_rules! deserialize_number {
    ($($method:ident => $visit:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(scalar::number(self.text()?)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = Error;

    deserialize_number! {
        deserialize_i8 => visit_i8, deserialize_i16 => visit_i16, deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64, deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8, deserialize_u16 => visit_u16, deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64, deserialize_u128 => visit_u128,
        deserialize_f32 => visit_f32, deserialize_f64 => visit_f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Value::Elements(_) => self.deserialize_map(visitor),
            // Whether a text was bare is not kept, so it stays a text.
            Value::Empty | Value::Text(_) => visitor.visit_borrowed_str(self.text()?),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(scalar::boolean(self.text()?)?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_char(scalar::character(self.text()?)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_bytes(self.text()?.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Value::Empty => visitor.visit_none(),
            Value::Text(_) | Value::Elements(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == sought::ELEMENTS {
            return self.deserialize_map(visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Items(self.children()?.iter()))
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
        visitor.visit_map(Children::of(self.children()?))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.elements() {
            [] => {
                let name = crate::xml::read::trim(self.text()?);
                visitor.visit_enum(name.into_deserializer())
            }
            [(name, content)] => visitor.visit_enum(Variant { name, content }),
            _ => Err(Error::expected(
                ErrorKind::Type,
                "one variant",
                "several elements",
            )),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }
}

impl<'de> IntoDeserializer<'de, Error> for &'de Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Children<'de> {
    elements: &'de [(String, Value)],
    siblings: Siblings<'de>,
    current: Option<usize>,
    /// The child that was read in the place of the current one, for an error's path.
    sought: Option<&'de str>,
}

impl<'de> Children<'de> {
    fn of(elements: &'de [(String, Value)]) -> Self {
        let mut siblings = Siblings::default();
        for (name, _) in elements {
            siblings.push(name);
        }
        Self {
            elements,
            siblings,
            current: None,
            sought: None,
        }
    }

    fn at(&self, position: Option<usize>) -> Option<(&'de str, &'de Value)> {
        let (name, value) = self.elements.get(position?)?;
        Some((name, value))
    }
}

impl<'de> MapAccess<'de> for Children<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let elements = self.elements;
        let name = |position: usize| elements.get(position).map(|(name, _)| name.as_str());
        self.current = self.siblings.next(name);
        let Some((name, _)) = self.at(self.current) else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let current = self.current.take();
        let Some((name, value)) = self.at(current) else {
            return Err(Error::new(
                ErrorKind::Custom,
                "a value was asked for before its name",
            ));
        };
        seed.deserialize(Field {
            name,
            value,
            children: self,
        })
        .map_err(|error| error.inside(self.sought.unwrap_or(name)))
    }
}

/// A value among its siblings: as a list, it and all its namesakes.
struct Field<'a, 'de> {
    name: &'de str,
    value: &'de Value,
    children: &'a mut Children<'de>,
}

impl<'de> Field<'_, 'de> {
    /// Reads the first sibling called `name` from this one on, without moving past this one.
    fn seek<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value> {
        self.children.siblings.put_back(self.name);
        let position = self.children.siblings.first_named(name);
        let Some((name, value)) = self.children.at(position) else {
            return visitor.visit_none();
        };
        let read = visitor.visit_some(value);
        if read.is_err() {
            self.children.sought = Some(name);
        }
        read
    }
}

/// Forwards the named methods to the value alone.
macro_rules! forward_to_value {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            self.value.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Field<'_, 'de> {
    type Error = Error;

    forward_to_value! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_unit() deserialize_unit_struct(name: &'static str) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Value::Empty => visitor.visit_none(),
            Value::Text(_) | Value::Elements(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == sought::ELEMENTS {
            return self.value.deserialize_map(visitor);
        }
        if let Some(name) = sought::name(name) {
            return self.seek(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Repeated {
            name: self.name,
            first: Some(self.value),
            children: self.children,
        })
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
}

struct Repeated<'a, 'de> {
    name: &'de str,
    first: Option<&'de Value>,
    children: &'a mut Children<'de>,
}

impl<'de> SeqAccess<'de> for Repeated<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let next = self.first.take().or_else(|| {
            let position = self.children.siblings.next_named(self.name);
            self.children.at(position).map(|(_, value)| value)
        });
        next.map(|value| seed.deserialize(value)).transpose()
    }
}

/// All children as a list, whatever their names.
struct Items<'de>(std::slice::Iter<'de, (String, Value)>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some((name, value)) = self.0.next() else {
            return Ok(None);
        };
        seed.deserialize(value)
            .map(Some)
            .map_err(|error| error.inside(name))
    }
}

struct Variant<'de> {
    name: &'de str,
    content: &'de Value,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<Error>::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.content)
            .map_err(|error| error.inside(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        let value = self.content.deserialize_tuple(length, visitor);
        value.map_err(|error| error.inside(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let value = self.content.deserialize_map(visitor);
        value.map_err(|error| error.inside(self.name))
    }
}
