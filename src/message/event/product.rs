//! Scanned products (微信扫一扫接入).

use serde::{Deserialize, Serialize};

use crate::xml;

/// A user scanned a product (打开商品主页事件推送).
///
/// WeChat sends it when a user opens a product's page by its bar code.
///
#[doc = sample!("event/user_scan_product")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProduct {
    /// The kind of bar code: `ean13`, `qrcode` and others.
    pub key_standard: String,
    /// The bar code's number.
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
    /// How the page was opened, as a code: 1 scanned in WeChat, 2 from the chat and so on.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub scene: Option<i64>,
    /// What the account put into the code of the product's page.
    pub ext_info: Option<String>,
}

/// A user came from a product (进入公众号事件推送).
///
/// WeChat sends it when a user goes from a product's page to the chat.
///
#[doc = sample!("event/user_scan_product_enter_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProductEnterSession {
    /// The kind of bar code: `ean13`, `qrcode` and others.
    pub key_standard: String,
    /// The bar code's number.
    pub key_str: String,
    /// What the account put into the code of the product's page.
    pub ext_info: Option<String>,
}

/// A user looks at a product (地理位置信息异步推送).
///
/// WeChat sends it with the place, a while after the product's page was opened.
///
#[doc = sample!("event/user_scan_product_async")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProductAsync {
    /// The kind of bar code: `ean13`, `qrcode` and others.
    pub key_standard: String,
    /// The bar code's number.
    pub key_str: String,
    /// What the account put into the code of the product's page.
    pub ext_info: Option<String>,
    /// The code of the user's region.
    pub region_code: Option<String>,
}

/// A product was reviewed (商品审核结果推送).
///
/// WeChat sends it when a product's page was accepted or refused.
///
#[doc = sample!("event/user_scan_product_verify_action")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserScanProductVerifyAction {
    /// The kind of bar code: `ean13`, `qrcode` and others.
    pub key_standard: String,
    /// The bar code's number.
    pub key_str: String,
    /// `verify_ok` or `verify_not_pass`, as a rule.
    pub result: String,
    /// Why not.
    pub reason_msg: Option<String>,
}
