//! The account's Wi-Fi.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A user connected to the account's Wi-Fi (Wi-Fi连网成功事件).
///
/// WeChat sends it when a user is online through a shop's network.
///
#[doc = sample!("event/wificonnected")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WifiConnected {
    /// When that was, in seconds since the Unix epoch.
    pub connect_time: u64,
    /// How long it lasts, in seconds since the Unix epoch; 0 if it does not end.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub expire_time: Option<u64>,
    /// The vendor's id.
    #[serde(default)]
    pub vendor_id: String,
    /// The shop's id; `PlaceId` in older pushes.
    #[serde(alias = "PlaceId")]
    pub shop_id: Option<String>,
    /// The network device's id.
    #[serde(default)]
    pub device_no: String,
}
