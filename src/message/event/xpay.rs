//! Virtual payment (虚拟支付) of mini programs and mini games: coins, goods, refunds, complaints and subscriptions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::read::optional_flag;
use crate::{
    timestamp::{self, Timestamp},
    xml::{self, Value},
};

/// A user paid for virtual goods (道具发货推送).
///
/// WeChat sends it when a user has paid for virtual goods of a mini program. The account then delivers the goods and
/// [answers](super#answers-of-virtual-payment).
///
/// Source: WeChat's page "Virtual payment" (virtual-payment).
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

/// A user paid with coins (代币支付推送).
///
/// WeChat sends it when a user has paid for something in a mini program with its coins.
///
/// Source: WeChat's page "Virtual payment" (virtual-payment), and the one on its callbacks (virtual-payment-callback).
///
#[doc = sample!("event/xpay_coin_pay_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayCoinPayNotify {
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
    /// What was paid.
    pub coin_info: Option<XpayCoins>,
    /// How often WeChat has sent it again.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub retry_times: Option<u64>,
}

/// What was paid with coins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayCoins {
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
    pub attach: Option<String>,
}

/// A refund ended (退款推送).
///
/// WeChat sends it when a refund of a virtual payment has succeeded or failed.
///
/// Source: WeChat's page "Virtual payment" (virtual-payment).
///
#[doc = sample!("event/xpay_refund_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayRefundNotify {
    /// The user's OpenID.
    #[serde(default)]
    pub open_id: String,
    /// WeChat's id of the refund.
    pub wx_refund_id: String,
    /// The merchant's id of the refund.
    pub mch_refund_id: Option<String>,
    /// WeChat's id of the order.
    pub wx_order_id: Option<String>,
    /// The merchant's id of the order.
    pub mch_order_id: Option<String>,
    /// The amount refunded, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub refund_fee: Option<u64>,
    /// 0, or the code of the error.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub ret_code: Option<i64>,
    /// The result in words.
    pub ret_msg: Option<String>,
    /// When the refund began.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub refund_start_timestamp: Option<Timestamp>,
    /// When the refund ended.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub refund_succ_timestamp: Option<Timestamp>,
    /// WeChat Pay's number of the refund.
    pub wxpay_refund_transaction_id: Option<String>,
    /// Data that the merchant attached to the order, for a refund by Apple.
    pub attach: Option<String>,
    /// The number of the payment, for a refund by Apple.
    pub wx_transaction_id: Option<String>,
    /// How often WeChat has sent it again.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub retry_times: Option<u64>,
}

/// A user complained about a virtual payment (投诉推送).
///
/// WeChat sends it when a user complains. The complaint itself is read with the API of virtual payment.
///
/// Source: the names that other libraries read. Not all of them read each. WeChat's page on callbacks
/// (virtual-payment-callback) names the event only.
///
#[doc = sample!("event/xpay_complaint_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayComplaintNotify {
    /// The user's OpenID.
    #[serde(default)]
    pub open_id: String,
    /// WeChat's id of the order.
    pub wx_order_id: Option<String>,
    /// The merchant's id of the order.
    pub mch_order_id: Option<String>,
    /// WeChat Pay's number of the payment.
    pub transaction_id: Option<String>,
    /// The complaint's id.
    pub complaint_id: Option<String>,
    /// What the user complains about.
    pub complaint_detail: Option<String>,
    /// When the user complained.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub complaint_time: Option<Timestamp>,
    /// How often WeChat has sent it again.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub retry_times: Option<u64>,
    /// The id of the push. WeChat's retries repeat it.
    pub request_id: Option<String>,
}

/// WeChat Pay examines or restricts the merchant (微信支付风控事件通知).
///
/// WeChat sends it when WeChat Pay's risk control asks for documents (尽职调查), or restricts the mini program's merchant
/// (管控).
///
/// Source: the names that other libraries read.
///
#[doc = sample!("event/xpay_wxpay_callback_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayWxpayCallbackNotify {
    /// The kind: `due_diligence` or `punishment`.
    pub event_type: Option<String>,
    /// The number of the case.
    pub business_code: Option<String>,
    /// The state of the case.
    pub business_state: Option<String>,
    /// When it happened, as RFC 3339 writes it.
    pub business_time: Option<String>,
    /// The mini program's app id.
    pub app_id: Option<String>,
    /// The mini program's name.
    pub nick_name: Option<String>,
    /// The merchant's number.
    pub merchant_code: Option<String>,
    /// The merchant's name.
    pub merchant_company_name: Option<String>,
    /// A note.
    pub remark: Option<String>,
    /// How often WeChat has sent it again.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub retry_times: Option<u64>,
}

