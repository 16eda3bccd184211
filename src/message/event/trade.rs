//! Orders of mini programs: shipping and settlement (订单发货管理), refunds of B2B shops, quotas of paid services.

use serde::{Deserialize, Serialize};

use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// The mini program has to connect to the API for shipping (提醒接入发货信息管理服务API).
///
/// WeChat sends it when the mini program has its first payment. Until an order is registered as shipped, WeChat sends it
/// each day.
///
/// Source: WeChat's page "Order shipping" (business-capabilities/order-shipping).
///
#[doc = sample!("event/trade_manage_remind_access_api")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TradeManageRemindAccessApi {
    /// What WeChat asks for, in words.
    pub msg: Option<String>,
}

/// A paid order has to be shipped (提醒需要上传发货信息).
///
/// WeChat sends it to mini programs that have shipped before, when an order is not registered as shipped for 48 hours.
///
/// Source: WeChat's page "Order shipping" (business-capabilities/order-shipping).
///
#[doc = sample!("event/trade_manage_remind_shipping")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TradeManageRemindShipping {
    /// WeChat Pay's number of the payment.
    pub transaction_id: String,
    /// The merchant's number.
    pub merchant_id: Option<String>,
    /// The sub-merchant's number.
    pub sub_merchant_id: Option<String>,
    /// The merchant's number of the order.
    pub merchant_trade_no: Option<String>,
    /// When the user paid.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub pay_time: Option<Timestamp>,
    /// What WeChat asks for, in words.
    pub msg: Option<String>,
}

/// An order is about to be settled, or was settled (订单将要结算或已经结算).
///
/// WeChat sends it when the order was registered as shipped, with `estimated_settlement_time`. It sends it again when
/// the order was settled, with `settlement_time`.
///
/// Source: WeChat's page "Order shipping" (business-capabilities/order-shipping).
///
#[doc = sample!("event/trade_manage_order_settlement")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TradeManageOrderSettlement {
    /// WeChat Pay's number of the payment.
    pub transaction_id: String,
    /// The merchant's number.
    pub merchant_id: Option<String>,
    /// The sub-merchant's number.
    pub sub_merchant_id: Option<String>,
    /// The merchant's number of the order.
    pub merchant_trade_no: Option<String>,
    /// When the user paid.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub pay_time: Option<Timestamp>,
    /// When the order was shipped.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub shipped_time: Option<Timestamp>,
    /// When WeChat is going to settle it.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub estimated_settlement_time: Option<Timestamp>,
    /// How the receipt was confirmed: 1 automatically, 2 by hand.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub confirm_receive_method: Option<i64>,
    /// When the receipt was confirmed.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub confirm_receive_time: Option<Timestamp>,
    /// When WeChat settled it.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub settlement_time: Option<Timestamp>,
    /// A note in words.
    pub msg: Option<String>,
}

/// A refund of a B2B shop ended (B2b门店助手退款通知).
///
/// WeChat sends it when a refund has succeeded or failed.
///
/// Source: WeChat's page on the API for refunds (`retail_business/bill/api_refundorder`).
///
#[doc = sample!("event/retail_refund_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetailRefundNotify {
    /// The mini program's app id.
    pub appid: Option<String>,
    /// The merchant's number.
    pub mchid: Option<String>,
    /// The merchant's id of the refund.
    pub out_refund_no: String,
    /// WeChat's id of the refund.
    pub refund_id: Option<String>,
    /// The merchant's id of the order.
    pub out_trade_no: Option<String>,
    /// WeChat's id of the order.
    pub order_id: Option<String>,
    /// The amount refunded, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub refund_amount: Option<u64>,
    /// The amount of the order, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub order_amount: Option<u64>,
    /// Where the refund comes from, a code.
    pub refund_from: Option<String>,
    /// Why, a code.
    pub refund_reason: Option<String>,
    /// When the refund was asked for.
    pub create_time: Option<String>,
    /// When it ended.
    pub refund_time: Option<String>,
    /// The result.
    pub refund_status: Option<String>,
    /// WeChat Pay's id of the refund.
    pub wxpay_refund_id: Option<String>,
    /// 0 production, 1 sandbox.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub env: Option<i64>,
    /// The way of payment, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub pay_channel: Option<i64>,
    /// A note.
    pub refund_desc: Option<String>,
}

/// The quota of a paid service runs out (付费管理订单用量告警).
///
/// WeChat sends it as an alarm about the quota of a service that the mini program bought.
///
/// Source: the names that other libraries read.
///
#[doc = sample!("event/charge_service_quota_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChargeServiceQuotaNotify {
    /// The kind of notice: 3.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub event_type: Option<i64>,
    /// The service's id.
    pub spu_id: String,
    /// The service's name.
    pub spu_name: Option<String>,
    /// The quota.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub total_quota: Option<u64>,
    /// What is used up of the quota.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub total_used_quota: Option<u64>,
}
