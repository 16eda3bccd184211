//! Reading a push of WeChat's JSON format.

use serde::{Deserialize, de::Error as _};

use super::tree::Tree;
use crate::xml::{self, Value};

/// What the same push would be in XML.
pub(super) fn tree(body: &[u8]) -> xml::Result<Option<Value>> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let tree = Tree::deserialize(&mut deserializer);
    let Tree(value) = tree
        .and_then(|tree| deserializer.end().map(|()| tree))
        .map_err(xml::Error::custom)?;
    Ok(Some(value))
}

/// What stands for the root element in an error's path.
pub(super) const ROOT: &str = "json";
