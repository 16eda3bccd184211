//! Stores and what happens in them: reviews, Wi-Fi, beacons (摇一摇周边).

use serde::{Deserialize, Serialize};

use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// A store was reviewed (门店审核事件推送).
///
/// WeChat sends it when a new or changed store was accepted or refused.
///
#[doc = sample!("event/poi_check_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct PoiCheckNotify {
    /// The store's id with the merchant.
    #[serde(default)]
    pub uniq_id: String,
    /// The store's id with WeChat.
    #[serde(default)]
    pub poi_id: String,
    /// `succ` or `fail`, as a rule.
    pub result: String,
    /// Why, or that it is well.
    #[serde(alias = "msg")]
    pub msg: Option<String>,
}

/// A store of a mini program was reviewed (创建门店小程序审核).
///
/// WeChat sends it when a store was added, or was not.
///
#[doc = sample!("event/add_store_audit_info")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AddStoreAuditInfo {
    /// The review's id.
    pub audit_id: String,
    /// 1 accepted, 2 under review, 3 refused, 4 an administrator's consent is lacking; more may
    /// come.
    pub status: i64,
    /// Why not.
    pub reason: Option<String>,
    /// Whether it was upgraded from an older store, as a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub is_upgrade: Option<i64>,
    /// The store's id with WeChat.
    pub poiid: Option<String>,
}

/// A store's change or a merchant was reviewed (修改门店图片审核、门店小程序类目审核).
///
/// WeChat sends it when that was accepted or refused.
///
#[doc = sample!("event/modify_store_audit_info")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreAudit {
    /// The review's id.
    pub audit_id: String,
    /// 1 accepted, 3 refused; more may come.
    pub status: i64,
    /// Why not.
    pub reason: Option<String>,
}

/// A place on the map was reviewed (从腾讯地图中创建门店审核).
///
/// WeChat sends it when a place that the account added to Tencent's map was accepted or refused.
///
#[doc = sample!("event/create_map_poi_audit_info")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateMapPoiAuditInfo {
    /// The review's id.
    pub audit_id: String,
    /// 1 accepted, 3 refused; more may come.
    pub status: i64,
    /// The place's id on the map.
    pub map_poi_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// The latitude in degrees.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub latitude: Option<f64>,
    /// The longitude in degrees.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub longitude: Option<f64>,
    /// The reviewer's note.
    pub sh_remark: Option<String>,
}

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
    pub connect_time: Timestamp,
    /// How long it lasts, in seconds since the Unix epoch; 0 if it does not end.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub expire_time: Option<Timestamp>,
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
