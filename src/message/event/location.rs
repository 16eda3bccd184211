//! Where a user is.

use serde::{Deserialize, Serialize};

use crate::xml;

/// Where the user is (上报地理位置事件).
///
/// WeChat sends it when a user who lets the account know opens the chat, or every five seconds
/// while it is open, as the account has chosen.
/// [`LocationMessage`](crate::message::LocationMessage) is another thing: a place that the user
/// sends.
///
#[doc = sample!("event/location")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Location {
    /// The latitude in degrees.
    pub latitude: f64,
    /// The longitude in degrees.
    pub longitude: f64,
    /// How exact that is, in metres.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub precision: Option<f64>,
}
