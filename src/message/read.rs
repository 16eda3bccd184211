//! Reading a [`Message`]: its type stands among its other fields, as MsgType.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor,
        value::MapAccessDeserializer,
    },
};

use super::{
    Message,
    event::{self, EventMessage, Unknown},
    field::{self, MsgType, Named as _, Text},
    other::OtherMessage,
    standard::{
        FileMessage, ImageMessage, LinkMessage, LocationMessage, MiniProgramPageMessage,
        ShortVideoMessage, TextMessage, VideoMessage, VoiceMessage,
    },
};
use crate::xml::{
    self, Value,
    lookahead::{self, Lookahead},
};

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::READINGS, ReadingsVisitor::new())
    }
}

impl<'de> Deserialize<'de> for EventMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::READINGS, ReadingsVisitor::new())
    }
}

/// A type that is read from the fields of a message.
trait FromFields: Sized {
    const EXPECTED: &'static str;

    fn from_fields<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error>;
}

/// A type that also holds fields that do not fit the type that their MsgType or Event names.
trait FromMisfit: FromFields {
    /// `None` if it cannot hold them.
    fn from_misfit(fields: OtherMessage) -> Option<Self>;
}

impl FromFields for Message {
    const EXPECTED: &'static str = "a message's fields";

    #[inline]
    fn from_fields<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut msg_type = None;
        if let Some(IgnoredAny) = fields.next_key()? {
            msg_type = fields.next_value_seed(Lookahead::<Text<'de>>::new(lookahead::MSG_TYPE))?;
        }
        read(msg_type.and_then(|Text(name)| Known::named(&name)), fields)
    }
}

impl FromMisfit for Message {
    fn from_misfit(fields: OtherMessage) -> Option<Self> {
        if !fields.msg_type().is_some_and(field::is_event) {
            return Some(Self::Other(fields));
        }
        Some(match event::unknown(fields) {
            Ok(event) => Self::Event(event),
            Err(Unknown(fields)) => Self::Other(fields),
        })
    }
}

impl FromFields for EventMessage {
    const EXPECTED: &'static str = "an event's fields";

    fn from_fields<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        if let Some(IgnoredAny) = fields.next_key()? {
            // Another MsgType is an error here, where its offset is known.
            let _ = fields.next_value_seed(Lookahead::<MsgType<Self>>::new(lookahead::MSG_TYPE))?;
        }
        match event::read(fields)? {
            Ok(event) => Ok(event),
            Err(Unknown(_)) => Err(de::Error::missing_field(Unknown::MISSING)),
        }
    }
}

impl FromMisfit for EventMessage {
    fn from_misfit(fields: OtherMessage) -> Option<Self> {
        if !fields.msg_type().is_none_or(field::is_event) {
            return None;
        }
        event::unknown(fields).ok()
    }
}

impl FromFields for OtherMessage {
    const EXPECTED: &'static str = Message::EXPECTED;

    fn from_fields<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        Self::read(fields)
    }
}

/// Reads a `T` as its type says. Only if that fails, reads all fields as they are.
struct ReadingsVisitor<T>(PhantomData<T>);

impl<T> ReadingsVisitor<T> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: FromMisfit + DeserializeOwned> Visitor<'de> for ReadingsVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut readings: A) -> Result<T, A::Error> {
        // The result stays in one place, here and in the format: a message is several hundred bytes.
        let mut message = readings.next_value_seed(Fields::new());
        if message.is_err() {
            message = message.or_else(|error| misfit(readings, error));
        }
        message
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, other: D) -> Result<T, D::Error> {
        let body = Value::deserialize(other)?;
        body.read().map_err(de::Error::custom)
    }
}

/// Reads what did not fit its type. Returns `error`, why it did not fit, if there are no elements to read.
#[cold]
fn misfit<'de, T: FromMisfit, A: MapAccess<'de>>(
    mut readings: A,
    error: A::Error,
) -> Result<T, A::Error> {
    let offset: Option<usize> = readings.next_key()?;
    let Ok(fields) = readings.next_value_seed(Fields::<OtherMessage>::new()) else {
        return Err(error);
    };
    // `error` has the format's own type. The fields fail for the same reason.
    let reason = match Fields::new().deserialize(fields.fields()) {
        Ok(message) => return Ok(message),
        Err(reason) => offset.into_iter().fold(reason, xml::Error::at),
    };
    T::from_misfit(fields.with_misfit(reason)).ok_or(error)
}

/// Reads a `T` from the fields in one way only.
struct Fields<T>(PhantomData<T>);

impl<T> Fields<T> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: FromFields> DeserializeSeed<'de> for Fields<T> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_newtype_struct(lookahead::ELEMENTS, self)
    }
}

impl<'de, T: FromFields> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::from_fields(fields)
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
                    Err(Unknown(fields)) => Message::Other(
                        fields.with_misfit(de::Error::missing_field(Unknown::MISSING)),
                    ),
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
