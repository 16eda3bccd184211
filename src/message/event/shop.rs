//! Stores and what happens in them: reviews, Wi-Fi and beacons (摇一摇周边).

use serde::{Deserialize, Serialize};

use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// A review of a store (门店审核事件推送).
///
/// WeChat sends it when it accepts or rejects a new or changed store.
///
#[doc = sample!("event/poi_check_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct PoiCheckNotify {
    /// The merchant's id of the store.
    #[serde(default)]
    pub uniq_id: String,
    /// WeChat's id of the store.
    #[serde(default)]
    pub poi_id: String,
    /// Usually `succ` or `fail`.
    #[serde(default)]
    pub result: String,
    /// The reason, or a note that all is well.
    #[serde(alias = "msg")]
    pub msg: Option<String>,
}

/// A review of a mini program's store (创建门店小程序审核).
///
/// WeChat sends it when it accepts or rejects a new store.
///
#[doc = sample!("event/add_store_audit_info")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AddStoreAuditInfo {
    /// The review's id.
    pub audit_id: String,
    /// 1 accepted, 2 under review, 3 rejected, 4 waiting for an administrator's consent, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Whether the store was upgraded from an older one, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub is_upgrade: Option<i64>,
    /// WeChat's id of the store.
    pub poiid: Option<String>,
}

/// A review of a store's change or of a merchant (修改门店图片审核、门店小程序类目审核).
///
/// WeChat sends it when it accepts or rejects the change or the merchant.
///
#[doc = sample!("event/modify_store_audit_info")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreAudit {
    /// The review's id.
    pub audit_id: String,
    /// 1 accepted, 3 rejected, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// A review of a place on the map (从腾讯地图中创建门店审核).
///
/// WeChat sends it when it accepts or rejects a place that the account added to Tencent's map.
///
#[doc = sample!("event/create_map_poi_audit_info")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateMapPoiAuditInfo {
    /// The review's id.
    pub audit_id: String,
    /// 1 accepted, 3 rejected, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// The place's id on the map.
    pub map_poi_id: Option<String>,
    /// The place's name.
    pub name: Option<String>,
    /// The place's address.
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

/// A review of a place or a category for 附近的小程序 (mini programs nearby).
///
/// WeChat sends it when it accepts or rejects a place that the mini program added, or the category of one.
///
/// Source: the names that other libraries read.
///
#[doc = sample!("event/add_nearby_poi_audit_info")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NearbyAudit {
    /// The review's id.
    pub audit_id: String,
    /// 2 rejected, 3 accepted, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// WeChat's id of the place; `None` for a category.
    pub poi_id: Option<String>,
}

/// A user connected to a store's Wi-Fi (Wi-Fi连网成功事件).
///
/// WeChat sends it when a user is online through the store's network.
///
#[doc = sample!("event/wificonnected")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WifiConnected {
    /// When the user connected.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub connect_time: Option<Timestamp>,
    /// When the connection expires; 0 if it never does.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub expire_time: Option<Timestamp>,
    /// The vendor's id.
    #[serde(default)]
    pub vendor_id: String,
    /// The store's id. Older events call it `PlaceId`.
    #[serde(alias = "PlaceId")]
    pub shop_id: Option<String>,
    /// The id of the network device.
    #[serde(default)]
    pub device_no: String,
}

/// A user shook the phone near a beacon (摇一摇事件通知).
///
/// WeChat sends it when a user opens the page that belongs to a beacon.
///
#[doc = sample!("event/shakearoundusershake")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ShakearoundUserShake {
    /// The beacon that the page belongs to.
    pub chosen_beacon: Beacon,
    /// The other beacons nearby.
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
    /// The UUID, the same for all beacons of the account.
    pub uuid: String,
    /// The upper half of the beacon's number.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub major: Option<u64>,
    /// The lower half of the beacon's number.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub minor: Option<u64>,
    /// The distance to the beacon in metres.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub distance: Option<f64>,
}
