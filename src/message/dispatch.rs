//! Reading a [`Message`]: which type it is stands among its own fields.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    EventMessage, FileMessage, ImageMessage, LinkMessage, LocationMessage, Message,
    MiniProgramPageMessage, OtherMessage, ShortVideoMessage, TextMessage, VideoMessage,
    VoiceMessage,
    common::Text,
    event::{self, Unknown},
    tag::{Tag, Tagged},
    tree::Tree,
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
            // Another type's name is an error here, where its place is known.
            let _ =
                map.next_value_seed(Lookahead::<Tag<EventMessage>>::new(lookahead::MSG_TYPE))?;
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

/// The types that have a variant of their own.
macro_rules! known {
    ($($variant:ident($type:ident)),*) => {
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

        /// Reads a message whose type is known, or known to be none of ours.
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
    /// Reads each field as it is.
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

/// What may not be repeated, even where nothing else is known: it says who sent what.
const IDENTITY: &[&str] = &[
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "MsgId",
    "InfoType",
];
