//! The receiver of a push whose rest cannot be read.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{field::Text, json::Body};
use crate::xml::{self, Value};

/// The receiver: the first ToUserName, even if what follows cannot be read.
///
/// WeChat writes it before all fields that a user fills, so a user cannot replace it.
pub(crate) fn receiver(plaintext: &[u8]) -> Option<String> {
    let body = Body::new(plaintext).ok()?;
    if let Some(tree) = &body.tree {
        return tree
            .element(RECEIVER)
            .and_then(Value::as_str)
            .map(ToOwned::to_owned);
    }
    let mut receiver = None;
    let mut deserializer = xml::Deserializer::first(std::str::from_utf8(plaintext).ok()?);
    // An error is behind the receiver, or there is no receiver.
    let _ = deserializer.deserialize_map(Receiver(&mut receiver));
    receiver
}

struct Receiver<'a>(&'a mut Option<String>);

impl<'de> Visitor<'de> for Receiver<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message's fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            if name == RECEIVER {
                *self.0 = Some(map.next_value()?);
                break;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

const RECEIVER: &str = "ToUserName";
