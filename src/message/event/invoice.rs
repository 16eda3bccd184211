//! Electronic invoices (电子发票).

use serde::{Deserialize, Serialize};

use crate::xml;

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
