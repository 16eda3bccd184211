//! Reads a type from a [`Value`], with the same rules as from a document.

use std::marker::PhantomData;

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer},
    },
};

use super::Value;
use crate::xml::{
    alike::{deserialize_alike, deserialize_numbers},
    error::{Error, ErrorKind, Result},
    lookahead,
    name_index::NameIndex,
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

    fn is_wrapper(&self) -> bool {
        let elements = self.elements();
        !elements.is_empty() && elements.iter().all(|(name, _)| name == "item")
    }

    fn children(&self) -> Result<&[(String, Value)]> {
        match self {
            Self::Text(text) if !text.is_empty() => {
                Err(Error::expected(ErrorKind::Type, "elements", "text"))
            }
            _ => Ok(self.elements()),
        }
    }
}

/// Forwards the named methods, with their arguments before the visitor.
macro_rules! forward {
    ($self:ident => $to:expr; $($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>($self, $($argument: $type,)* visitor: V) -> Result<V::Value> {
            $to.$method($($argument,)* visitor)
        }
    )*};
}

/// Forwards all methods that are not [alike](deserialize_alike).
macro_rules! forward_all {
    ($self:ident => $to:expr) => {
        deserialize_alike!();

        forward! {
            $self => $to;
            deserialize_any() deserialize_bool() deserialize_char() deserialize_str()
            deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
            deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
            deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_option()
            deserialize_unit() deserialize_newtype_struct(name: &'static str) deserialize_seq()
            deserialize_map()
            deserialize_struct(name: &'static str, fields: &'static [&'static str])
            deserialize_enum(name: &'static str, variants: &'static [&'static str])
        }
    };
}

/// Lends its texts to the type that is read.
impl<'de> Deserializer<'de> for &'de Value {
    type Error = Error;

    forward_all!(self => Element::<Lent>::from(self));
}

/// For types that own their texts. They are copied.
impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    forward_all!(self => Element::<Copied>::from(&self));
}

impl<'de> IntoDeserializer<'de, Error> for &'de Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl IntoDeserializer<'_, Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// How the texts of a value reach the type that is read.
trait Texts<'v, 'de> {
    type Deserializer: Deserializer<'de, Error = Error>;

    fn of(text: &'v str) -> Self::Deserializer;

    fn visit_bytes<V: Visitor<'de>>(bytes: &'v [u8], visitor: V) -> Result<V::Value>;
}

struct Lent;

impl<'de> Texts<'de, 'de> for Lent {
    type Deserializer = BorrowedStrDeserializer<'de, Error>;

    fn of(text: &'de str) -> Self::Deserializer {
        BorrowedStrDeserializer::new(text)
    }

    fn visit_bytes<V: Visitor<'de>>(bytes: &'de [u8], visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_bytes(bytes)
    }
}

struct Copied;

impl<'v, 'de> Texts<'v, 'de> for Copied {
    type Deserializer = StrDeserializer<'v, Error>;

    fn of(text: &'v str) -> Self::Deserializer {
        StrDeserializer::new(text)
    }

    fn visit_bytes<V: Visitor<'de>>(bytes: &'v [u8], visitor: V) -> Result<V::Value> {
        visitor.visit_bytes(bytes)
    }
}

/// A value at the root, in a list or in a variant.
struct Element<'v, T> {
    value: &'v Value,
    /// Whether the element is a member of a list that repeats it.
    is_member: bool,
    texts: PhantomData<T>,
}

impl<'v, T> From<&'v Value> for Element<'v, T> {
    fn from(value: &'v Value) -> Self {
        Self {
            value,
            is_member: false,
            texts: PhantomData,
        }
    }
}

impl<T> Element<'_, T> {
    fn number<N: Number>(&self) -> Result<N> {
        scalar::number(self.value.text()?)
    }
}

impl<'v, 'de, T: Texts<'v, 'de>> Deserializer<'de> for Element<'v, T> {
    type Error = Error;

    deserialize_alike!();
    deserialize_numbers!();

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Value::Elements(_) => self.deserialize_map(visitor),
            // A `Value` does not record whether a text was bare, so it stays a text.
            Value::Empty | Value::Text(_) => self.deserialize_str(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(scalar::boolean(self.value.text()?)?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_char(scalar::character(self.value.text()?)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        T::of(self.value.text()?).deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        T::visit_bytes(self.value.text()?.as_bytes(), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
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
        match (name, self.value) {
            // An empty list of JSON.
            (lookahead::VALUE, Value::Elements(elements)) if elements.is_empty() => {
                visitor.visit_seq(Items(Pairs::<T>::of(elements)))
            }
            (lookahead::ELEMENTS, _) | (lookahead::VALUE, Value::Elements(_)) => {
                visitor.visit_map(Fields::<T>::of(self.value.children()?, false))
            }
            (lookahead::VALUE, Value::Empty) => visitor.visit_none(),
            (lookahead::VALUE, Value::Text(_)) => self.deserialize_str(visitor),
            (lookahead::READINGS, value) => visitor.visit_map(Readings::<T> {
                value,
                texts: PhantomData,
            }),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Items(Pairs::<T>::of(self.value.children()?)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(Fields::<T>::of(self.value.children()?, true))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.is_member && !fields.contains(&"item") && self.value.is_wrapper() {
            return Err(Error::wrapper());
        }
        visitor.visit_map(Fields::<T>::of(self.value.children()?, false))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.value.elements() {
            [] => visitor.visit_enum(trim(self.value.text()?).into_deserializer()),
            variant @ [_] => {
                visitor.visit_enum(MapAccessDeserializer::new(Pairs::<T>::of(variant)))
            }
            _ => {
                let found = "several elements";
                Err(Error::expected(ErrorKind::Type, "one variant", found))
            }
        }
    }
}

/// Child elements as a map, none of them a list of namesakes.
struct Pairs<'v, T> {
    rest: &'v [(String, Value)],
    texts: PhantomData<T>,
}

impl<'v, T> Pairs<'v, T> {
    fn of(elements: &'v [(String, Value)]) -> Self {
        Self {
            rest: elements,
            texts: PhantomData,
        }
    }
}

/// The readings of one element. None has an offset.
struct Readings<'v, T> {
    value: &'v Value,
    texts: PhantomData<T>,
}

impl<'v, 'de, T: Texts<'v, 'de>> MapAccess<'de> for Readings<'v, T> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _seed: K) -> Result<Option<K::Value>> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(Element::<T>::from(self.value))
    }
}

