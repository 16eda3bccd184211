//! Cards and coupons (微信卡券) and gift cards (礼品卡): reviews, and what users do with them.

use serde::{Deserialize, Serialize};

use super::read::optional_flag;
use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// A card passed its review (审核事件推送).
///
/// WeChat sends it when it accepts a new card.
///
#[doc = sample!("event/card_pass_check")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardPassCheck {
    /// The id of the card's template.
    pub card_id: String,
}

/// A card failed its review (审核事件推送).
///
/// WeChat sends it when it rejects a new card.
///
#[doc = sample!("event/card_not_pass_check")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardNotPassCheck {
    /// The id of the card's template.
    pub card_id: String,
    /// Why it was rejected.
    #[serde(default)]
    pub refuse_reason: String,
}

/// A review of a merchant (子商户审核事件推送).
///
/// WeChat sends it when it accepts or rejects a sub-merchant of the account.
///
#[doc = sample!("event/card_merchant_check_result")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardMerchantCheckResult {
    /// The merchant's id.
    pub merchant_id: String,
    /// Whether WeChat accepted the merchant.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_pass: Option<bool>,
    /// Why it was rejected.
    #[serde(default)]
    pub reason: String,
}

/// A card is nearly out of stock (库存报警).
///
/// WeChat sends it when few cards are left of a large initial stock.
///
#[doc = sample!("event/card_sku_remind")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CardSkuRemind {
    /// The id of the card's template.
    pub card_id: String,
    /// The remaining stock in words.
    #[serde(default)]
    pub detail: String,
}

/// The account's coupon credits changed (券点流水详情事件).
///
/// WeChat sends it when an order of credits changes.
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
    /// `ORDER_STATUS_ROLLBACK`, `ORDER_STATUS_HAS_RECEIPT`, or a newer status.
    #[serde(default)]
    pub status: String,
    /// When the order was made.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub create_order_time: Option<Timestamp>,
    /// When the order was paid; 0 if it was not paid.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub pay_finish_time: Option<Timestamp>,
    /// The method of payment.
    #[serde(default)]
    pub desc: String,
    /// The number of free credits.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub free_coin_count: Option<u64>,
    /// The number of paid credits.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub pay_coin_count: Option<u64>,
    /// The number of refunded free credits.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub refund_free_coin_count: Option<u64>,
    /// The number of refunded paid credits.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub refund_pay_coin_count: Option<u64>,
    /// `ORDER_TYPE_SYS_ADD`, `ORDER_TYPE_WXPAY`, `ORDER_TYPE_REFUND`, `ORDER_TYPE_REDUCE`,
    /// `ORDER_TYPE_SYS_REDUCE`, or a newer type.
    #[serde(default)]
    pub order_type: String,
    /// A note from the system.
    #[serde(default)]
    pub memo: String,
    /// Information about the receipt.
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
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
    /// Whether the card is a gift from a friend.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_give_by_friend: Option<bool>,
    /// The friend's OpenID, if the card is a gift.
    pub friend_user_name: Option<String>,
    /// The id of the channel through which the card was given out. `outer_str` replaces it.
    pub outer_id: Option<String>,
    /// The name of the channel through which the card was given out, as the account chose it.
    pub outer_str: Option<String>,
    /// The number of the friend's card, if the card is a gift.
    pub old_user_card_code: Option<String>,
    /// Whether the user had deleted this member card before.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_restore_member_card: Option<bool>,
    /// Whether a friend recommended the card.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_recommend_by_friend: Option<bool>,
    /// The user's `UnionID`, if the account is part of an open-platform account.
    pub union_id: Option<String>,
}

/// A user gave a card away (转赠事件推送).
///
/// WeChat sends it when a user sends one of the account's cards to a friend or into a group.
///
#[doc = sample!("event/user_gifting_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserGiftingCard {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
    /// Whether the gift was returned because nobody accepted it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_return_back: Option<bool>,
    /// The OpenID of the friend who gets the card.
    pub friend_user_name: Option<String>,
    /// Whether the card was sent into a group.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_chat_room: Option<bool>,
}

/// A user deleted a card (删除事件推送).
///
/// WeChat sends it when a user removes one of the account's cards from the wallet.
///
#[doc = sample!("event/user_del_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserDelCard {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
}

/// A card was redeemed (核销事件推送).
///
/// WeChat sends it when a user has used one of the account's cards.
///
#[doc = sample!("event/user_consume_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserConsumeCard {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
    /// How it was redeemed: `FROM_API`, `FROM_MP`, `FROM_MOBILE_HELPER`, or a newer source.
    #[serde(default)]
    pub consume_source: String,
    /// The store's name, if an employee redeemed the card by phone.
    pub location_name: Option<String>,
    /// The OpenID of the employee who redeemed the card.
    pub staff_open_id: Option<String>,
    /// The verification code that the user showed.
    pub verify_code: Option<String>,
    /// The amount that was noted.
    pub remark_amount: Option<String>,
    /// The name of the channel through which the card was given out, as the account chose it.
    pub outer_str: Option<String>,
}

/// A user paid with a card (买单事件推送).
///
/// WeChat sends it when a user pays through the card's payment page.
///
#[doc = sample!("event/user_pay_from_pay_cell")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserPayFromPayCell {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
    /// WeChat Pay's transaction id.
    #[serde(default)]
    pub trans_id: String,
    /// The store's id.
    pub location_id: Option<String>,
    /// The amount paid, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub fee: Option<u64>,
    /// The amount before the card's discount, in cents (分).
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub original_fee: Option<u64>,
}

/// A user opened a member card (进入会员卡事件推送).
///
/// WeChat sends it if the card's settings ask for it.
///
#[doc = sample!("event/user_view_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserViewCard {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
    /// The name of the channel through which the card was given out, as the account chose it.
    pub outer_str: Option<String>,
}

/// A user went from a card to the chat (从卡券进入公众号会话事件推送).
///
/// WeChat sends it when a user opens the chat from one of the account's cards.
///
#[doc = sample!("event/user_enter_session_from_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserEnterSessionFromCard {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
}

/// A member card's content changed (会员卡内容更新事件).
///
/// WeChat sends it when the card's bonus or balance changes.
///
#[doc = sample!("event/update_member_card")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UpdateMemberCard {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
    /// The change of the bonus. It may be negative.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub modify_bonus: Option<i64>,
    /// The change of the balance. It may be negative.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub modify_balance: Option<i64>,
}

/// A user activated a member card (会员卡激活事件推送).
///
/// WeChat sends it when a user has filled in the activation form.
///
#[doc = sample!("event/submit_membercard_user_info")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SubmitMemberCardUserInfo {
    /// The id of the card's template.
    pub card_id: String,
    /// The number of the user's card.
    #[serde(default)]
    pub user_card_code: String,
}

/// A user paid for a gift card (用户购买礼品卡付款成功).
///
/// WeChat sends it when the payment has succeeded.
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

/// A user gave a gift card away (用户购买后赠送).
///
/// WeChat sends it when a user sends a gift card to a friend or into a group.
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
    /// Whether the gift card was sent into a group.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_chat_room: Option<bool>,
    /// Whether the gift was returned because nobody accepted it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_return_back: Option<bool>,
}

/// A user accepted a gift card (用户领取礼品卡成功).
///
/// WeChat sends it when a friend of the buyer accepts the gift card.
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
    /// Whether the gift card was sent into a group.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_chat_room: Option<bool>,
}
