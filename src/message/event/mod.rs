//! Events, by family, and which of them accept a reply.
//!
//! An event arrives as an [`EventMessage`]. Its own fields are an [`Event`], which has a variant for each event
//! that WeChat documents, and [`Event::Other`] for the rest:
//!
//! ```
//! use tower_wechat::{Message, Reply, message::Event};
//!
//! fn answer(message: &Message) -> Reply {
//!     let Message::Event(event) = message else {
//!         return Reply::success();
//!     };
//!     match &event.event {
//!         Event::Subscribe(subscribe) => match subscribe.scene() {
//!             Some(scene) => Reply::text(format!("Welcome from {scene}")),
//!             None => Reply::text("Welcome"),
//!         },
//!         Event::Click(click) => match click.event_key.as_deref() {
//!             Some("today") => Reply::text("Sunny"),
//!             _ => Reply::text("Choose a day"),
//!         },
//!         Event::MassSendJobFinish(job) => {
//!             println!("job {}: {}, sent {:?}", job.msg_id, job.status, job.sent_count);
//!             Reply::success()
//!         }
//!         _ => Reply::success(),
//!     }
//! }
//! # answer(&Message::default());
//! ```
//!
//! An event type requires only the id of the thing that the event is about. Numbers, times and flags are `Option`s: WeChat
//! leaves some out, and sends others empty. A text that WeChat leaves out is `None`, or `""` in a field of type `String`. A
//! value that WeChat may extend, such as a status, is a text or a number: a new value would break an enum. An id is a text,
//! though most ids are numbers.
//!
//! # Answers of virtual payment
//!
//! Virtual payment (虚拟支付) sends the events that begin with `xpay_`. It wants its own answer to each, an
//! [`XpayAnswer`](crate::reply::XpayAnswer): an ErrCode and an ErrMsg. Any other answer is a failure. Then virtual payment
//! sends the event again after 2, 4, 8 … s, up to 15 times in 18 hours. Each retry adds 1 to `RetryTimes`.
//!
//! Mini games want the same answer to [`MinigameCoinDeliverCompleted`]. They send it up to 13 times, over 12 hours.
//!
//! Deduplication [recognizes the retries](crate::dedup#pushes-that-are-retried-until-they-are-answered) of goods, coins,
//! refunds and complaints, and gives them the same answer for 25 hours. A process that is restarted, or a store that has
//! lost its data, does not know them: so let the handler recognize an order (`out_trade_no`), a refund (`wx_refund_id`) or
//! a complaint (`request_id`) that it has dealt with.
//!
//! # Events without a type
//!
//! Some products have no types here: WeChat shop (微信小店), express (物流助手) and instant delivery (即时配送). Their events
//! arrive as [`Event::Other`] with all fields. [`OtherMessage::deserialize`] reads them into a type of your own, and
//! [`Reply::custom`](crate::Reply::custom) answers in the push's format. A shop is content with `success`. Express
//! and delivery companies want an answer of their own to what they are asked:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tower_wechat::{Message, Reply, xml};
//!
//! #[derive(Deserialize)]
//! struct ShopOrder {
//!     order_info: OrderInfo,
//! }
//!
//! #[derive(Deserialize)]
//! struct OrderInfo {
//!     // A number in JSON, a text in XML: both are read.
//!     order_id: String,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct GetQuota {
//!     #[serde(rename = "BizID")]
//!     biz_id: String,
//! }
//!
//! #[derive(Serialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Quota {
//!     #[serde(rename = "BizID")]
//!     biz_id: String,
//!     result_code: i32,
//!     result_msg: &'static str,
//!     quota: f64,
//! }
//!
//! fn answer(message: &Message) -> Result<Reply, xml::Error> {
//!     let Some(other) = message.other() else {
//!         return Ok(Reply::success());
//!     };
//!     Ok(match other.event() {
//!         Some("channels_ec_order_new") => {
//!             let order: ShopOrder = other.deserialize()?;
//!             println!("a new order: {}", order.order_info.order_id);
//!             Reply::success()
//!         }
//!         Some("get_quota") => {
//!             let GetQuota { biz_id } = other.deserialize()?;
//!             Reply::custom(&Quota { biz_id, result_code: 0, result_msg: "OK", quota: 12.5 })
//!         }
//!         _ => Reply::success(),
//!     })
//! }
//!
//! # use tower_wechat::{Timestamp, message::Head, reply::Addressing};
//! let push = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1717500123</CreateTime>
//!     <MsgType>event</MsgType><Event>get_quota</Event><BizID>biz-7</BizID></xml>";
//! let reply = answer(&xml::from_str(push)?)?;
//! # let head = Head::read(push.as_bytes())?;
//! # let rendered = reply.render(&Addressing::answering(&head), Timestamp::now()).unwrap();
//! assert_eq!(
//!     rendered.body(),
//!     "<xml><BizID><![CDATA[biz-7]]></BizID><ResultCode>0</ResultCode>\
//!      <ResultMsg><![CDATA[OK]]></ResultMsg><Quota>12.5</Quota></xml>",
//! );
//! # Ok::<(), xml::Error>(())
//! ```
//!
//! With [`message_fn`](crate::message_fn), `answer` is the handler.
//!
//! # Events that do not fit their type
//!
//! An event that does not fit its type arrives as [`Event::Other`] with all its fields and the
//! [misfit](OtherMessage::misfit).

