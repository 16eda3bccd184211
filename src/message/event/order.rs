//! Orders, what was paid for them, their parcels and their invoices (电子发票).

use serde::{Deserialize, Serialize};

use crate::{
    timestamp::{self, Timestamp},
    xml,
};

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
    pub action_time: Timestamp,
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

/// A user asks for an invoice (收取授权完成事件推送).
///
/// WeChat sends it when a user has filled in what an invoice of an order needs.
///
#[doc = sample!("event/user_authorize_invoice")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserAuthorizeInvoice {
    /// The order's id, if the user agreed.
    pub succ_order_id: Option<String>,
    /// The order's id, if that failed.
    pub fail_order_id: Option<String>,
    /// The app id of the account that the page was opened for.
    #[serde(alias = "AuthorizeAppId")]
    pub app_id: Option<String>,
    /// Where the page was opened: `app`, `web` or `wxa`, as a rule.
    #[serde(alias = "source")]
    pub source: Option<String>,
}

/// An invoice was used (发票状态更新事件推送).
///
/// WeChat sends it when an invoice in a user's wallet is locked for a refund of expenses, refunded
/// or set free.
///
#[doc = sample!("event/update_invoice_status")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UpdateInvoiceStatus {
    /// `INVOICE_REIMBURSE_INIT`, `INVOICE_REIMBURSE_LOCK`, `INVOICE_REIMBURSE_CLOSURE`,
    /// `INVOICE_REIMBURSE_CANCEL` or one that came later.
    pub status: String,
    /// The invoice card's id.
    pub card_id: String,
    /// The number of the user's invoice.
    #[serde(default)]
    pub code: String,
}

/// An invoice was made, or was not (开票结果推送).
///
/// WeChat sends it when the tax platform has answered.
///
#[doc = sample!("event/cloud_invoice_invoiceresult_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CloudInvoiceResult {
    /// The serial number of the request for an invoice (发票请求流水号).
    pub fpqqlsh: Option<String>,
    /// How it ended, as a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// The seller's tax number (纳税人识别号).
    pub nsrsbh: Option<String>,
}
