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

/// A user chose an invoice title (用户选择抬头).
///
/// WeChat sends it when a user submits a title on the page that the account's QR code or link for titles opens.
///
/// Source: WeChat's page "Quick issuing" (`WeChat_Invoice/Quick_issuing`). Its sample has the name of
/// [`CloudInvoiceResult`] by mistake.
///
#[doc = sample!("event/submit_invoice_title")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubmitInvoiceTitle {
    /// `InvoiceUserTitleBusinessType` for a company, `InvoiceUserTitlePersonType` for a person, or a newer type.
    pub title_type: Option<String>,
    /// The title.
    #[serde(default)]
    pub title: String,
    /// The company's tax number.
    pub tax_no: Option<String>,
    /// The company's phone number.
    pub phone: Option<String>,
    /// The company's address.
    pub addr: Option<String>,
    /// The company's bank.
    pub bank_type: Option<String>,
    /// The number of the company's bank account.
    pub bank_no: Option<String>,
    /// The data that the account put into the link.
    pub attach: Option<String>,
    /// The key of the QR code.
    #[serde(rename = "EventKey")]
    pub event_key: Option<String>,
}
