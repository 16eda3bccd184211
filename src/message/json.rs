//! Reading a push of WeChat's JSON format.

use serde::{
    Deserialize,
    de::{DeserializeOwned, Error as _},
};

use super::tree::Tree;
use crate::xml;

/// Reads a `T` as it would be read from the same push in XML.
pub(super) fn from_slice<T: DeserializeOwned>(body: &[u8]) -> xml::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let tree = Tree::deserialize(&mut deserializer);
    let Tree(value) = tree
        .and_then(|tree| deserializer.end().map(|()| tree))
        .map_err(xml::Error::custom)?;
    value.deserialize().map_err(|error| error.inside(ROOT))
}

/// What stands for the root element in an error's path.
const ROOT: &str = "json";
