//! Cards and coupons (微信卡券) and gift cards (礼品卡): their review, and what users do with them.

use serde::{Deserialize, Serialize};

use super::read::optional_flag;
use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// A card passed its review (审核事件推送).
///
/// WeChat sends it when a new card may be given out.
///
#[doc = sample!("event/card_pass_check")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardPassCheck {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
}

/// A card did not pass its review (审核事件推送).
///
/// WeChat sends it when a new card was refused.
///
#[doc = sample!("event/card_not_pass_check")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardNotPassCheck {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// Why.
    #[serde(default)]
    pub refuse_reason: String,
}

/// A merchant was reviewed (子商户审核事件推送).
///
/// WeChat sends it when a merchant whom the account acts for was accepted or refused.
///
#[doc = sample!("event/card_merchant_check_result")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardMerchantCheckResult {
    /// The merchant's id.
    pub merchant_id: String,
    /// Whether the merchant was accepted.
    pub is_pass: bool,
    /// Why not.
    #[serde(default)]
    pub reason: String,
}

/// A card is running out (库存报警).
///
/// WeChat sends it when few of a card are left, if there were many.
///
#[doc = sample!("event/card_sku_remind")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardSkuRemind {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// How many are left, in words.
    #[serde(default)]
    pub detail: String,
}

/// An order of coupon credits has moved (券点流水详情事件).
///
/// WeChat sends it when the account's credits change.
///
#[doc = sample!("event/card_pay_order")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardPayOrder {
    /// The order's id.
    pub order_id: String,
    /// `ORDER_STATUS_WAITING`, `ORDER_STATUS_SUCC`, `ORDER_STATUS_FINANCE_SUCC`,
    /// `ORDER_STATUS_QUANTITY_SUCC`, `ORDER_STATUS_HAS_REFUND`, `ORDER_STATUS_REFUND_WAITING`,
    /// `ORDER_STATUS_ROLLBACK`, `ORDER_STATUS_HAS_RECEIPT` or one that came later.
    pub status: String,
    /// When it was ordered, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub create_order_time: Option<Timestamp>,
    /// When it was paid, in seconds since the Unix epoch; 0 if it was not.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub pay_finish_time: Option<Timestamp>,
    /// How it was paid.
    #[serde(default)]
    pub desc: String,
    /// Free credits.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub free_coin_count: Option<u64>,
    /// Credits paid for.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub pay_coin_count: Option<u64>,
    /// Free credits given back.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub refund_free_coin_count: Option<u64>,
    /// Credits paid for and given back.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub refund_pay_coin_count: Option<u64>,
    /// `ORDER_TYPE_SYS_ADD`, `ORDER_TYPE_WXPAY`, `ORDER_TYPE_REFUND`, `ORDER_TYPE_REDUCE`,
    /// `ORDER_TYPE_SYS_REDUCE` or one that came later.
    #[serde(default)]
    pub order_type: String,
    /// A note of the system's.
    #[serde(default)]
    pub memo: String,
    /// About the receipt.
    #[serde(default)]
    pub receipt_info: String,
}

/// A user took a card (领取事件推送).
///
/// WeChat sends it when a user puts one of the account's cards into the wallet.
///
#[doc = sample!("event/user_get_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserGetCard {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
    /// Whether a friend gave it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_give_by_friend: Option<bool>,
    /// The giver's OpenID, if a friend gave it.
    pub friend_user_name: Option<String>,
    /// The number of the place it was given out at; see `outer_str`.
    pub outer_id: Option<String>,
    /// The name of the place it was given out at, as the account chose it.
    pub outer_str: Option<String>,
    /// The number that the card had with the giver.
    pub old_user_card_code: Option<String>,
    /// Whether the user had deleted this member card before.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_restore_member_card: Option<bool>,
    /// Whether a friend recommended it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_recommend_by_friend: Option<bool>,
    /// The user's `UnionID`, if the account is part of an open-platform account.
    pub union_id: Option<String>,
}

/// A user gives a card away (转赠事件推送).
///
/// WeChat sends it when a user sends one of the account's cards to a friend or into a group.
///
#[doc = sample!("event/user_gifting_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserGiftingCard {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
    /// Whether the gift was not taken, and has come back.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_return_back: Option<bool>,
    /// The OpenID of the friend it is for.
    pub friend_user_name: Option<String>,
    /// Whether it was sent into a group.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_chat_room: Option<bool>,
}

/// A user deleted a card (删除事件推送).
///
/// WeChat sends it when a user takes one of the account's cards out of the wallet.
///
#[doc = sample!("event/user_del_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserDelCard {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
}

/// A card was used up (核销事件推送).
///
/// WeChat sends it when one of the account's cards was redeemed.
///
#[doc = sample!("event/user_consume_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserConsumeCard {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
    /// How: `FROM_API`, `FROM_MP`, `FROM_MOBILE_HELPER` or one that came later.
    #[serde(default)]
    pub consume_source: String,
    /// The shop, if an agent's phone redeemed it.
    pub location_name: Option<String>,
    /// The OpenID of the agent who did.
    pub staff_open_id: Option<String>,
    /// The code that the user showed.
    pub verify_code: Option<String>,
    /// The amount that was noted.
    pub remark_amount: Option<String>,
    /// The name of the place it was given out at, as the account chose it.
    pub outer_str: Option<String>,
}

/// A user paid with a card (买单事件推送).
///
/// WeChat sends it when a user has paid through the card's own payment page.
///
#[doc = sample!("event/user_pay_from_pay_cell")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserPayFromPayCell {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
    /// WeChat Pay's transaction id.
    pub trans_id: String,
    /// The shop's id.
    pub location_id: Option<String>,
    /// What was paid, in cents (分).
    pub fee: u64,
    /// What it would have been without the card, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub original_fee: Option<u64>,
}

/// A user looked at a member card (进入会员卡事件推送).
///
/// WeChat sends it when a user opens one, if the card asks for it.
///
#[doc = sample!("event/user_view_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserViewCard {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
    /// The name of the place it was given out at, as the account chose it.
    pub outer_str: Option<String>,
}

/// A user came from a card (从卡券进入公众号会话事件推送).
///
/// WeChat sends it when a user goes from one of the account's cards to the chat.
///
#[doc = sample!("event/user_enter_session_from_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserEnterSessionFromCard {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
}

/// A member card's content changed (会员卡内容更新事件).
///
/// WeChat sends it when its bonus or balance has changed.
///
#[doc = sample!("event/update_member_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UpdateMemberCard {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
    /// How much bonus was added; negative if it was taken.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub modify_bonus: Option<i64>,
    /// How much was added to the balance; negative if it was taken.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub modify_balance: Option<i64>,
}

/// A member card was activated (会员卡激活事件推送).
///
/// WeChat sends it when a user has filled in the form that activates a member card.
///
#[doc = sample!("event/submit_membercard_user_info")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubmitMemberCardUserInfo {
    /// The card's id: the template that cards are made from.
    pub card_id: String,
    /// The number of the user's card.
    pub user_card_code: String,
}

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
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_chat_room: Option<bool>,
    /// Whether it was not taken, and has come back.
    #[serde(default, deserialize_with = "optional_flag")]
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
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_chat_room: Option<bool>,
}
