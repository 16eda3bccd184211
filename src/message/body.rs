use serde::Deserialize;

use super::json;
use crate::xml::{self, Value};

/// A body whose format is known.
///
/// Apart from reading, so that what is read can borrow from it.
pub(crate) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    /// What a body that is not XML says.
    pub(super) tree: Option<Value>,
}

impl<'a> Body<'a> {
    /// Tells the format by the first byte, since the Content-Type does not depend on it.
    pub(crate) fn new(bytes: &'a [u8]) -> xml::Result<Self> {
        let tree = match bytes.trim_ascii_start() {
            [b'{', ..] => json::tree(bytes)?,
            _ => None,
        };
        Ok(Self { bytes, tree })
    }

    pub(crate) fn read<'de, T: Deserialize<'de>>(&'de self) -> xml::Result<T> {
        match &self.tree {
            Some(value) => T::deserialize(value).map_err(|error| error.inside(json::ROOT)),
            None => xml::from_slice(self.bytes),
        }
    }
}
