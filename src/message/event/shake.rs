//! Shake nearby (摇一摇周边).

use serde::{Deserialize, Serialize};

use crate::xml;

/// A user shook the phone near a beacon (摇一摇事件通知).
///
/// WeChat sends it when a user opens the account's page that shaking found.
///
#[doc = sample!("event/shakearoundusershake")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ShakearoundUserShake {
    /// The beacon whose page was opened.
    pub chosen_beacon: Beacon,
    /// The others nearby.
    #[serde(default)]
    pub around_beacons: AroundBeacons,
}

/// The beacons around a user.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct AroundBeacons {
    /// The beacons.
    #[serde(default)]
    pub around_beacon: Vec<Beacon>,
}

/// A beacon.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Beacon {
    /// The UUID that the account's beacons share.
    pub uuid: String,
    /// The beacon's number, its upper half.
    pub major: u64,
    /// The beacon's number, its lower half.
    pub minor: u64,
    /// How far it is, in metres.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub distance: Option<f64>,
}
