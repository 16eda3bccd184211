use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tagged};
use crate::xml;

/// A place (地理位置消息).
///
/// WeChat sends it when a user sends a place, which need not be where the user is.
///
/// Fields after WeChat's page "Receiving standard messages".
///
#[doc = sample!("message/location")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct LocationMessage {
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
    /// The latitude in degrees.
    #[serde(rename = "Location_X", deserialize_with = "xml::number")]
    pub location_x: f64,
    /// The longitude in degrees.
    #[serde(rename = "Location_Y", deserialize_with = "xml::number")]
    pub location_y: f64,
    /// How far the map is zoomed in: the larger, the closer.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub scale: Option<u64>,
    /// The place's address.
    #[serde(default)]
    pub label: String,
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

impl Tagged for LocationMessage {
    const NAMES: &'static [&'static str] = &["location"];
}
