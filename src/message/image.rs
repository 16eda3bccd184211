use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tagged};
use crate::xml;

/// A picture (图片消息).
///
/// WeChat sends it when a user sends a picture, also after choosing one with a menu button.
///
/// Fields after WeChat's page "Receiving standard messages".
///
#[doc = sample!("message/image")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ImageMessage {
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
    /// Where the picture can be fetched, as long as WeChat keeps it.
    #[serde(default)]
    pub pic_url: String,
    /// The picture, for the media interface; it is kept for three days. The oldest pushes have none.
    #[serde(default, alias = "MediaID", deserialize_with = "xml::text")]
    pub media_id: Option<String>,
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

impl Tagged for ImageMessage {
    const NAMES: &'static [&'static str] = &["image"];
}
