use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tagged};
use crate::xml;

/// A page of a mini program (小程序卡片消息).
///
/// WeChat sends it when a user sends one to a mini program's customer service.
///
/// Fields after WeChat's page "Receiving customer-service messages".
///
#[doc = sample!("message/miniprogrampage")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct MiniProgramPageMessage {
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
    /// The page's title.
    #[serde(default)]
    pub title: String,
    /// The mini program's app id.
    pub app_id: String,
    /// The page's path in the mini program.
    pub page_path: String,
    /// Where the page's picture can be fetched, as long as WeChat keeps it.
    #[serde(default)]
    pub thumb_url: String,
    /// The page's picture, for the media interface.
    #[serde(default, deserialize_with = "xml::text")]
    pub thumb_media_id: Option<String>,
    /// The message's id, which WeChat's retries repeat. A decimal number, as a rule.
    #[serde(default, alias = "MsgID", deserialize_with = "xml::text")]
    pub msg_id: Option<String>,
}

impl Tagged for MiniProgramPageMessage {
    const NAMES: &'static [&'static str] = &["miniprogrampage"];
}
