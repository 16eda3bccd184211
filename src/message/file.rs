use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tagged};
use crate::xml;

/// A file (文件消息).
///
/// WeChat sends it when a user sends a file. Its documents do not mention the type; the fields are those that
/// were seen.
///
#[doc = sample!("message/file")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct FileMessage {
    /// The account's original id, `gh_…`.
    pub to_user_name: String,
    /// The sender's OpenID; empty where WeChat names nobody.
    #[serde(default)]
    pub from_user_name: String,
    /// When the message was sent, in seconds since the Unix epoch.
    #[serde(deserialize_with = "xml::number")]
    pub create_time: u64,
    #[serde(default)]
    msg_type: Tag<Self>,
    /// The file's name.
    #[serde(default)]
    pub title: String,
    /// A note about it; empty, as a rule.
    #[serde(default)]
    pub description: String,
    /// The file's key.
    pub file_key: String,
    /// The file's MD5 digest in hexadecimal.
    #[serde(default, deserialize_with = "xml::text")]
    pub file_md5: Option<String>,
    /// The file's length in bytes.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub file_total_len: Option<u64>,
    /// The message's id, which WeChat's retries repeat. A decimal number, as a rule.
    #[serde(default, alias = "MsgID", deserialize_with = "xml::text")]
    pub msg_id: Option<String>,
}

impl Tagged for FileMessage {
    const NAMES: &'static [&'static str] = &["file"];
}
