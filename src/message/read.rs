//! Reading a [`Message`]: its type stands among its other fields, as MsgType.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    Message,
    event::{self, EventMessage, Unknown},
    json::Tree,
    other::OtherMessage,
    standard::{
        FileMessage, ImageMessage, LinkMessage, LocationMessage, MiniProgramPageMessage,
        ShortVideoMessage, TextMessage, VideoMessage, VoiceMessage,
    },
};
use crate::xml::{
    Value,
    lookahead::{self, Lookahead},
};

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::ELEMENTS, MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message's fields")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut msg_type = None;
        if let Some(IgnoredAny) = map.next_key()? {
            msg_type = map.next_value_seed(Lookahead::<Text<'de>>::new(lookahead::MSG_TYPE))?;
        }
        read(msg_type.and_then(|Text(name)| Known::named(&name)), map)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, other: D) -> Result<Message, D::Error> {
        let Tree(body) = Tree::deserialize(other)?;
        body.deserialize().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EventMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::ELEMENTS, EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = EventMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EventMessage, A::Error> {
        if let Some(IgnoredAny) = map.next_key()? {
            // Another MsgType is an error here, where its offset is known.
            let _ = map.next_value_seed(Lookahead::<MsgType<EventMessage>>::new(lookahead::MSG_TYPE))?;
        }
        match event::read(map)? {
            Ok(event) => Ok(event),
            Err(Unknown { missing, .. }) => Err(de::Error::missing_field(missing)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        other: D,
    ) -> Result<EventMessage, D::Error> {
        let Tree(body) = Tree::deserialize(other)?;
        body.deserialize().map_err(de::Error::custom)
    }
}

macro_rules! known {
    ($($variant:ident($type:ident)),*) => {
        /// The types that have a variant of their own.
        #[derive(Clone, Copy)]
        enum Known {
            $($variant,)*
            Event,
        }

        impl Known {
            fn named(msg_type: &str) -> Option<Self> {
                $(if $type::is_named(msg_type) {
                    return Some(Self::$variant);
                })*
                EventMessage::is_named(msg_type).then_some(Self::Event)
            }
        }

        /// Reads the fields of a message after its type has been looked up.
        #[inline]
        fn read<'de, A: MapAccess<'de>>(
            known: Option<Known>,
            map: A,
        ) -> Result<Message, A::Error> {
            match known {
                $(Some(Known::$variant) => {
                    $type::deserialize(MapAccessDeserializer::new(map)).map(Message::$variant)
                },)*
                Some(Known::Event) => Ok(match event::read(map)? {
                    Ok(event) => Message::Event(event),
                    Err(Unknown { fields, .. }) => Message::Other(fields),
                }),
                None => OtherMessage::read(map).map(Message::Other),
            }
        }
    };
}

known! {
    Text(TextMessage), Image(ImageMessage), Voice(VoiceMessage), Video(VideoMessage),
    ShortVideo(ShortVideoMessage), Location(LocationMessage), Link(LinkMessage),
    MiniProgramPage(MiniProgramPageMessage), File(FileMessage)
}

impl OtherMessage {
    /// Reads all fields as they are.
    pub(super) fn read<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = map.next_entry()? {
            elements.push(element);
        }
        for &name in IDENTITY {
            if elements.iter().filter(|(found, _)| found == name).count() > 1 {
                return Err(de::Error::duplicate_field(name));
            }
        }
        Ok(Self::new(Value::Elements(elements)))
    }
}

/// Fields that say who sent what. They may not be repeated, even in a push of an unknown type.
const IDENTITY: &[&str] = &[
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "MsgId",
    "InfoType",
];

/// A type of message with a MsgType of its own.
pub(super) trait Named {
    /// The MsgType.
    const NAME: &'static str;

    /// Whether `msg_type` names this type. Case does not matter.
    fn is_named(msg_type: &str) -> bool {
        Self::NAME.eq_ignore_ascii_case(msg_type)
    }
}

/// The MsgType of a `T`: written as its name, and an error if another name is read.
///
/// So a message of another type is never read as a `T`, even if it has all fields of one.
pub(super) struct MsgType<T>(PhantomData<fn() -> T>);

impl<T: Named> Serialize for MsgType<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::NAME.serialize(serializer)
    }
}

impl<'de, T: Named> Deserialize<'de> for MsgType<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(MsgTypeVisitor(PhantomData))
    }
}

struct MsgTypeVisitor<T>(PhantomData<T>);

impl<T: Named> Visitor<'_> for MsgTypeVisitor<T> {
    type Value = MsgType<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message's type")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<MsgType<T>, E> {
        if T::is_named(name) {
            return Ok(MsgType::default());
        }
        Err(E::unknown_variant(name, const { &[T::NAME] }))
    }
}

// By hand: derived impls would ask for the same traits of `T`.

impl<T> Default for MsgType<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for MsgType<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MsgType<T> {}

impl<T> PartialEq for MsgType<T> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl<T> Eq for MsgType<T> {}

impl<T: Named> fmt::Debug for MsgType<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAME)
    }
}

/// A text, borrowed from the input if the format can lend it.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Reads a FromUserName: an empty one is `None`.
pub(super) fn sender<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|name| name.and_then(non_empty))
}

/// WeChat leaves a name out or empty where it names nobody.
pub(super) fn non_empty(name: String) -> Option<String> {
    Some(name).filter(|name| !name.is_empty())
}