mod audit;
mod card;
mod contact;
mod content;
mod customer_service;
mod job;
mod menu;
mod order;
mod product;
mod read;
mod shop;
mod subscription;
mod trade;
mod user;
mod wecom;
mod xpay;

use serde::{Serialize, Serializer, de::MapAccess};

use self::read::Common;
pub(super) use self::read::{Unknown, read, unknown};
pub use self::{
    audit::{
        Accreditation, AccreditationFailure, AppealMaterial, AppealReason, IllegalMaterial,
        MediaCheckDetail, MediaCheckResult, PrivacyApplyResult, WeappAuditDelay, WeappAuditFail,
        WeappAuditSuccess, WxVerifyDispatch, WxVerifyPaySucc, WxaAppealRecord, WxaCategoryAudit,
        WxaIllegalRecord, WxaMediaCheck, WxaNicknameAudit, WxaPrivacyApply,
    },
    card::{
        CardMerchantCheckResult, CardNotPassCheck, CardPassCheck, CardPayOrder, CardSkuRemind,
        GiftCardPayDone, GiftCardSendToFriend, GiftCardUserAccept, SubmitMemberCardUserInfo,
        UpdateMemberCard, UserConsumeCard, UserDelCard, UserEnterSessionFromCard, UserGetCard,
        UserGiftingCard, UserPayFromPayCell, UserViewCard,
    },
    contact::{
        ChangeContact, ChangeExternalContact, ContactParty, ContactTag, ContactUser,
        ExternalContact,
    },
    content::{
        ContentAudit, SecbookAudit, SecbookAuditResult, SecvodAudit, SecvodAuditResult,
        SecvodUpload, SecvodUploadResult, WxaComment, WxaCommentBadScore, WxaliveFollow,
        WxaliveFollowNotify, WxalivePushMessageNotify, WxalivePushResult,
    },
    customer_service::{
        GuideQrcodeScan, GuideScanEvent, KfSession, KfSwitchSession, UserEnterTempsession,
    },
    job::{
        ArticleDetail, ArticleUrl, ArticleUrlResult, CopyrightCheck, CopyrightCheckResult,
        MassSendJobFinish, PublishEventInfo, PublishJobFinish, PublishedArticle,
        TemplateSendJobFinish,
    },
    menu::{
        Click, LocationSelect, Picture, ScanCode, ScanCodeInfo, SendLocationInfo, SendPics,
        SendPicsInfo, View, ViewMiniProgram,
    },
    order::{
        AddExpressPath, CloudInvoiceResult, ExpressAction, MerchantOrder, SubmitInvoiceTitle,
        UpdateInvoiceStatus, UserAuthorizeInvoice,
    },
    product::{
        UserScanProduct, UserScanProductAsync, UserScanProductEnterSession,
        UserScanProductVerifyAction,
    },
    shop::{
        AddStoreAuditInfo, AroundBeacons, Beacon, CreateMapPoiAuditInfo, NearbyAudit,
        PoiCheckNotify, ShakearoundUserShake, StoreAudit, WifiConnected,
    },
    subscription::{
        SubscribeMsgChange, SubscribeMsgChoice, SubscribeMsgPopup, SubscribeMsgResult,
        SubscribeMsgSent, SubscribeMsgSetting,
    },
    trade::{
        ChargeServiceQuotaNotify, RetailRefundNotify, TradeManageOrderSettlement,
        TradeManageRemindAccessApi, TradeManageRemindShipping,
    },
    user::{Enter, Location, Scan, Subscribe, Unsubscribe, UserAuthorization, UserInfoModified},
    wecom::{
        BatchJob, BatchJobResult, EnterAgent, KfMsgOrEvent, OpenApproval, OpenApprovalChange,
        OptionIds, SelectedItem, SelectedItems, SysApproval, SysApprovalChange, TaskcardClick,
        TemplateCardEvent,
    },
    xpay::{
        MinigameCoinDeliverCompleted, MinigameDelivery, XpayCoinPayNotify, XpayCoins,
        XpayComplaintNotify, XpayGoods, XpayGoodsDeliverNotify, XpayPayment, XpayRefundNotify,
        XpaySubscribeIosRefundQueryNotify, XpaySubscribePayFailNotify,
        XpaySubscribeSigningResultNotify, XpayWxpayCallbackNotify,
    },
};
use super::{
    field::{self, Named},
    other::OtherMessage,
};
use crate::timestamp::Timestamp;

