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

/// A user paid for coins (代币支付推送).
///
/// WeChat sends it when a user has paid for coins of a mini program.
///
/// Source: WeChat's page "Virtual payment" (virtual-payment).
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
    /// The coins.
    pub coin_info: Option<XpayCoins>,
    /// How often WeChat has sent it again.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub retry_times: Option<u64>,
}

/// Coins that were bought.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayCoins {
    /// The number of coins.
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
    /// When the refund succeeded.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub refund_succ_timestamp: Option<Timestamp>,
    /// WeChat Pay's number of the refund.
    pub wxpay_refund_transaction_id: Option<String>,
    /// How often WeChat has sent it again.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub retry_times: Option<u64>,
}

/// A user complained about a virtual payment (投诉推送).
///
/// WeChat sends it when a user complains. The complaint itself is read with the API of virtual payment.
///
/// Source: the names that other libraries read. WeChat's page names the event only.
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
    pub request_id: String,
}

/// WeChat Pay restricted the merchant (微信支付风控推送).
///
/// WeChat sends it when WeChat Pay changes what the mini program's merchant may do.
///
/// Source: the names that other libraries read.
///
#[doc = sample!("event/xpay_wxpay_callback_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct XpayWxpayCallbackNotify {
    /// The kind of restriction.
    pub event_type: Option<String>,
    /// The merchant's business.
    pub business_code: Option<String>,
    /// The state of the restriction.
    pub business_state: Option<String>,
    /// A note.
    pub remark: Option<String>,
}

/// A user subscribed to virtual goods, or ended the subscription (订阅签约结果推送).
///
/// WeChat sends it for a contract with WeChat Pay, and for one with Apple.
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
    /// The result, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub contract_result: Option<i64>,
    /// The result in words.
    pub contract_result_msg: Option<String>,
    /// The contract's id.
    pub contract_id: Option<String>,
    /// Data that the merchant attached to the order.
    pub attach: Option<String>,
}

/// A subscription could not be renewed (订阅扣费失败推送).
///
/// WeChat sends it when a payment of a subscription fails.
///
/// Source: WeChat documents its name only, so all own fields are here as they came.
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
/// WeChat sends it when a user asks Apple for a refund. It wants an [answer](super#answers-of-virtual-payment) within 3 s.
/// Without one, Apple decides alone.
///
/// All fields are texts on the wire.
///
/// Source: WeChat's page "Virtual payment" (virtual-payment). Its table lacks Event. A push without it arrives as
/// [`OtherMessage`](crate::message::OtherMessage), whose `deserialize` reads this type.
///
#[doc = sample!("event/xpay_subscribe_ios_refund_query_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct XpaySubscribeIosRefundQueryNotify {
    /// When the user asked for the refund.
    pub refund_time: Option<String>,
    /// When the user paid.
    pub order_time: Option<String>,
    /// Apple's number of the payment.
    pub channel_bill: Option<String>,
    /// The goods' id.
    pub product_id: Option<String>,
    /// The quantity.
    pub p_count: Option<String>,
    /// Why the user wants the money back.
    pub refund_request_reason: Option<String>,
    /// Whether the goods were delivered, a code.
    pub provide_status: Option<String>,
    /// WeChat's id of the order.
    pub pay_order_id: String,
}

/// Coins of a mini game were delivered (小游戏道具发货推送).
///
/// WeChat sends it when it has credited coins that a user bought in a mini game.
///
/// Source: the page of WeChat's mini games on deliveries.
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
    /// The signature of the payload, with the key of virtual payment.
    pub pay_event_sig: Option<String>,
    /// Whether it is a test from the console.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_mock: Option<bool>,
}
