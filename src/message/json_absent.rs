//! The twin of `json.rs` without the feature: JSON is no XML, and reading it as XML says so.

use crate::xml::{self, Value};

#[expect(clippy::unnecessary_wraps, reason = "reading JSON can fail")]
pub(super) fn tree(_body: &[u8]) -> xml::Result<Option<Value>> {
    Ok(None)
}

pub(super) const ROOT: &str = "";