/// An event (事件推送).
///
/// WeChat sends events for what users do besides writing: they follow the account, scan a code or tap
/// the menu. It also sends them for results of the account's own jobs. An event has no message id, so
/// deduplication recognizes a retry by the whole body, or by the id of the
/// [order, refund or complaint](self#answers-of-virtual-payment).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct EventMessage {
    /// The account's original id (`gh_…`). The pushes of mini games leave it out: then it is empty.
    pub to_user_name: String,
    /// The OpenID of the user that the event is about; `None` if WeChat names no user.
    pub from_user_name: Option<String>,
    /// When the event happened.
    pub create_time: Timestamp,
    /// The [WeCom](super::wecom) app's id; `None` elsewhere.
    pub agent_id: Option<String>,
    /// Where WeCom's user caused it, such as `wxwork`.
    pub app_type: Option<String>,
    /// The event with its own fields.
    pub event: Event,
}

impl EventMessage {
    /// The event with all its fields, if this crate has no type for it, or it does not fit its type.
    pub fn other(&self) -> Option<&OtherMessage> {
        match &self.event {
            Event::Other(other) => Some(other),
            _ => None,
        }
    }
}

impl Named for EventMessage {
    const NAME: &'static str = field::EVENT;
}

impl Serialize for EventMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Document<'a> {
            to_user_name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            from_user_name: Option<&'a str>,
            create_time: Timestamp,
            msg_type: &'a str,
            event: &'a str,
            #[serde(rename = "AgentID", skip_serializing_if = "Option::is_none")]
            agent_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            app_type: Option<&'a str>,
            #[serde(flatten)]
            fields: Fields<'a>,
        }

        if let Event::Other(other) = &self.event {
            return other.serialize(serializer);
        }
        let document = Document {
            to_user_name: &self.to_user_name,
            from_user_name: self.from_user_name.as_deref(),
            create_time: self.create_time,
            msg_type: field::EVENT,
            event: self.event.name(),
            agent_id: self.agent_id.as_deref(),
            app_type: self.app_type.as_deref(),
            fields: Fields(&self.event),
        };
        document.serialize(serializer)
    }
}

