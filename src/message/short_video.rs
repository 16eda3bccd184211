use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tagged};
use crate::xml;

/// A short video (小视频消息).
///
/// WeChat sends it when a user records a video in the chat.
///
/// Fields after WeChat's page "Receiving standard messages".
///
#[doc = sample!("message/shortvideo")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ShortVideoMessage {
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
    /// The video, for the media interface; it is kept for three days.
    #[serde(alias = "MediaID")]
    pub media_id: String,
    /// Its thumbnail, for the media interface.
    #[serde(default)]
    pub thumb_media_id: String,
    /// The message's id, which WeChat's retries repeat. A decimal number, as a rule.
    #[serde(default, alias = "MsgID", deserialize_with = "xml::text")]
    pub msg_id: Option<String>,
    /// The message's data id, if it comes from an article.
    #[serde(default, deserialize_with = "xml::text")]
    pub msg_data_id: Option<String>,
    /// Which of several articles it comes from, counted from 1.
    #[serde(default, deserialize_with = "xml::text")]
    pub idx: Option<String>,
}

impl Tagged for ShortVideoMessage {
    const NAMES: &'static [&'static str] = &["shortvideo"];
}
