//! Reads a type from a [`Value`], with the same rules as from a document.

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer},
    },
};

use super::Value;
use crate::xml::{
    alike::{deserialize_alike, deserialize_numbers},
    error::{Error, ErrorKind, Result},
    lookahead,
    name_index::{NameIndex, Seen},
    read::trim,
    scalar::{self, Number},
};

impl Value {
    fn text(&self) -> Result<&str> {
        match self {
            Self::Empty => Ok(""),
            Self::Text(text) => Ok(text),
            Self::Elements(elements) if elements.is_empty() => Ok(""),
            Self::Elements(_) => Err(Error::expected(ErrorKind::Type, "text", "elements")),
        }
    }

    fn number<T: Number>(&self) -> Result<T> {
        scalar::number(self.text()?)
    }

    fn children(&self) -> Result<&[(String, Value)]> {
        match self {
            Self::Text(_) => Err(Error::expected(ErrorKind::Type, "elements", "text")),
            Self::Empty | Self::Elements(_) => Ok(self.elements()),
        }
    }
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = Error;

    deserialize_alike!();
    deserialize_numbers!();

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Value::Elements(_) => self.deserialize_map(visitor),
            // A `Value` does not record whether a text was bare, so it stays a text.
            Value::Empty | Value::Text(_) => self.deserialize_str(visitor),
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

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_bytes(self.text()?.as_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Value::Empty => visitor.visit_none(),
            Value::Text(_) | Value::Elements(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        match (name, self) {
            (lookahead::ELEMENTS, _) | (lookahead::VALUE, Value::Elements(_)) => {
                visitor.visit_map(Fields::of(self.children()?, None))
            }
            (lookahead::VALUE, Value::Empty) => visitor.visit_none(),
            (lookahead::VALUE, Value::Text(text)) => visitor.visit_borrowed_str(text),
            (lookahead::READINGS, _) => visitor.visit_map(Readings(self)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Items(Pairs(self.children()?)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(Fields::of(self.children()?, Some(Seen::new())))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_map(Fields::of(self.children()?, None))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.elements() {
            [] => visitor.visit_enum(trim(self.text()?).into_deserializer()),
            variant @ [_] => visitor.visit_enum(MapAccessDeserializer::new(Pairs(variant))),
            _ => {
                let found = "several elements";
                Err(Error::expected(ErrorKind::Type, "one variant", found))
            }
        }
    }
}

impl<'de> IntoDeserializer<'de, Error> for &'de Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The readings of one element. None has an offset.
struct Readings<'de>(&'de Value);

impl<'de> MapAccess<'de> for Readings<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _seed: K) -> Result<Option<K::Value>> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(self.0)
    }
}

/// Child elements as a map, none of them a list of namesakes.
struct Pairs<'de>(&'de [(String, Value)]);

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let name = self.0.first().map(|(name, _)| name);
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(((name, value), rest)) = self.0.split_first() else {
            return Err(Error::value_before_name());
        };
        self.0 = rest;
        seed.deserialize(value).map_err(|error| error.inside(name))
    }
}

/// The members of a list inside one element: all its children.
struct Items<'de>(Pairs<'de>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let more = !self.0.0.is_empty();
        more.then(|| self.0.next_value_seed(seed)).transpose()
    }
}

/// Child elements as the fields of a map: a list is a field and its namesakes.
struct Fields<'de> {
    elements: &'de [(String, Value)],
    names: NameIndex<'de>,
    /// The names that have been handed out, if none may repeat.
    seen: Option<Seen<'de>>,
    /// The field whose name has been handed out, but not its value.
    current: Option<usize>,
    /// A field that comes again: a lookahead was read in its place.
    again: Option<usize>,
    /// Whether an error is about another field than the current one, and has that field's path.
    error_has_path: bool,
}

impl<'de> Fields<'de> {
    fn of(elements: &'de [(String, Value)], seen: Option<Seen<'de>>) -> Self {
        let mut names = NameIndex::default();
        for (name, _) in elements {
            names.push(name);
        }
        Self {
            elements,
            names,
            seen,
            current: None,
            again: None,
            error_has_path: false,
        }
    }

    fn value_at(&self, position: usize) -> Option<&'de Value> {
        self.elements.get(position).map(|(_, value)| value)
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let elements = self.elements;
        let name = |position: usize| elements.get(position).map(|(name, _)| name.as_str());
        let next = || self.names.take_next(name);
        self.current = self.again.take().or_else(next);
        let name = self.current.and_then(name);
        if let (Some(name), Some(seen)) = (name, &mut self.seen)
            && !seen.insert(name)
        {
            return Err(Error::repeated_in_map(name));
        }
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let current = self.current.take().and_then(|position| {
            let (name, value) = self.elements.get(position)?;
            Some((position, name, value))
        });
        let Some((position, name, value)) = current else {
            return Err(Error::value_before_name());
        };
        let field = Field {
            position,
            name,
            value,
            siblings: self,
        };
        seed.deserialize(field).map_err(|error| {
            if self.error_has_path {
                return error;
            }
            error.inside(name)
        })
    }
}

/// A value among its siblings.
struct Field<'a, 'de> {
    position: usize,
    name: &'de str,
    value: &'de Value,
    siblings: &'a mut Fields<'de>,
}

impl<'de> Field<'_, 'de> {
    /// Reads the first sibling called `name` from this one on. This field comes again.
    fn look_ahead<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value> {
        self.siblings.again = Some(self.position);
        let rest = self.siblings.elements.get(self.position..);
        let mut rest = rest.unwrap_or_default().iter();
        let Some((name, value)) = rest.find(|(found, _)| found == name) else {
            return visitor.visit_none();
        };
        visitor.visit_some(value).map_err(|error| {
            self.siblings.error_has_path = true;
            error.inside(name)
        })
    }
}

/// Forwards the named methods, with their arguments before the visitor, to the value alone.
macro_rules! forward_to_value {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            self.value.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Field<'_, 'de> {
    type Error = Error;

    deserialize_alike!();

    forward_to_value! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_unit()
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
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
        if let Some(name) = lookahead::requested_field(name) {
            return self.look_ahead(name, visitor);
        }
        if [lookahead::ELEMENTS, lookahead::VALUE, lookahead::READINGS].contains(&name) {
            return self.value.deserialize_newtype_struct(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        // No document has an element that is elements without any. In JSON, this is an empty list.
        let is_empty = matches!(self.value, Value::Elements(elements) if elements.is_empty());
        visitor.visit_seq(Namesakes {
            name: self.name,
            first: Some(self.value).filter(|_| !is_empty),
            siblings: self.siblings,
        })
    }
}

/// The members of a list that repeats its element: `first` and the siblings with the same name.
struct Namesakes<'a, 'de> {
    name: &'de str,
    first: Option<&'de Value>,
    siblings: &'a mut Fields<'de>,
}

impl<'de> SeqAccess<'de> for Namesakes<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let next = self.first.take().or_else(|| {
            let position = self.siblings.names.take_named(self.name)?;
            self.siblings.value_at(position)
        });
        next.map(|value| seed.deserialize(value)).transpose()
    }
}
