//! The fields that WeChat puts before all others, kept until the type is known.

use std::{array, borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use crate::xml::Value;

/// A field of every push: who sent what to whom, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Common {
    ToUserName,
    FromUserName,
    CreateTime,
    MsgType,
    Event,
}

impl Common {
    pub(super) const ALL: [Self; 5] = [
        Self::ToUserName,
        Self::FromUserName,
        Self::CreateTime,
        Self::MsgType,
        Self::Event,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|common| common.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ToUserName => "ToUserName",
            Self::FromUserName => "FromUserName",
            Self::CreateTime => "CreateTime",
            Self::MsgType => "MsgType",
            Self::Event => "Event",
        }
    }
}

/// The common fields that have been read, in the body's order.
#[derive(Default)]
pub(super) struct Head<'de> {
    fields: [Option<(Common, Leaf<'de>)>; Common::ALL.len()],
}

impl<'de> Head<'de> {
    /// Reads the value of `field`, whose name has been read from `map`.
    pub(super) fn read<A: MapAccess<'de>>(
        &mut self,
        field: Common,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let value = match field {
            // Whatever the type, so that the error can say where it stands.
            Common::CreateTime => Leaf::Number(map.next_value()?),
            _ => map.next_value()?,
        };
        self.push(field, value)
    }

    pub(super) fn push<E: de::Error>(&mut self, field: Common, value: Leaf<'de>) -> Result<(), E> {
        for slot in &mut self.fields {
            match slot {
                Some((known, _)) if *known == field => break,
                Some(_) => {}
                None => {
                    *slot = Some((field, value));
                    return Ok(());
                }
            }
        }
        Err(E::duplicate_field(field.name()))
    }

    pub(super) fn get(&self, field: Common) -> Option<&Leaf<'de>> {
        let mut fields = self.fields.iter().flatten();
        fields
            .find(|(known, _)| *known == field)
            .map(|(_, value)| value)
    }

    /// Takes the value of `field` out, which ends the order.
    pub(super) fn take(&mut self, field: Common) -> Option<Leaf<'de>> {
        let mut fields = self.fields.iter_mut();
        fields
            .find(|slot| matches!(slot, Some((known, _)) if *known == field))
            .and_then(Option::take)
            .map(|(_, value)| value)
    }

    pub(super) fn into_elements(self) -> Vec<(String, Value)> {
        let fields = self.fields.into_iter().flatten();
        fields
            .map(|(field, value)| (field.name().to_owned(), value.into()))
            .collect()
    }

    /// Reads a type that has the common fields among its own: those again, then the rest.
    pub(super) fn resume<T: Deserialize<'de>, A: MapAccess<'de>>(
        self,
        rest: A,
    ) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Resumed {
            head: self.fields.into_iter(),
            value: None,
            rest,
        }))
    }

    /// Reads a type that has none of the common fields, which are kept here.
    pub(super) fn beside<T: Deserialize<'de>, A: MapAccess<'de>>(
        &mut self,
        rest: A,
    ) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Beside { head: self, rest }))
    }
}

struct Resumed<'de, A> {
    head: array::IntoIter<Option<(Common, Leaf<'de>)>, { Common::ALL.len() }>,
    value: Option<Leaf<'de>>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Resumed<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some((field, value)) = self.head.next().flatten() else {
            return self.rest.next_key_seed(seed);
        };
        self.value = Some(value);
        let name: StrDeserializer<'_, A::Error> = field.name().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(LeafDeserializer {
                value,
                error: PhantomData,
            }),
            None => self.rest.next_value_seed(seed),
        }
    }
}

struct Beside<'a, 'de, A> {
    head: &'a mut Head<'de>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Beside<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Name(name)) = self.rest.next_key()? {
            if let Some(field) = Common::named(&name) {
                self.head.read(field, &mut self.rest)?;
                continue;
            }
            return match name {
                Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
                Cow::Owned(name) => seed.deserialize(name.into_deserializer()),
            }
            .map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

/// A field's name, borrowed where the format can lend it.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The value of a field that has no fields of its own.
#[derive(Clone)]
pub(super) enum Leaf<'de> {
    Empty,
    Text(Cow<'de, str>),
    Number(u64),
}

impl Leaf<'_> {
    /// The text, if it is one that is not a number.
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Empty | Self::Number(_) => None,
        }
    }

    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Empty => None,
            Self::Text(text) => Some(text.into_owned()),
            Self::Number(number) => Some(number.to_string()),
        }
    }
}

impl From<Leaf<'_>> for Value {
    fn from(leaf: Leaf<'_>) -> Self {
        leaf.into_text().map_or(Self::Empty, Self::Text)
    }
}

impl<'de> Deserialize<'de> for Leaf<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(LeafVisitor)
    }
}

struct LeafVisitor;

impl<'de> Visitor<'de> for LeafVisitor {
    type Value = Leaf<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_none<E>(self) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Empty)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Leaf<'de>, D::Error> {
        inner.deserialize_str(self)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Text(Cow::Owned(text)))
    }
}

struct LeafDeserializer<'de, E> {
    value: Leaf<'de>,
    error: PhantomData<E>,
}

impl<'de, E: de::Error> Deserializer<'de> for LeafDeserializer<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            Leaf::Empty => visitor.visit_borrowed_str(""),
            Leaf::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Leaf::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Leaf::Number(number) => visitor.visit_u64(number),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            Leaf::Empty => visitor.visit_none(),
            Leaf::Text(_) | Leaf::Number(_) => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
