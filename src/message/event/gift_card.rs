//! Gift cards (礼品卡).

use serde::{Deserialize, Serialize};

use super::flag;

/// A gift card was bought (用户购买礼品卡付款成功).
///
/// WeChat sends it when a user has paid for one.
///
#[doc = sample!("event/giftcard_pay_done")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GiftCardPayDone {
    /// The id of the gift card's page.
    #[serde(default)]
    pub page_id: String,
    /// The order's id.
    pub order_id: String,
}

/// A gift card was given away (用户购买后赠送).
///
/// WeChat sends it when a user sends one to a friend or into a group.
///
#[doc = sample!("event/giftcard_send_to_friend")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GiftCardSendToFriend {
    /// The id of the gift card's page.
    #[serde(default)]
    pub page_id: String,
    /// The order's id.
    pub order_id: String,
    /// Whether it was sent into a group.
    #[serde(default, deserialize_with = "flag::optional")]
    pub is_chat_room: Option<bool>,
    /// Whether it was not taken, and has come back.
    #[serde(default, deserialize_with = "flag::optional")]
    pub is_return_back: Option<bool>,
}

/// A gift card was taken (用户领取礼品卡成功).
///
/// WeChat sends it when a friend of the buyer takes one.
///
#[doc = sample!("event/giftcard_user_accept")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GiftCardUserAccept {
    /// The id of the gift card's page.
    #[serde(default)]
    pub page_id: String,
    /// The order's id.
    pub order_id: String,
    /// Whether it was sent into a group.
    #[serde(default, deserialize_with = "flag::optional")]
    pub is_chat_room: Option<bool>,
}
