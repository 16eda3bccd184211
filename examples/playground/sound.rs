//! The recording of a voice message, as the page sends and plays it.

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

/// A recording in a `data:` URL, as the browser's `FileReader` makes it.
///
/// The page gets its content type back, and fetches the bytes to play it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Sound {
    /// `audio/*`, or `application/octet-stream`: the browser never runs it.
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

impl TryFrom<String> for Sound {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        let parts = url
            .strip_prefix("data:")
            .and_then(|url| url.split_once(";base64,"));
        let (content_type, base64) = parts.ok_or("expected a data: URL in base64")?;
        let bytes = base64_simd::STANDARD
            .decode_to_vec(base64)
            .map_err(|error| format!("expected base64: {error}"))?;
        if bytes.is_empty() || bytes.len() > MAX_SOUND {
            let found = bytes.len();
            return Err(format!(
                "expected a recording of 1 to {MAX_SOUND} bytes, found {found}"
            ));
        }
        Ok(Self {
            content_type: audio(content_type).to_owned(),
            bytes: bytes.into(),
        })
    }
}

impl Serialize for Sound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content_type.serialize(serializer)
    }
}

/// Returns the type without parameters if it is one of sounds, otherwise the one that says nothing.
fn audio(content_type: &str) -> &str {
    let name = content_type.split(';').next().unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte);
    match name.strip_prefix("audio/") {
        Some(subtype) if !subtype.is_empty() && subtype.bytes().all(is_name) => name,
        _ => "application/octet-stream",
    }
}

/// In bytes, as at WeChat.
pub(crate) const MAX_SOUND: usize = 2 * 1024 * 1024;
