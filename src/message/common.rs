//! The fields of every push, which an event's own fields stand beside.

use std::borrow::Cow;

use serde::{
    Deserialize,
    de::{
        self, DeserializeSeed, IntoDeserializer, MapAccess,
        value::{BorrowedStrDeserializer, MapAccessDeserializer},
    },
};

/// Who sent what to whom, and when.
#[derive(Default)]
pub(super) struct Common {
    pub(super) to_user_name: Option<String>,
    pub(super) from_user_name: Option<String>,
    pub(super) create_time: Option<u64>,
    msg_type: Option<()>,
    event: Option<()>,
}

impl Common {
    /// Reads the rest of a push into a `T`, which has none of the common fields, and those into this.
    pub(super) fn read_beside<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
        &mut self,
        map: A,
    ) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Beside { common: self, map }))
    }

    /// Reads the value of the field called `name`, if it is a common one.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "ToUserName" => once("ToUserName", &mut self.to_user_name, map)?,
            "FromUserName" => once("FromUserName", &mut self.from_user_name, map)?,
            "CreateTime" => once("CreateTime", &mut self.create_time, map)?,
            // These have told the type, and need not be read again.
            "MsgType" => once("MsgType", &mut self.msg_type, map)?,
            "Event" => once("Event", &mut self.event, map)?,
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

/// A text, borrowed where the format can lend it.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);
