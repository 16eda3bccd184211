//! Bodies in JSON, read as the XML that would say the same.

#[cfg(feature = "json")]
mod lenient;

use serde::Deserialize;
#[cfg(feature = "json")]
use serde::de::{DeserializeSeed, Error as _};

#[cfg(feature = "json")]
use crate::xml::value::Reading;
use crate::xml::{self, BYTE_ORDER_MARK, Value};

/// A body in XML or JSON.
///
/// Finding out the format is apart from reading, so that a borrowed type can borrow from the tree.
pub(super) struct Body<'a> {
    bytes: &'a [u8],
    /// The elements of a body in JSON.
    pub(super) tree: Option<Value>,
}

impl<'a> Body<'a> {
    /// JSON begins with `{`, perhaps behind a byte order mark. The Content-Type does not tell: WeChat's is the same for
    /// both formats.
    #[cfg_attr(
        not(feature = "json"),
        expect(clippy::unnecessary_wraps, reason = "reading JSON can fail")
    )]
    pub(super) fn new(bytes: &'a [u8]) -> xml::Result<Self> {
        let text = bytes
            .strip_prefix(BYTE_ORDER_MARK.as_bytes())
            .unwrap_or(bytes);
        let tree = match text.trim_ascii_start() {
            #[cfg(feature = "json")]
            [b'{', ..] => Some(tree(text)?),
            // Without the feature, reading JSON as XML is an error that says so.
            _ => None,
        };
        Ok(Self { bytes, tree })
    }

    pub(super) fn read<'de, T: Deserialize<'de>>(&'de self) -> xml::Result<T> {
        match &self.tree {
            // In an error's path, `json` stands for the root element.
            Some(tree) => T::deserialize(tree).map_err(|error| error.inside("json")),
            None => xml::from_slice(self.bytes),
        }
    }
}

/// Reads the elements of a body as JSON, and what is no JSON leniently. Returns the error of the first reading.
#[cfg(feature = "json")]
fn tree(body: &[u8]) -> xml::Result<Value> {
    let mut strict = serde_json::Deserializer::from_slice(body);
    let tree = Reading { is_exact: true }.deserialize(&mut strict);
    let tree = tree.and_then(|tree| strict.end().map(|()| tree));
    tree.or_else(|error| {
        str::from_utf8(body)
            .ok()
            .and_then(lenient_tree)
            .ok_or_else(|| xml::Error::custom(error))
    })
}

#[cfg(feature = "json")]
fn lenient_tree(body: &str) -> Option<Value> {
    let mut lenient = lenient::Lenient::new(body);
    let tree = Value::deserialize(&mut lenient).ok()?;
    lenient.end().ok()?;
    Some(tree)
}
