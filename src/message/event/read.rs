//! Reading an event: its name, its common fields, and its own fields between them.

use std::{borrow::Cow, cmp::Ordering, fmt, sync::LazyLock};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer},
    },
};

use super::{Event, EventMessage, Known};
use crate::{
    message::{
        field::{self, Text},
        other::OtherMessage,
    },
    timestamp::Timestamp,
    xml::{
        lookahead::{self, Lookahead},
        with::no_elements,
    },
};

/// Reads an event.
pub(in crate::message) fn read<'de, A: MapAccess<'de>>(
    mut map: A,
) -> Result<Result<EventMessage, Unknown>, A::Error> {
    let mut name = None;
    if let Some(IgnoredAny) = map.next_key()? {
        name = map.next_value_seed(Lookahead::<Text<'de>>::new(lookahead::EVENT))?;
    }
    let Some(known) = name.and_then(|Text(name)| find(&name)) else {
        return OtherMessage::read(map).map(unknown);
    };
    let mut common = Common::default();
    let event = known.read(&mut common, map)?;
    let Some(create_time) = common.create_time else {
        return Err(de::Error::missing_field(Unknown::MISSING));
    };
    Ok(Ok(EventMessage {
        to_user_name: common.to_user_name.unwrap_or_default(),
        from_user_name: common.from_user_name.and_then(field::non_empty),
        create_time,
        agent_id: common.agent_id.and_then(field::non_empty),
        app_type: common.app_type.and_then(field::non_empty),
        event,
    }))
}

/// An event without a CreateTime, so that it cannot be an [`EventMessage`].
pub(in crate::message) struct Unknown(pub(in crate::message) OtherMessage);

impl Unknown {
    /// What every event has.
    pub(in crate::message) const MISSING: &'static str = "CreateTime";
}

/// Makes the event whose own fields have no type, or do not fit it.
pub(in crate::message) fn unknown(fields: OtherMessage) -> Result<EventMessage, Unknown> {
    let Some(create_time) = fields.create_time() else {
        return Err(Unknown(fields));
    };
    Ok(EventMessage {
        to_user_name: fields.to_user_name().unwrap_or_default().to_owned(),
        from_user_name: fields.from_user_name().map(ToOwned::to_owned),
        create_time,
        agent_id: fields.text("AgentID").map(ToOwned::to_owned),
        app_type: fields.text("AppType").map(ToOwned::to_owned),
        event: Event::Other(fields),
    })
}

/// The event with this name in any case.
pub(super) fn find(name: &str) -> Option<Known> {
    let position = SORTED.binary_search_by(|(known, _)| compare(known, name));
    let (_, known) = SORTED.get(position.ok()?)?;
    Some(*known)
}

static SORTED: LazyLock<Vec<(&str, Known)>> = LazyLock::new(|| {
    let mut names = Known::NAMES.to_vec();
    names.sort_unstable_by(|(one, _), (other, _)| compare(one, other));
    names
});

/// Compares the names in lower case.
fn compare(one: &str, other: &str) -> Ordering {
    let one = one.bytes().map(|byte| byte.to_ascii_lowercase());
    one.cmp(other.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// The fields that all events have.
#[derive(Default)]
pub(super) struct Common {
    to_user_name: Option<String>,
    from_user_name: Option<String>,
    create_time: Option<Timestamp>,
    msg_type: Option<()>,
    event: Option<()>,
    agent_id: Option<String>,
    app_type: Option<String>,
}

impl Common {
    /// Reads the common fields into `self` and all others into a `T`, in one pass.
    pub(super) fn read_beside<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
        &mut self,
        map: A,
    ) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Beside { common: self, map }))
    }

    /// Reads the value of the field `name` if it is a common one.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "ToUserName" => once("ToUserName", &mut self.to_user_name, map)?,
            "FromUserName" => once("FromUserName", &mut self.from_user_name, map)?,
            "CreateTime" => once("CreateTime", &mut self.create_time, map)?,
            // The lookahead has read both; here they are only counted.
            "MsgType" => once("MsgType", &mut self.msg_type, map)?,
            "Event" => once("Event", &mut self.event, map)?,
            "AgentID" => once("AgentID", &mut self.agent_id, map)?,
            "AppType" => once("AppType", &mut self.app_type, map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    name: &'static str,
    field: &mut Option<T>,
    map: &mut A,
) -> Result<(), A::Error> {
    if field.is_some() {
        return Err(de::Error::duplicate_field(name));
    }
    *field = Some(map.next_value()?);
    Ok(())
}

/// The fields of an event without the common ones.
struct Beside<'a, A> {
    common: &'a mut Common,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Beside<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Text(name)) = self.map.next_key()? {
            if self.common.read(&name, &mut self.map)? {
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
        self.map.next_value_seed(seed)
    }
}

/// Reads a flag that may be absent or empty. WeChat writes flags as 0 and 1 or as words, in any
/// case.
pub(super) fn optional_flag<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    deserializer.deserialize_any(Flag)
}

struct Flag;

impl<'de> Visitor<'de> for Flag {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, 1, 0 or nothing")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Option<bool>, E> {
        Ok(Some(flag))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<bool>, E> {
        match number {
            0 => Ok(Some(false)),
            1 => Ok(Some(true)),
            _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<bool>, A::Error> {
        no_elements(map, &self).map(|()| None)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<bool>, E> {
        match text.trim() {
            "" => Ok(None),
            "0" => Ok(Some(false)),
            "1" => Ok(Some(true)),
            flag if flag.eq_ignore_ascii_case("false") => Ok(Some(false)),
            flag if flag.eq_ignore_ascii_case("true") => Ok(Some(true)),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}