/// Declares the events: the variant, the type of its fields, and its names. An event is written under its first
/// name and read under all of them.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($fields:ty): $name:literal $(, $older:literal)*,)*) => {
        /// An event with its own fields, see the [module](self).
        ///
        /// The case of its name does not matter.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])*
            ///
            #[doc = concat!("Event: `", $name, "`" $(, " or `", $older, "`")*, ".")]
            $variant($fields),)*
            /// An event that this crate has no type for, or that does not fit its type. It has all fields of its
            /// body, including the common ones.
            Other(OtherMessage),
        }

        impl Event {
            /// WeChat's name of the event. An unknown event has its name as it came.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Other(other) => other.event().unwrap_or_default(),
                }
            }
        }

        #[derive(Debug, Clone, Copy)]
        enum Known {
            $($variant,)*
        }

        impl Known {
            const NAMES: &[(&str, Self)] = &[$(($name, Self::$variant), $(($older, Self::$variant),)*)*];

            fn read<'de, A: MapAccess<'de>>(
                self,
                common: &mut Common,
                map: A,
            ) -> Result<Event, A::Error> {
                match self {
                    $(Self::$variant => common.read_beside(map).map(Event::$variant),)*
                }
            }
        }

        /// The fields of an event without the common ones.
        struct Fields<'a>(&'a Event);

        impl Serialize for Fields<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    $(Event::$variant(fields) => fields.serialize(serializer),)*
                    Event::Other(other) => other.serialize(serializer),
                }
            }
        }
    };
}

