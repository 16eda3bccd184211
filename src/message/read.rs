//! Reading a [`Message`]: its type stands among its other fields, as MsgType.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    Message,
    event::{self, EventMessage, Unknown},
    field::{MsgType, Named as _, Text},
    json::Tree,
    other::OtherMessage,
    standard::{
        FileMessage, ImageMessage, LinkMessage, LocationMessage, MiniProgramPageMessage,
        ShortVideoMessage, TextMessage, VideoMessage, VoiceMessage,
    },
};
use crate::xml::lookahead::{self, Lookahead};

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
            let _ =
                map.next_value_seed(Lookahead::<MsgType<EventMessage>>::new(lookahead::MSG_TYPE))?;
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