impl<'v, 'de, T: Texts<'v, 'de>> MapAccess<'de> for Pairs<'v, T> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let name = self.rest.first().map(|(name, _)| name);
        name.map(|name| seed.deserialize(T::of(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(((name, value), rest)) = self.rest.split_first() else {
            return Err(Error::value_before_name());
        };
        self.rest = rest;
        seed.deserialize(Element::<T>::from(value))
            .map_err(|error| error.inside(name))
    }
}

/// The members of a list inside one element: all its children.
struct Items<'v, T>(Pairs<'v, T>);

impl<'v, 'de, T: Texts<'v, 'de>> SeqAccess<'de> for Items<'v, T> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let more = !self.0.rest.is_empty();
        more.then(|| self.0.next_value_seed(seed)).transpose()
    }
}

/// Child elements as the fields of a map: a list is a field and its namesakes.
struct Fields<'v, T> {
    elements: &'v [(String, Value)],
    texts: PhantomData<T>,
    names: NameIndex<'v>,
    /// Whether they are read into a map, which would keep the last of two fields with the same name.
    is_map: bool,
    /// The field whose name has been handed out, but not its value.
    current: Option<usize>,
    /// A field that comes again: a lookahead was read in its place.
    again: Option<usize>,
    /// Whether an error is about another field than the current one, and has that field's path.
    error_has_path: bool,
}

impl<'v, T> Fields<'v, T> {
    fn of(elements: &'v [(String, Value)], is_map: bool) -> Self {
        let mut names = NameIndex::default();
        for (name, _) in elements {
            names.push(name);
        }
        Self {
            elements,
            texts: PhantomData,
            names,
            is_map,
            current: None,
            again: None,
            error_has_path: false,
        }
    }

    fn value_at(&self, position: usize) -> Option<&'v Value> {
        self.elements.get(position).map(|(_, value)| value)
    }
}

impl<'v, 'de, T: Texts<'v, 'de>> MapAccess<'de> for Fields<'v, T> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let elements = self.elements;
        let name = |position: usize| elements.get(position).map(|(name, _)| name.as_str());
        let next = || self.names.take_next(name);
        self.current = self.again.take().or_else(next);
        let name = self.current.and_then(name);
        let is_repeated = |position| self.names.is_repeated(position);
        if self.is_map
            && self.current.is_some_and(is_repeated)
            && let Some(name) = name
        {
            return Err(Error::repeated_in_map(name));
        }
        name.map(|name| seed.deserialize(T::of(name))).transpose()
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
struct Field<'a, 'v, T> {
    position: usize,
    name: &'v str,
    value: &'v Value,
    siblings: &'a mut Fields<'v, T>,
}

impl<'v, T> Field<'_, 'v, T> {
    /// Reads the first sibling called `name` from this one on. This field comes again.
    fn look_ahead<'de, V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value>
    where
        T: Texts<'v, 'de>,
    {
        self.siblings.again = Some(self.position);
        let rest = self.siblings.elements.get(self.position..);
        let mut rest = rest.unwrap_or_default().iter();
        let Some((name, value)) = rest.find(|(found, _)| found == name) else {
            return visitor.visit_none();
        };
        let element = Element::<T>::from(value);
        visitor.visit_some(element).map_err(|error| {
            self.siblings.error_has_path = true;
            error.inside(name)
        })
    }
}

impl<'v, 'de, T: Texts<'v, 'de>> Deserializer<'de> for Field<'_, 'v, T> {
    type Error = Error;

    deserialize_alike!();

    forward! {
        self => Element::<T>::from(self.value);
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
            // A list may begin with an empty member.
            Value::Empty if !self.siblings.names.holds(self.name) => visitor.visit_none(),
            _ => visitor.visit_some(self),
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
            return Element::<T>::from(self.value).deserialize_newtype_struct(name, visitor);
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
struct Namesakes<'a, 'v, T> {
    name: &'v str,
    first: Option<&'v Value>,
    siblings: &'a mut Fields<'v, T>,
}

impl<'v, 'de, T: Texts<'v, 'de>> SeqAccess<'de> for Namesakes<'_, 'v, T> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let next = self.first.take().or_else(|| {
            let position = self.siblings.names.take_named(self.name)?;
            self.siblings.value_at(position)
        });
        next.map(|value| {
            seed.deserialize(Element::<T> {
                is_member: true,
                ..value.into()
            })
        })
        .transpose()
    }
}
