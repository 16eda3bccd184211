//! Reading a [`Message`]: which type it is stands among its own fields.

use std::{array, borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{Message, OtherMessage, TextMessage, VoiceMessage, tag::Tagged};
use crate::xml::Value;

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message's fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut head = Head::default();
        while let Some(Name(name)) = map.next_key()? {
            match common(&name) {
                Some(MSG_TYPE) => {
                    let msg_type: Leaf<'de> = map.next_value()?;
                    let read = reader(&msg_type);
                    head.push(MSG_TYPE, msg_type)?;
                    return match read {
                        Some(Known::Text) => Resumed::read(head, map).map(Message::Text),
                        Some(Known::Voice) => Resumed::read(head, map).map(Message::Voice),
                        None => other(head.into_elements(), map).map(Message::Other),
                    };
                }
                Some(name) => head.push(name, map.next_value()?)?,
                None => {
                    let mut elements = head.into_elements();
                    elements.push((name.into_owned(), map.next_value()?));
                    return out_of_order(elements, map);
                }
            }
        }
        other(head.into_elements(), map).map(Message::Other)
    }
}

/// The types that have a variant of their own.
enum Known {
    Text,
    Voice,
}

fn reader(msg_type: &Leaf<'_>) -> Option<Known> {
    let Leaf::Text(name) = msg_type else {
        return None;
    };
    if TextMessage::is_named(name) {
        Some(Known::Text)
    } else if VoiceMessage::is_named(name) {
        Some(Known::Voice)
    } else {
        None
    }
}

/// Reads a message whose MsgType stands behind other fields than WeChat puts before it: all of it
/// first, then its type.
#[cold]
fn out_of_order<'de, A: MapAccess<'de>>(
    elements: Vec<(String, Value)>,
    map: A,
) -> Result<Message, A::Error> {
    let other = other(elements, map)?;
    let msg_type = other.msg_type().unwrap_or_default();
    let known = reader(&Leaf::Text(Cow::Borrowed(msg_type)));
    match known {
        Some(Known::Text) => other.deserialize().map(Message::Text),
        Some(Known::Voice) => other.deserialize().map(Message::Voice),
        None => return Ok(Message::Other(other)),
    }
    .map_err(de::Error::custom)
}

/// Reads all that is left, each field as it is.
fn other<'de, A: MapAccess<'de>>(
    mut elements: Vec<(String, Value)>,
    mut map: A,
) -> Result<OtherMessage, A::Error> {
    while let Some(element) = map.next_entry()? {
        elements.push(element);
    }
    for &name in IDENTITY {
        if elements.iter().filter(|(found, _)| found == name).count() > 1 {
            return Err(de::Error::duplicate_field(name));
        }
    }
    Ok(OtherMessage::new(Value::Elements(elements)))
}

/// The fields that stand before the MsgType, and it.
#[derive(Default)]
struct Head<'de> {
    fields: [Option<(&'static str, Leaf<'de>)>; COMMON.len()],
}

impl<'de> Head<'de> {
    fn push<E: de::Error>(&mut self, name: &'static str, value: Leaf<'de>) -> Result<(), E> {
        // There is room for each once: only a repeated one finds none.
        let Some(free) = self.fields.iter_mut().find(|field| field.is_none()) else {
            return Err(E::duplicate_field(name));
        };
        *free = Some((name, value));
        Ok(())
    }

    fn into_elements(self) -> Vec<(String, Value)> {
        let fields = self.fields.into_iter().flatten();
        fields
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }
}

/// The fields of a map of which some have been read: those again, then the rest.
struct Resumed<'de, A> {
    head: array::IntoIter<Option<(&'static str, Leaf<'de>)>, { COMMON.len() }>,
    value: Option<Leaf<'de>>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> Resumed<'de, A> {
    fn read<T: Deserialize<'de>>(head: Head<'de>, rest: A) -> Result<T, A::Error> {
        let head = head.fields.into_iter();
        T::deserialize(MapAccessDeserializer::new(Self {
            head,
            value: None,
            rest,
        }))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Resumed<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some((name, value)) = self.head.next().flatten() else {
            return self.rest.next_key_seed(seed);
        };
        self.value = Some(value);
        let name: StrDeserializer<'_, A::Error> = name.into_deserializer();
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

/// A field's name, borrowed where the format can lend it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of a field that has no fields of its own.
enum Leaf<'de> {
    Empty,
    Text(Cow<'de, str>),
    Number(u64),
}

impl From<Leaf<'_>> for Value {
    fn from(leaf: Leaf<'_>) -> Self {
        match leaf {
            Leaf::Empty => Self::Empty,
            Leaf::Text(text) => Self::Text(text.into_owned()),
            Leaf::Number(number) => Self::Text(number.to_string()),
        }
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
        inner.deserialize_any(self)
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

    fn visit_u64<E>(self, number: u64) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Text(Cow::Owned(number.to_string())))
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

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            // An id of digits alone.
            Leaf::Number(number) => visitor.visit_string(number.to_string()),
            Leaf::Empty | Leaf::Text(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            Leaf::Empty => visitor.visit_none(),
            Leaf::Text(_) | Leaf::Number(_) => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Which of the fields that WeChat puts up to the MsgType is called `name`.
fn common(name: &str) -> Option<&'static str> {
    COMMON.iter().find(|common| **common == name).copied()
}

const MSG_TYPE: &str = "MsgType";

const COMMON: [&str; 4] = ["ToUserName", "FromUserName", "CreateTime", MSG_TYPE];

/// What may not be repeated, even where nothing else is known: it says who sent what.
const IDENTITY: &[&str] = &[
    "ToUserName",
    "FromUserName",
    "CreateTime",
    MSG_TYPE,
    "Event",
    "MsgId",
    "InfoType",
];
