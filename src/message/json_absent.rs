//! The twin of `json.rs` without the feature: JSON is no XML, and the error says so.

use serde::de::DeserializeOwned;

use crate::xml;

pub(super) fn from_slice<T: DeserializeOwned>(body: &[u8]) -> xml::Result<T> {
    xml::from_slice(body)
}