events! {
    /// A user followed the account.
    Subscribe(Subscribe): "subscribe",
    /// A user unfollowed the account.
    Unsubscribe(Unsubscribe): "unsubscribe",
    /// A follower scanned one of the account's QR codes.
    Scan(Scan): "SCAN",
    /// A user opened the chat. WeChat no longer documents this event.
    Enter(Enter): "ENTER",
    /// A user's position.
    Location(Location): "LOCATION",
    /// A user tapped a menu button.
    Click(Click): "CLICK",
    /// A user tapped a menu button that opens a page.
    View(View): "VIEW",
    /// A user tapped a menu button that opens a mini program.
    ViewMiniProgram(ViewMiniProgram): "view_miniprogram",
    /// A user scanned a code with a menu button.
    ScanCodePush(ScanCode): "scancode_push",
    /// A user scanned a code with a menu button and waits for the account's reply.
    ScanCodeWaitMsg(ScanCode): "scancode_waitmsg",
    /// A user took pictures with a menu button.
    PicSysPhoto(SendPics): "pic_sysphoto",
    /// A user took or chose pictures with a menu button.
    PicPhotoOrAlbum(SendPics): "pic_photo_or_album",
    /// A user chose pictures with a menu button.
    PicWeixin(SendPics): "pic_weixin",
    /// A user chose a place with a menu button.
    LocationSelect(LocationSelect): "location_select",
    /// Delivery of a template message succeeded or failed.
    TemplateSendJobFinish(TemplateSendJobFinish): "TEMPLATESENDJOBFINISH",
    /// A mass-send job ended.
    MassSendJobFinish(Box<MassSendJobFinish>): "MASSSENDJOBFINISH",
    /// A publishing job ended.
    PublishJobFinish(PublishJobFinish): "PUBLISHJOBFINISH", "FREEPUBLISHJOBFINISH",
    /// A user chose which subscription messages to allow.
    SubscribeMsgPopup(SubscribeMsgPopup): "subscribe_msg_popup_event",
    /// A user changed which subscription messages to allow.
    SubscribeMsgChange(SubscribeMsgChange): "subscribe_msg_change_event",
    /// Delivery of a subscription message succeeded or failed.
    SubscribeMsgSent(SubscribeMsgSent): "subscribe_msg_sent_event",
    /// WeChat verified the account's qualification.
    QualificationVerifySuccess(Accreditation): "qualification_verify_success",
    /// WeChat rejected the account's qualification.
    QualificationVerifyFail(AccreditationFailure): "qualification_verify_fail",
    /// WeChat verified the account's name.
    NamingVerifySuccess(Accreditation): "naming_verify_success",
    /// WeChat rejected the account's name.
    NamingVerifyFail(AccreditationFailure): "naming_verify_fail",
    /// The yearly renewal of the accreditation is due.
    AnnualRenew(Accreditation): "annual_renew",
    /// The accreditation expired.
    VerifyExpired(Accreditation): "verify_expired",
    /// A customer-service agent took a user's session.
    KfCreateSession(KfSession): "kf_create_session",
    /// A customer-service agent closed a user's session.
    KfCloseSession(KfSession): "kf_close_session",
    /// A customer-service agent handed a user's session to another agent.
    KfSwitchSession(KfSwitchSession): "kf_switch_session",
    /// A card passed its review.
    CardPassCheck(CardPassCheck): "card_pass_check",
    /// A card failed its review.
    CardNotPassCheck(CardNotPassCheck): "card_not_pass_check",
    /// WeChat accepted or rejected a merchant.
    CardMerchantCheckResult(CardMerchantCheckResult): "card_merchant_check_result",
    /// A card is nearly out of stock.
    CardSkuRemind(CardSkuRemind): "card_sku_remind",
    /// The account's coupon credits changed.
    CardPayOrder(Box<CardPayOrder>): "card_pay_order", "ORDER_STATUS_FINANCE_SUCC",
    /// A user took a card.
    UserGetCard(UserGetCard): "user_get_card",
    /// A user gave a card away.
    UserGiftingCard(UserGiftingCard): "user_gifting_card",
    /// A user deleted a card.
    UserDelCard(UserDelCard): "user_del_card",
    /// A card was redeemed.
    UserConsumeCard(Box<UserConsumeCard>): "user_consume_card",
    /// A user paid with a card.
    UserPayFromPayCell(UserPayFromPayCell): "user_pay_from_pay_cell",
    /// A user opened a member card.
    UserViewCard(UserViewCard): "user_view_card",
    /// A user went from a card to the chat.
    UserEnterSessionFromCard(UserEnterSessionFromCard): "user_enter_session_from_card",
    /// A member card's bonus or balance changed.
    UpdateMemberCard(UpdateMemberCard): "update_member_card",
    /// A user activated a member card.
    SubmitMemberCardUserInfo(SubmitMemberCardUserInfo): "submit_membercard_user_info",
    /// A user paid for a gift card.
    GiftCardPayDone(GiftCardPayDone): "giftcard_pay_done",
    /// A user gave a gift card away.
    GiftCardSendToFriend(GiftCardSendToFriend): "giftcard_send_to_friend",
    /// A user accepted a gift card.
    GiftCardUserAccept(GiftCardUserAccept): "giftcard_user_accept",
    /// A user asked for an invoice.
    UserAuthorizeInvoice(UserAuthorizeInvoice): "user_authorize_invoice",
    /// A user chose an invoice title.
    SubmitInvoiceTitle(Box<SubmitInvoiceTitle>): "submit_invoice_title",
    /// The status of an invoice changed.
    UpdateInvoiceStatus(UpdateInvoiceStatus): "update_invoice_status",
    /// Issuing an invoice succeeded or failed.
    CloudInvoiceResult(CloudInvoiceResult): "cloud_invoice_invoiceresult_event",
    /// A user paid for an order in a WeChat store (微信小店).
    MerchantOrder(MerchantOrder): "merchant_order",
    /// WeChat accepted or rejected a store.
    PoiCheckNotify(PoiCheckNotify): "poi_check_notify",
    /// WeChat accepted or rejected a store of a mini program.
    AddStoreAuditInfo(AddStoreAuditInfo): "add_store_audit_info",
    /// WeChat accepted or rejected a change of a store.
    ModifyStoreAuditInfo(StoreAudit): "modify_store_audit_info",
    /// WeChat accepted or rejected a merchant of a mini program.
    ApplyMerchantAuditInfo(StoreAudit): "apply_merchant_audit_info",
    /// WeChat accepted or rejected a place on the map.
    CreateMapPoiAuditInfo(CreateMapPoiAuditInfo): "create_map_poi_audit_info",
    /// WeChat accepted or rejected a place for mini programs nearby.
    AddNearbyPoiAuditInfo(NearbyAudit): "add_nearby_poi_audit_info",
    /// WeChat accepted or rejected a category for mini programs nearby.
    NearbyCategoryAuditInfo(NearbyAudit): "nearby_category_audit_info",
    /// A user connected to a store's Wi-Fi.
    WifiConnected(WifiConnected): "WifiConnected",
    /// A user shook the phone near a beacon.
    ShakearoundUserShake(ShakearoundUserShake): "ShakearoundUserShake",
    /// A user scanned a product.
    UserScanProduct(UserScanProduct): "user_scan_product",
    /// A user went from a product to the chat.
    UserScanProductEnterSession(UserScanProductEnterSession): "user_scan_product_enter_session",
    /// The region of a user who scanned a product.
    UserScanProductAsync(UserScanProductAsync): "user_scan_product_async",
    /// WeChat accepted or rejected a product.
    UserScanProductVerifyAction(UserScanProductVerifyAction): "user_scan_product_verify_action",
    /// A user scanned a guide's QR code.
    GuideQrcodeScan(GuideQrcodeScan): "guide_qrcode_scan_event",
    /// A user changed data that an app was authorized to read.
    UserInfoModified(UserInfoModified): "user_info_modified",
    /// A user withdrew an app's authorization.
    UserAuthorizationRevoke(UserAuthorization): "user_authorization_revoke",
    /// A user closed the WeChat account.
    UserAuthorizationCancellation(UserAuthorization): "user_authorization_cancellation",
    /// A user opened a mini program's customer service.
    UserEnterTempsession(UserEnterTempsession): "user_enter_tempsession",
    /// The check of a picture or sound ended.
    WxaMediaCheck(Box<WxaMediaCheck>): "wxa_media_check",
    /// A mini program passed its audit.
    WeappAuditSuccess(WeappAuditSuccess): "weapp_audit_success",
    /// A mini program failed its audit.
    WeappAuditFail(WeappAuditFail): "weapp_audit_fail",
    /// A mini program's audit takes longer than usual.
    WeappAuditDelay(WeappAuditDelay): "weapp_audit_delay",
    /// WeChat accepted or rejected a mini program's name.
    WxaNicknameAudit(WxaNicknameAudit): "wxa_nickname_audit",
    /// WeChat accepted or rejected a mini program's category.
    WxaCategoryAudit(WxaCategoryAudit): "wxa_category_audit",
    /// WeChat accepted or rejected a mini program's use of a privacy-related API.
    WxaPrivacyApply(WxaPrivacyApply): "wxa_privacy_apply",
    /// A mini program violated the rules.
    WxaIllegalRecord(WxaIllegalRecord): "wxa_illegal_record",
    /// A mini program appealed against a record, or the appeal was decided.
    WxaAppealRecord(Box<WxaAppealRecord>): "wxa_appeal_record",
    /// A parcel moved.
    AddExpressPath(AddExpressPath): "add_express_path",
    /// The fee for the verification of a mini program was paid.
    WxVerifyPaySucc(WxVerifyPaySucc): "wx_verify_pay_succ",
    /// The verification of a mini program was given to a reviewer.
    WxVerifyDispatch(WxVerifyDispatch): "wx_verify_dispatch",
    /// The mini program has to connect to the API for shipping.
    TradeManageRemindAccessApi(TradeManageRemindAccessApi): "trade_manage_remind_access_api",
    /// A paid order has to be shipped.
    TradeManageRemindShipping(TradeManageRemindShipping): "trade_manage_remind_shipping",
    /// An order is about to be settled, or was settled.
    TradeManageOrderSettlement(Box<TradeManageOrderSettlement>): "trade_manage_order_settlement",
    /// A refund of a B2B shop ended.
    RetailRefundNotify(Box<RetailRefundNotify>): "retail_refund_notify",
    /// The quota of a paid service runs out.
    ChargeServiceQuotaNotify(ChargeServiceQuotaNotify): "charge_service_quota_notify",
    /// A video of a short drama was uploaded.
    SecvodUpload(SecvodUpload): "secvod_upload_event",
    /// A review of a short drama.
    SecvodAudit(SecvodAudit): "secvod_audit_event",
    /// A review of a novel.
    SecbookAudit(SecbookAudit): "secbook_audit_event",
    /// A user subscribed to a mini program's live rooms, or ended the subscription.
    WxaliveFollowNotify(WxaliveFollowNotify): "wxalive_follow_notify",
    /// The messages of a live room to its subscribers were sent.
    WxalivePushMessageNotify(WxalivePushMessageNotify): "wxalive_push_message_notify",
    /// A user left a bad comment.
    WxaCommentBadScore(WxaCommentBadScore): "wxa_comment_bad_score",
    /// A user paid for virtual goods.
    XpayGoodsDeliverNotify(Box<XpayGoodsDeliverNotify>): "xpay_goods_deliver_notify",
    /// A user paid with coins.
    XpayCoinPayNotify(Box<XpayCoinPayNotify>): "xpay_coin_pay_notify",
    /// A refund of a virtual payment ended.
    XpayRefundNotify(Box<XpayRefundNotify>): "xpay_refund_notify",
    /// A user complained about a virtual payment.
    XpayComplaintNotify(Box<XpayComplaintNotify>): "xpay_complaint_notify",
    /// WeChat Pay examines or restricts the merchant.
    XpayWxpayCallbackNotify(Box<XpayWxpayCallbackNotify>): "xpay_wxpay_callback_notify",
    /// The contract for a subscription to virtual goods was made, or failed.
    XpaySubscribeSigningResultNotify(XpaySubscribeSigningResultNotify): "xpay_subscribe_signing_result_notify",
    /// The same with Apple.
    XpayAppleSubscribeSigningResultNotify(XpaySubscribeSigningResultNotify):
        "xpay_apple_subscribe_signing_result_notify",
    /// A subscription could not be renewed.
    XpaySubscribePayFailNotify(XpaySubscribePayFailNotify): "xpay_subscribe_pay_fail_notify",
    /// Apple asks whether to refund a subscription.
    XpaySubscribeIosRefundQueryNotify(Box<XpaySubscribeIosRefundQueryNotify>): "xpay_subscribe_ios_refund_query_notify",
    /// Coins of a mini game were delivered.
    MinigameCoinDeliverCompleted(MinigameCoinDeliverCompleted): "minigame_coin_deliver_completed",
    /// WeCom: a member opened an app.
    EnterAgent(EnterAgent): "enter_agent",
    /// WeCom: a member tapped a button of a task card.
    TaskcardClick(TaskcardClick): "taskcard_click",
    /// WeCom: a member tapped or submitted a template card.
    TemplateCard(TemplateCardEvent): "template_card_event",
    /// WeCom: a member chose an entry of a card's menu.
    TemplateCardMenu(TemplateCardEvent): "template_card_menu_event",
    /// WeCom: a job ended.
    BatchJobResult(BatchJobResult): "batch_job_result",
    /// WeCom: there are messages of customers.
    KfMsgOrEvent(KfMsgOrEvent): "kf_msg_or_event",
    /// WeCom: the address book changed.
    ChangeContact(ChangeContact): "change_contact",
    /// WeCom: the customers changed.
    ChangeExternalContact(ChangeExternalContact): "change_external_contact",
    /// WeCom: an approval that the app has started changed.
    OpenApprovalChange(OpenApprovalChange): "open_approval_change",
    /// WeCom: an approval of WeCom's own changed.
    SysApprovalChange(SysApprovalChange): "sys_approval_change",
}

