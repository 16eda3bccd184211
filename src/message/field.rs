//! How single fields are read for the typed messages: MsgType, CreateTime, sender.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use crate::timestamp::Timestamp;

/// The MsgType of all events.
pub(super) const EVENT: &str = "event";

/// Whether `msg_type` is the one of events. Case does not matter.
pub(super) fn is_event(msg_type: &str) -> bool {
    msg_type.eq_ignore_ascii_case(EVENT)
}

/// Reads the text of a CreateTime. `None` if it is not a number.
pub(super) fn create_time(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok().map(Timestamp::from_secs)
}

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

/// Reads a `FromUserName`: an empty one is `None`.
pub(super) fn sender<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|name| name.and_then(non_empty))
}

/// The name, unless it is empty: WeChat leaves a name out or empty if there is none.
pub(super) fn non_empty(name: String) -> Option<String> {
    Some(name).filter(|name| !name.is_empty())
}
