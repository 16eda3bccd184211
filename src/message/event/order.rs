//! Parcels and payments of mini programs.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A parcel moved (运单轨迹更新事件).
///
/// WeChat sends it when a waybill that was made through the account has news.
///
#[doc = sample!("event/add_express_path")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct AddExpressPath {
    /// The delivery company's id.
    #[serde(rename = "DeliveryID")]
    pub delivery_id: String,
    /// The waybill's number.
    pub way_bill_id: String,
    /// The order's id.
    #[serde(default)]
    pub order_id: String,
    /// Which state of the path this is.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub version: Option<u64>,
    /// How many steps there are.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub count: Option<u64>,
    /// The steps.
    #[serde(default)]
    pub actions: Vec<ExpressAction>,
}

/// A step of a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ExpressAction {
    /// When, in seconds since the Unix epoch.
    pub action_time: u64,
    /// What, as a code: 100001 collected, 200001 on its way, 300002 being delivered, 300003
    /// delivered and others.
    pub action_type: i64,
    /// What, in words.
    #[serde(default)]
    pub action_msg: String,
}

/// Virtual goods were paid for (道具发货推送).
///
/// WeChat sends it when a user has bought a mini program's virtual goods, which have to be handed
/// out then.
///
#[doc = sample!("event/xpay_goods_deliver_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayGoodsDeliverNotify {
    /// The user's OpenID.
    pub open_id: String,
    /// The order's id with the merchant.
    pub out_trade_no: String,
    /// 0 in earnest, 1 in the sandbox.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub env: Option<i64>,
    /// The payment; absent for orders that WeChat Pay had no part in.
    pub we_chat_pay_info: Option<XpayPayment>,
    /// The goods.
    pub goods_info: XpayGoods,
}

/// The payment of virtual goods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayPayment {
    /// The payment's number with the merchant.
    pub mch_order_no: String,
    /// The payment's number with WeChat Pay.
    #[serde(default)]
    pub transaction_id: String,
    /// When it was paid, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub paid_time: Option<u64>,
}

/// Virtual goods that were bought.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayGoods {
    /// The goods' id.
    pub product_id: String,
    /// How many.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub quantity: Option<u64>,
    /// The price before discounts, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub orig_price: Option<u64>,
    /// The price paid, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub actual_price: Option<u64>,
    /// What the merchant put into the order.
    #[serde(default)]
    pub attach: String,
}