impl Event {
    /// The scene of the QR code that the user scanned, as a new follower ([`Subscribe`]) or as a follower
    /// ([`Scan`]).
    pub fn scene(&self) -> Option<&str> {
        match self {
            Self::Subscribe(subscribe) => subscribe.scene(),
            Self::Scan(scan) => scan.scene(),
            _ => None,
        }
    }

    /// Whether WeChat shows the user a passive reply to it: to `subscribe`, `SCAN`, `CLICK` and
    /// `scancode_waitmsg`, and to WeCom's `enter_agent`, `taskcard_click` and `template_card_event`.
    ///
    /// WeChat's documents say that some events accept a reply, and do not list them. After these, a user
    /// waits for something to happen in the chat.
    pub fn accepts_reply(&self) -> bool {
        accepts_reply(self.name())
    }
}

/// [`Event::accepts_reply`] by the event's name.
pub(super) fn accepts_reply(name: &str) -> bool {
    ACCEPTING
        .iter()
        .any(|accepting| accepting.eq_ignore_ascii_case(name))
}

const ACCEPTING: [&str; 7] = [
    "subscribe",
    "SCAN",
    "CLICK",
    "scancode_waitmsg",
    "enter_agent",
    "taskcard_click",
    "template_card_event",
];

/// An [`Event::Other`] without fields.
impl Default for Event {
    fn default() -> Self {
        Self::Other(OtherMessage::default())
    }
}

/// The names of all known events.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Known::NAMES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests;
