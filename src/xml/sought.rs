//! Reading a field that stands further on, before those in front of it.
//!
//! serde has no word for it, so it is asked for under the name of a newtype, as [`AS_TEXT`] is. Only the
//! crate's own formats know these names; a type that uses them first makes sure that it reads from one.
//!
//! [`AS_TEXT`]: super::with::AS_TEXT

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Visitor},
};

/// The newtype as which our own formats hand out an element's children, and others visit a newtype.
pub(crate) const ELEMENTS: &str = "tower_wechat::xml::Elements";

/// Reads, in the place of a map's value, the field that `request` asks for, if there is one from here on.
///
/// The field whose place it took comes up next, as if it had not been read, and so in its turn does the
/// one that was sought.
pub(crate) struct Sought<T> {
    request: &'static str,
    value: PhantomData<T>,
}

impl<T> Sought<T> {
    pub(crate) const fn new(request: &'static str) -> Self {
        Self {
            request,
            value: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Sought<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_newtype_struct(self.request, self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Sought<T> {
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

/// The requests for the fields that are sought.
pub(crate) const MSG_TYPE: &str = "tower_wechat::xml::Sought::MsgType";
pub(crate) const EVENT: &str = "tower_wechat::xml::Sought::Event";

/// The name of the field that `request` asks for.
pub(super) fn name(request: &str) -> Option<&str> {
    request.strip_prefix("tower_wechat::xml::Sought::")
}
