//! Stores, merchants and points of interest.

use serde::{Deserialize, Serialize};

use crate::xml;

/// An order of a WeChat store was paid (订单付款通知).
///
/// WeChat sends it when a user has paid in the account's store.
///
#[doc = sample!("event/merchant_order")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct MerchantOrder {
    /// The order's id.
    pub order_id: String,
    /// How it stands, as a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub order_status: Option<i64>,
    /// The product's id.
    #[serde(default)]
    pub product_id: String,
    /// The variant: `property:value` pairs with semicolons between them.
    #[serde(default)]
    pub sku_info: String,
}

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