/// The contract for a subscription to virtual goods was made, or failed (订阅签约结果推送).
///
/// WeChat sends it for a contract with WeChat Pay, and for one with Apple under a name of its own.
///
/// Source: WeChat's page "Subscription" (business-capabilities/vip).
///
#[doc = sample!("event/xpay_subscribe_signing_result_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpaySubscribeSigningResultNotify {
    /// The user's OpenID.
    #[serde(default)]
    pub open_id: String,
    /// The merchant's id of the order.
    pub out_trade_no: Option<String>,
    /// 0 production, 1 sandbox.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub env: Option<i64>,
    /// The goods' id.
    pub product_id: Option<String>,
    /// 0, or the code of the failure.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub contract_result: Option<i64>,
    /// The result in words: why it failed.
    pub contract_result_msg: Option<String>,
    /// The contract's id; `None` if it failed.
    pub contract_id: Option<String>,
    /// Data that the merchant attached to the order.
    pub attach: Option<String>,
}

/// A subscription could not be renewed (订阅扣费失败推送).
///
/// WeChat sends it when a payment of a subscription fails.
///
/// Source: WeChat's page on callbacks (virtual-payment-callback) names the event only, so all own fields are here as they
/// came.
///
#[doc = sample!("event/xpay_subscribe_pay_fail_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct XpaySubscribePayFailNotify {
    /// The fields of the event without the common ones, by name.
    pub fields: BTreeMap<String, Value>,
}

/// Apple asks whether to refund a subscription (iOS 订阅退款问询).
///
/// WeChat sends it when a user asks Apple for a refund, up to three times. It wants an
/// [answer](super#answers-of-virtual-payment) within 3 s. Without one, Apple decides alone.
///
/// All fields are texts on the wire.
///
/// Source: WeChat's page on virtual payment on iOS (virtual-payment/ios). Its table lacks Event; a push that was published
/// has it. A push without it arrives as [`OtherMessage`](crate::message::OtherMessage), whose `deserialize` reads this type.
///
#[doc = sample!("event/xpay_subscribe_ios_refund_query_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct XpaySubscribeIosRefundQueryNotify {
    /// When Apple asked: seconds since the Unix epoch.
    pub refund_time: Option<String>,
    /// When the user paid: seconds since the Unix epoch.
    pub order_time: Option<String>,
    /// Apple's number of the payment.
    pub channel_bill: Option<String>,
    /// The app's bundle id at Apple.
    pub bundleid: Option<String>,
    /// The goods' id.
    pub product_id: Option<String>,
    /// The quantity of goods or coins.
    pub p_count: Option<String>,
    /// Why the user wants the money back.
    pub refund_request_reason: Option<String>,
    /// Whether the goods were delivered: 0 not delivered, 1 delivered, 2 being delivered.
    pub provide_status: Option<String>,
    /// The merchant's id of the order.
    pub pay_order_id: String,
}

/// Coins of a mini game were delivered (游戏币发货完成事件).
///
/// WeChat sends it when it has credited coins that a user bought in a mini game. It wants an
/// [answer](super#answers-of-virtual-payment).
///
/// Source: WeChat's page on events of payment (minigame, virtual-payment/event). Its sample has neither a receiver nor a
/// sender.
///
#[doc = sample!("event/minigame_coin_deliver_completed")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct MinigameCoinDeliverCompleted {
    /// The delivery.
    pub mini_game: MinigameDelivery,
}

/// What was delivered to a user of a mini game.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct MinigameDelivery {
    /// The order as JSON text. It is signed apart from the push.
    pub payload: String,
    /// The signature: HMAC-SHA256 in hexadecimal of the event's name, `&` and the payload, with the `AppKey` of payment.
    pub pay_event_sig: Option<String>,
    /// Whether it is a test from the console, whose data is random.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_mock: Option<bool>,
}
