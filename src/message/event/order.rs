//! Orders: payments, parcels and invoices (电子发票).

use serde::{Deserialize, Serialize};

use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// A user paid for an order in a WeChat store (订单付款通知).
///
/// WeChat sends it when a user pays in the account's store (微信小店).
///
#[doc = sample!("event/merchant_order")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct MerchantOrder {
    /// The order's id.
    pub order_id: String,
    /// The order's status, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub order_status: Option<i64>,
    /// The product's id.
    #[serde(default)]
    pub product_id: String,
    /// The product's variant: `property:value` pairs separated by semicolons.
    #[serde(default)]
    pub sku_info: String,
}

/// A parcel moved (运单轨迹更新事件).
///
/// WeChat sends it when the track of a waybill that the account created is updated.
///
#[doc = sample!("event/add_express_path")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct AddExpressPath {
    /// The delivery company's id.
    #[serde(default, rename = "DeliveryID")]
    pub delivery_id: String,
    /// The waybill's number.
    pub way_bill_id: String,
    /// The order's id.
    #[serde(default)]
    pub order_id: String,
    /// The version of the track.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub version: Option<u64>,
    /// The number of steps.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub count: Option<u64>,
    /// The steps.
    #[serde(default)]
    pub actions: Vec<ExpressAction>,
}

/// A step in the track of a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ExpressAction {
    /// When the step happened.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub action_time: Option<Timestamp>,
    /// The kind of step, a code: 100001 collected, 200001 in transit, 300002 out for delivery, 300003
    /// delivered and others.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub action_type: Option<i64>,
    /// The step in words.
    #[serde(default)]
    pub action_msg: String,
}

/// A user paid for virtual goods (道具发货推送).
///
/// WeChat sends it when a user buys virtual goods of a mini program. The account then delivers the goods.
///
#[doc = sample!("event/xpay_goods_deliver_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayGoodsDeliverNotify {
    /// The user's OpenID.
    #[serde(default)]
    pub open_id: String,
    /// The merchant's id of the order.
    pub out_trade_no: String,
    /// 0 production, 1 sandbox.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub env: Option<i64>,
    /// The payment; `None` if the order was not paid with WeChat Pay.
    pub we_chat_pay_info: Option<XpayPayment>,
    /// The goods.
    pub goods_info: XpayGoods,
}

/// The payment of virtual goods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayPayment {
    /// The merchant's number of the payment.
    #[serde(default)]
    pub mch_order_no: String,
    /// WeChat Pay's number of the payment.
    #[serde(default)]
    pub transaction_id: String,
    /// When the user paid.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub paid_time: Option<Timestamp>,
}

/// Virtual goods that were bought.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayGoods {
    /// The goods' id.
    pub product_id: String,
    /// The quantity.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub quantity: Option<u64>,
    /// The price before discounts, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub orig_price: Option<u64>,
    /// The price paid, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub actual_price: Option<u64>,
    /// Data that the merchant attached to the order.
    #[serde(default)]
    pub attach: String,
}

/// A user asked for an invoice (收取授权完成事件推送).
///
/// WeChat sends it when a user has filled in the details for the invoice of an order.
///
#[doc = sample!("event/user_authorize_invoice")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserAuthorizeInvoice {
    /// The order's id, if the authorization succeeded.
    pub succ_order_id: Option<String>,
    /// The order's id, if the authorization failed.
    pub fail_order_id: Option<String>,
    /// The app id of the account for which the page was opened.
    #[serde(alias = "AuthorizeAppId")]
    pub app_id: Option<String>,
    /// Where the page was opened, usually `app`, `web` or `wxa`.
    #[serde(alias = "source")]
    pub source: Option<String>,
}

/// The status of an invoice changed (发票状态更新事件推送).
///
/// WeChat sends it when an invoice in a user's wallet is locked for reimbursement, reimbursed or
/// cancelled.
///
#[doc = sample!("event/update_invoice_status")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UpdateInvoiceStatus {
    /// `INVOICE_REIMBURSE_INIT`, `INVOICE_REIMBURSE_LOCK`, `INVOICE_REIMBURSE_CLOSURE`,
    /// `INVOICE_REIMBURSE_CANCEL`, or a newer status.
    #[serde(default)]
    pub status: String,
    /// The invoice card's id.
    pub card_id: String,
    /// The number of the user's invoice.
    #[serde(default)]
    pub code: String,
}

/// Issuing an invoice succeeded or failed (开票结果推送).
///
/// WeChat sends it when the tax platform has answered.
///
#[doc = sample!("event/cloud_invoice_invoiceresult_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CloudInvoiceResult {
    /// The serial number of the invoice request (发票请求流水号).
    pub fpqqlsh: Option<String>,
    /// The result, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// The seller's tax number (纳税人识别号).
    pub nsrsbh: Option<String>,
}
