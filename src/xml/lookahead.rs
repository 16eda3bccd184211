//! Lookahead: reads a field that stands further on, before the fields in front of it.
//!
//! serde has no method for this, so the request is the name of a newtype, as for [`AS_TEXT`]. Only this
//! crate's formats know these names. A type that makes such a request first checks that it reads from
//! one of these formats: it asks for its [`ELEMENTS`].
//!
//! [`AS_TEXT`]: super::with::AS_TEXT

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Visitor},
};

/// The name of a newtype that this crate's formats hand out as a map of an element's children.
///
/// Every other format visits a newtype instead. A [`Value`](super::Value) is written as such a newtype: this crate's format
/// then says that it is not for people, because its map may repeat a name.
pub(crate) const ELEMENTS: &str = "tower_wechat::xml::Elements";

/// The name of a newtype that keeps all children of an element, repeated ones included.
///
/// This crate's formats hand out what [`deserialize_any`](Deserializer::deserialize_any) does, or nothing
/// for an empty element. Every other format visits a newtype instead.
pub(super) const VALUE: &str = "tower_wechat::xml::Value";

/// The name of a newtype that this crate's formats hand out as the readings of an element, in a map.
///
/// Each value of the map is a reading of the whole element, from its start. A key is the offset at which the last
/// reading failed, if it failed in a document: an error of serde has no place for it. Once a reading has failed because the
/// document is malformed, all others fail. Every other format visits a newtype instead.
pub(crate) const READINGS: &str = "tower_wechat::xml::Readings";

/// Requests of the MsgType and the Event field.
pub(crate) const MSG_TYPE: &str = "tower_wechat::xml::Lookahead::MsgType";
pub(crate) const EVENT: &str = "tower_wechat::xml::Lookahead::Event";

/// Reads the requested field in place of a map's current value, if the field stands here or further on.
///
/// Nothing is consumed: the current field comes again as the next one, and the requested field comes
/// again in its turn.
pub(crate) struct Lookahead<T> {
    request: &'static str,
    value: PhantomData<T>,
}

impl<T> Lookahead<T> {
    pub(crate) const fn new(request: &'static str) -> Self {
        Self {
            request,
            value: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Lookahead<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_newtype_struct(self.request, self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Lookahead<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a format that can look ahead")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, found: D) -> Result<Option<T>, D::Error> {
        T::deserialize(found).map(Some)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Option<T>, D::Error> {
        Err(de::Error::invalid_type(
            de::Unexpected::NewtypeStruct,
            &self,
        ))
    }
}

/// The name of the field that `request` asks for; `None` for every other newtype.
pub(super) fn requested_field(request: &str) -> Option<&str> {
    request.strip_prefix("tower_wechat::xml::Lookahead::")
}
