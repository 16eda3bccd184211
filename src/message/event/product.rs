//! Scanned products (微信扫一扫接入).

use serde::{Deserialize, Serialize};

use crate::xml;

/// A user scanned a product (打开商品主页事件推送).
///
/// WeChat sends it when a user scans a product's bar code and opens the product's page.
///
#[doc = sample!("event/user_scan_product")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProduct {
    /// The kind of code, such as `ean13` or `qrcode`.
    #[serde(default)]
    pub key_standard: String,
    /// The code's content.
    pub key_str: String,
    /// The user's country.
    pub country: Option<String>,
    /// The user's province.
    pub province: Option<String>,
    /// The user's city.
    pub city: Option<String>,
    /// 1 male, 2 female, 0 unknown.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub sex: Option<i64>,
    /// How the page was opened, a code: 1 scanned in WeChat, 2 from the chat and others.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub scene: Option<i64>,
    /// Data that the account put into the code of the product's page.
    pub ext_info: Option<String>,
}

/// A user went from a product to the chat (进入公众号事件推送).
///
/// WeChat sends it when a user opens the chat from a product's page.
///
#[doc = sample!("event/user_scan_product_enter_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProductEnterSession {
    /// The kind of code, such as `ean13` or `qrcode`.
    #[serde(default)]
    pub key_standard: String,
    /// The code's content.
    pub key_str: String,
    /// Data that the account put into the code of the product's page.
    pub ext_info: Option<String>,
}

/// The region of a user who scanned a product (地理位置信息异步推送).
///
/// WeChat sends it some time after the user opened the product's page.
///
#[doc = sample!("event/user_scan_product_async")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProductAsync {
    /// The kind of code, such as `ean13` or `qrcode`.
    #[serde(default)]
    pub key_standard: String,
    /// The code's content.
    pub key_str: String,
    /// Data that the account put into the code of the product's page.
    pub ext_info: Option<String>,
    /// The code of the user's region.
    pub region_code: Option<String>,
}

/// A review of a product (商品审核结果推送).
///
/// WeChat sends it when it accepts or rejects a product's page.
///
#[doc = sample!("event/user_scan_product_verify_action")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProductVerifyAction {
    /// The kind of code, such as `ean13` or `qrcode`.
    #[serde(default)]
    pub key_standard: String,
    /// The code's content.
    pub key_str: String,
    /// Usually `verify_ok` or `verify_not_pass`.
    #[serde(default)]
    pub result: String,
    /// Why it was rejected.
    pub reason_msg: Option<String>,
}
