//! Reading a [`Message`]: which type it is stands among its own fields.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use super::{
    EventMessage, FileMessage, ImageMessage, LinkMessage, LocationMessage, Message,
    MiniProgramPageMessage, OtherMessage, ShortVideoMessage, TextMessage, VideoMessage,
    VoiceMessage,
    event::{self, Unknown},
    head::{Common, Head, Leaf, Name},
    tag::{Tag, Tagged},
    tree::Tree,
};
use crate::xml::{
    Value,
    sought::{self, Sought},
};

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(sought::ELEMENTS, MessageVisitor)
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
            match Common::named(&name) {
                Some(Common::MsgType) => {
                    let msg_type: Leaf<'de> = map.next_value()?;
                    let known = Known::named(msg_type.as_str());
                    head.push(Common::MsgType, msg_type)?;
                    return read(known, head, map);
                }
                Some(common) => head.read(common, &mut map)?,
                None => {
                    let msg_type: Option<Leaf<'de>> =
                        map.next_value_seed(Sought::new(sought::MSG_TYPE))?;
                    let known = Known::named(msg_type.as_ref().and_then(Leaf::as_str));
                    return read(known, head, map);
                }
            }
        }
        OtherMessage::read(head, map).map(Message::Other)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, other: D) -> Result<Message, D::Error> {
        let Tree(body) = Tree::deserialize(other)?;
        body.deserialize().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EventMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(sought::ELEMENTS, EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = EventMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EventMessage, A::Error> {
        let mut head = Head::default();
        while let Some(Name(name)) = map.next_key()? {
            match Common::named(&name) {
                Some(Common::MsgType) => {
                    let _: Tag<EventMessage> = map.next_value()?;
                    head.push(Common::MsgType, Leaf::Text("event".into()))?;
                    break;
                }
                Some(common) => head.read(common, &mut map)?,
                None => {
                    // Another type's name is an error here, where its place is known.
                    let _: Option<Tag<EventMessage>> =
                        map.next_value_seed(Sought::new(sought::MSG_TYPE))?;
                    break;
                }
            }
        }
        match event::read(head, map)? {
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
            fn named(msg_type: Option<&str>) -> Option<Self> {
                let msg_type = msg_type?;
                $(if $type::is_named(msg_type) {
                    return Some(Self::$variant);
                })*
                EventMessage::is_named(msg_type).then_some(Self::Event)
            }
        }

        /// Reads the rest of a message whose type is known, or known to be none of ours.
        fn read<'de, A: MapAccess<'de>>(
            known: Option<Known>,
            head: Head<'de>,
            map: A,
        ) -> Result<Message, A::Error> {
            match known {
                $(Some(Known::$variant) => head.resume(map).map(Message::$variant),)*
                Some(Known::Event) => Ok(match event::read(head, map)? {
                    Ok(event) => Message::Event(event),
                    Err(Unknown { fields, .. }) => Message::Other(fields),
                }),
                None => OtherMessage::read(head, map).map(Message::Other),
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
    /// Reads all that is left, each field as it is.
    pub(super) fn read<'de, A: MapAccess<'de>>(
        head: Head<'de>,
        mut map: A,
    ) -> Result<Self, A::Error> {
        let mut elements = head.into_elements();
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
