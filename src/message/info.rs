//! Pushes that an InfoType names: those of the open platform and of WeCom suites.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use super::other::OtherMessage;
use crate::xml::{Value, lookahead};

/// Declares the pushes of a product: the variant, the type of its own fields, and its InfoType.
macro_rules! infos {
    ($(#[$meta:meta])* $info:ident {
        $($(#[$doc:meta])* $variant:ident($fields:ty): $name:literal,)*
    }) => {
        $(#[$meta])*
        ///
        /// The case of its name does not matter.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum $info {
            $($(#[$doc])*
            ///
            #[doc = concat!("InfoType: `", $name, "`.")]
            $variant($fields),)*
            /// A push that this crate has no type for, or that does not fit its type. It has all fields of its body.
            Other(OtherMessage),
        }

        impl $info {
            /// The InfoType. An unknown one is as it came.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Other(other) => other.info_type().unwrap_or_default(),
                }
            }

            /// Reads the fields as the type that their InfoType names.
            fn of(fields: OtherMessage) -> Self {
                let name = fields.info_type().unwrap_or_default();
                let read = match name {
                    $(_ if name.eq_ignore_ascii_case($name) => fields.deserialize().map(Self::$variant),)*
                    _ => return Self::Other(fields),
                };
                read.unwrap_or_else(|misfit| Self::Other(fields.with_misfit(misfit)))
            }
        }

        /// An `Other` without fields.
        impl Default for $info {
            fn default() -> Self {
                Self::Other(OtherMessage::default())
            }
        }

        /// Writes the own fields of the push.
        impl Serialize for $info {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(fields) => fields.serialize(serializer),)*
                    Self::Other(other) => other.serialize(serializer),
                }
            }
        }
    };
}
pub(super) use infos;

/// Reads all fields of a push that an InfoType names.
///
/// A message or event is of another type: its MsgType is an error here, where its path is known.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OtherMessage, D::Error> {
    let fields = read_without(deserializer, &["MsgType"])?;
    match fields.info_type() {
        Some(_) => Ok(fields),
        None => Err(de::Error::missing_field("InfoType")),
    }
}

/// Reads all fields of a push. One of these fields is an error, where its path is known: the push is of another type.
pub(super) fn read_without<'de, D: Deserializer<'de>>(
    deserializer: D,
    foreign: &'static [&'static str],
) -> Result<OtherMessage, D::Error> {
    deserializer.deserialize_newtype_struct(lookahead::ELEMENTS, Fields(foreign))
}

struct Fields(&'static [&'static str]);

impl<'de> Visitor<'de> for Fields {
    type Value = OtherMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a push")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OtherMessage, A::Error> {
        let mut elements = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if self.0.contains(&&*name) {
                let Foreign = map.next_value()?;
                continue;
            }
            elements.push((name, map.next_value()?));
        }
        OtherMessage::of(elements)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        other: D,
    ) -> Result<OtherMessage, D::Error> {
        let fields = Value::deserialize(other)?;
        Value::deserialize_newtype_struct(fields, lookahead::ELEMENTS, self)
            .map_err(de::Error::custom)
    }
}

/// The name of another type of push.
struct Foreign;

impl<'de> Deserialize<'de> for Foreign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Err(de::Error::unknown_variant(&name, &["none"]))
    }
}
