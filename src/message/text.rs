use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tagged};
use crate::xml;

/// A text message (文本消息).
///
/// WeChat sends it when a user writes to the account, or taps an entry of a customer-service menu
/// message.
///
/// Fields after WeChat's page "Receiving standard messages".
///
#[doc = sample!("message/text")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TextMessage {
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
    /// What the user wrote. WeChat's own faces stand in it as text, such as `/::)`.
    #[serde(deserialize_with = "xml::text")]
    pub content: String,
    /// The message's id, which WeChat's retries repeat. A decimal number, as a rule.
    #[serde(default, alias = "MsgID", deserialize_with = "xml::text")]
    pub msg_id: Option<String>,
    /// The message's data id, if it comes from an article.
    #[serde(default, deserialize_with = "xml::text")]
    pub msg_data_id: Option<String>,
    /// Which of several articles it comes from, counted from 1.
    #[serde(default, deserialize_with = "xml::text")]
    pub idx: Option<String>,
    /// The entry's id, if the user tapped one of a customer-service menu message.
    #[serde(default, rename = "bizmsgmenuid", deserialize_with = "xml::text")]
    pub biz_msg_menu_id: Option<String>,
    /// The business id that mini programs and customer service add.
    #[serde(default, deserialize_with = "xml::text")]
    pub business_id: Option<String>,
}

impl Tagged for TextMessage {
    const NAMES: &'static [&'static str] = &["text"];
}
