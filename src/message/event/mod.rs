//! Events: what happens around the account, by family.
//!
//! An event arrives as an [`EventMessage`]; what it tells beside the common fields is its [`Event`], a
//! variant for each event that WeChat documents and [`Event::Other`] for the rest:
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
//!         Event::Click(click) => Reply::text(format!("You chose {}", click.event_key)),
//!         Event::MassSendJobFinish(job) => {
//!             println!("job {}: {} of {}", job.msg_id, job.sent_count, job.total_count);
//!             Reply::success()
//!         }
//!         _ => Reply::success(),
//!     }
//! }
//! # answer(&Message::default());
//! ```
//!
//! A field is an `Option` where WeChat leaves it out at times. What WeChat extends at will, such as a
//! status, is a text or a number, never an enum that a new value would break. An id is a text, though
//! most are numbers.

mod accreditation;
mod card;
mod compliance;
mod customer_service;
mod flag;
mod gift_card;
mod guide;
mod invoice;
mod job;
mod location;
mod menu;
mod mini_program;
mod name;
mod order;
mod product;
mod shake;
mod store;
mod subscribe;
mod subscription;
mod user;
mod wifi;

use serde::{
    Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess},
};

pub use self::{
    accreditation::{Accreditation, AccreditationFailure},
    card::{
        CardMerchantCheckResult, CardNotPassCheck, CardPassCheck, CardPayOrder, CardSkuRemind,
        SubmitMemberCardUserInfo, UpdateMemberCard, UserConsumeCard, UserDelCard,
        UserEnterSessionFromCard, UserGetCard, UserGiftingCard, UserPayFromPayCell, UserViewCard,
    },
    compliance::{
        AppealMaterial, AppealReason, IllegalMaterial, PrivacyApplyResult, WxaAppealRecord,
        WxaCategoryAudit, WxaIllegalRecord, WxaNicknameAudit, WxaPrivacyApply,
    },
    customer_service::{KfSession, KfSwitchSession},
    gift_card::{GiftCardPayDone, GiftCardSendToFriend, GiftCardUserAccept},
    guide::{GuideQrcodeScan, GuideScanEvent},
    invoice::{CloudInvoiceResult, UpdateInvoiceStatus, UserAuthorizeInvoice},
    job::{
        ArticleDetail, ArticleUrl, ArticleUrlResult, CopyrightCheck, CopyrightCheckResult,
        MassSendJobFinish, PublishEventInfo, PublishJobFinish, PublishedArticle,
        TemplateSendJobFinish,
    },
    location::Location,
    menu::{
        Click, LocationSelect, Picture, ScanCode, ScanCodeInfo, SendLocationInfo, SendPics,
        SendPicsInfo, View, ViewMiniProgram,
    },
    mini_program::{
        MediaCheckDetail, MediaCheckResult, UserEnterTempsession, WeappAuditDelay, WeappAuditFail,
        WeappAuditSuccess, WxaMediaCheck,
    },
    order::{AddExpressPath, ExpressAction, XpayGoods, XpayGoodsDeliverNotify, XpayPayment},
    product::{
        UserScanProduct, UserScanProductAsync, UserScanProductEnterSession,
        UserScanProductVerifyAction,
    },
    shake::{AroundBeacons, Beacon, ShakearoundUserShake},
    store::{AddStoreAuditInfo, CreateMapPoiAuditInfo, MerchantOrder, PoiCheckNotify, StoreAudit},
    subscribe::{Enter, Scan, Subscribe, Unsubscribe},
    subscription::{
        SubscribeMsgChange, SubscribeMsgChoice, SubscribeMsgPopup, SubscribeMsgResult,
        SubscribeMsgSent, SubscribeMsgSetting,
    },
    user::{UserAuthorization, UserInfoModified},
    wifi::WifiConnected,
};
use super::{
    OtherMessage,
    common::{Common, Text},
    tag::Tagged,
};
use crate::xml::lookahead::{self, Lookahead};

/// An event (事件推送): something happened around the account.
///
/// WeChat sends it for what users do beside writing (following, scanning, tapping the menu) and for
/// what becomes of the account's own doings. It has no message id: WeChat's retries of an event are
/// told by the whole body.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct EventMessage {
    /// The account's original id, `gh_…`.
    pub to_user_name: String,
    /// The OpenID of the user whom the event is about; `None` where WeChat names nobody.
    pub from_user_name: Option<String>,
    /// When it happened, in seconds since the Unix epoch.
    pub create_time: u64,
    /// What happened.
    pub event: Event,
}

impl Tagged for EventMessage {
    const NAMES: &'static [&'static str] = &["event"];
}

impl Serialize for EventMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Document<'a> {
            to_user_name: &'a str,
            from_user_name: Option<&'a str>,
            create_time: u64,
            msg_type: &'a str,
            event: &'a str,
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
            msg_type: "event",
            event: self.event.name(),
            fields: Fields(&self.event),
        };
        document.serialize(serializer)
    }
}

/// The events: a variant, the type of its fields, and the names it is read under, of which the first is
/// the one it is written under.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($fields:ident): $name:literal $(, $older:literal)*,)*) => {
        /// What happened, see the [module](self).
        ///
        /// Names match whatever their case.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])*
            ///
            #[doc = concat!("Event: `", $name, "`" $(, " or `", $older, "`")*, ".")]
            $variant($fields),)*
            /// Any other event, with all fields of its body, the common ones too.
            Other(OtherMessage),
        }

        impl Event {
            /// The name that WeChat gives the event; an unknown one's as it came.
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
    /// A user follows the account.
    Subscribe(Subscribe): "subscribe",
    /// A user no longer follows the account.
    Unsubscribe(Unsubscribe): "unsubscribe",
    /// A follower scanned one of the account's QR codes.
    Scan(Scan): "SCAN",
    /// A user opened the chat, in the early days.
    Enter(Enter): "ENTER",
    /// Where a user is.
    Location(Location): "LOCATION",
    /// A user tapped a menu button.
    Click(Click): "CLICK",
    /// A user tapped a menu button that opens a page.
    View(View): "VIEW",
    /// A user tapped a menu button that opens a mini program.
    ViewMiniProgram(ViewMiniProgram): "view_miniprogram",
    /// A user scanned a code with a menu button.
    ScanCodePush(ScanCode): "scancode_push",
    /// A user scanned a code with a menu button, and waits for the answer.
    ScanCodeWaitMsg(ScanCode): "scancode_waitmsg",
    /// A user takes pictures with a menu button.
    PicSysPhoto(SendPics): "pic_sysphoto",
    /// A user takes or chooses pictures with a menu button.
    PicPhotoOrAlbum(SendPics): "pic_photo_or_album",
    /// A user chooses pictures with a menu button.
    PicWeixin(SendPics): "pic_weixin",
    /// A user chose a place with a menu button.
    LocationSelect(LocationSelect): "location_select",
    /// A template message was delivered, or was not.
    TemplateSendJobFinish(TemplateSendJobFinish): "TEMPLATESENDJOBFINISH",
    /// A mass-send job has ended.
    MassSendJobFinish(MassSendJobFinish): "MASSSENDJOBFINISH",
    /// A publishing job has ended.
    PublishJobFinish(PublishJobFinish): "PUBLISHJOBFINISH", "FREEPUBLISHJOBFINISH",
    /// A user answered which subscription messages to get.
    SubscribeMsgPopup(SubscribeMsgPopup): "subscribe_msg_popup_event",
    /// A user changed which subscription messages to get.
    SubscribeMsgChange(SubscribeMsgChange): "subscribe_msg_change_event",
    /// A subscription message was delivered, or was not.
    SubscribeMsgSent(SubscribeMsgSent): "subscribe_msg_sent_event",
    /// The account's qualification was verified.
    QualificationVerifySuccess(Accreditation): "qualification_verify_success",
    /// The account's qualification was not verified.
    QualificationVerifyFail(AccreditationFailure): "qualification_verify_fail",
    /// The account's name was verified.
    NamingVerifySuccess(Accreditation): "naming_verify_success",
    /// The account's name was not verified.
    NamingVerifyFail(AccreditationFailure): "naming_verify_fail",
    /// The yearly renewal is due.
    AnnualRenew(Accreditation): "annual_renew",
    /// The accreditation has expired.
    VerifyExpired(Accreditation): "verify_expired",
    /// An agent took a session.
    KfCreateSession(KfSession): "kf_create_session",
    /// A session was closed.
    KfCloseSession(KfSession): "kf_close_session",
    /// A session was handed to another agent.
    KfSwitchSession(KfSwitchSession): "kf_switch_session",
    /// A card passed its review.
    CardPassCheck(CardPassCheck): "card_pass_check",
    /// A card did not pass its review.
    CardNotPassCheck(CardNotPassCheck): "card_not_pass_check",
    /// A merchant was reviewed.
    CardMerchantCheckResult(CardMerchantCheckResult): "card_merchant_check_result",
    /// A card is running out.
    CardSkuRemind(CardSkuRemind): "card_sku_remind",
    /// An order of coupon credits has moved.
    CardPayOrder(CardPayOrder): "card_pay_order",
    /// A user took a card.
    UserGetCard(UserGetCard): "user_get_card",
    /// A user gives a card away.
    UserGiftingCard(UserGiftingCard): "user_gifting_card",
    /// A user deleted a card.
    UserDelCard(UserDelCard): "user_del_card",
    /// A card was redeemed.
    UserConsumeCard(UserConsumeCard): "user_consume_card",
    /// A user paid with a card.
    UserPayFromPayCell(UserPayFromPayCell): "user_pay_from_pay_cell",
    /// A user looked at a member card.
    UserViewCard(UserViewCard): "user_view_card",
    /// A user came to the chat from a card.
    UserEnterSessionFromCard(UserEnterSessionFromCard): "user_enter_session_from_card",
    /// A member card's content changed.
    UpdateMemberCard(UpdateMemberCard): "update_member_card",
    /// A member card was activated.
    SubmitMemberCardUserInfo(SubmitMemberCardUserInfo): "submit_membercard_user_info",
    /// A gift card was bought.
    GiftCardPayDone(GiftCardPayDone): "giftcard_pay_done",
    /// A gift card was given away.
    GiftCardSendToFriend(GiftCardSendToFriend): "giftcard_send_to_friend",
    /// A gift card was taken.
    GiftCardUserAccept(GiftCardUserAccept): "giftcard_user_accept",
    /// A user asks for an invoice.
    UserAuthorizeInvoice(UserAuthorizeInvoice): "user_authorize_invoice",
    /// An invoice was used.
    UpdateInvoiceStatus(UpdateInvoiceStatus): "update_invoice_status",
    /// An invoice was made, or was not.
    CloudInvoiceResult(CloudInvoiceResult): "cloud_invoice_invoiceresult_event",
    /// An order of a WeChat store was paid.
    MerchantOrder(MerchantOrder): "merchant_order",
    /// A store was reviewed.
    PoiCheckNotify(PoiCheckNotify): "poi_check_notify",
    /// A store of a mini program was reviewed.
    AddStoreAuditInfo(AddStoreAuditInfo): "add_store_audit_info",
    /// A change of a store was reviewed.
    ModifyStoreAuditInfo(StoreAudit): "modify_store_audit_info",
    /// A merchant of a mini program was reviewed.
    ApplyMerchantAuditInfo(StoreAudit): "apply_merchant_audit_info",
    /// A place on the map was reviewed.
    CreateMapPoiAuditInfo(CreateMapPoiAuditInfo): "create_map_poi_audit_info",
    /// A user connected to the account's Wi-Fi.
    WifiConnected(WifiConnected): "WifiConnected",
    /// A user shook the phone near a beacon.
    ShakearoundUserShake(ShakearoundUserShake): "ShakearoundUserShake",
    /// A user scanned a product.
    UserScanProduct(UserScanProduct): "user_scan_product",
    /// A user came to the chat from a product.
    UserScanProductEnterSession(UserScanProductEnterSession): "user_scan_product_enter_session",
    /// A user looks at a product.
    UserScanProductAsync(UserScanProductAsync): "user_scan_product_async",
    /// A product was reviewed.
    UserScanProductVerifyAction(UserScanProductVerifyAction): "user_scan_product_verify_action",
    /// A user scanned a guide's QR code.
    GuideQrcodeScan(GuideQrcodeScan): "guide_qrcode_scan_event",
    /// A user changed what an app knows.
    UserInfoModified(UserInfoModified): "user_info_modified",
    /// A user took back what an app may know.
    UserAuthorizationRevoke(UserAuthorization): "user_authorization_revoke",
    /// A user closed the WeChat account.
    UserAuthorizationCancellation(UserAuthorization): "user_authorization_cancellation",
    /// A user opened a mini program's customer service.
    UserEnterTempsession(UserEnterTempsession): "user_enter_tempsession",
    /// A picture or sound was checked.
    WxaMediaCheck(WxaMediaCheck): "wxa_media_check",
    /// A mini program passed its audit.
    WeappAuditSuccess(WeappAuditSuccess): "weapp_audit_success",
    /// A mini program did not pass its audit.
    WeappAuditFail(WeappAuditFail): "weapp_audit_fail",
    /// A mini program's audit takes longer.
    WeappAuditDelay(WeappAuditDelay): "weapp_audit_delay",
    /// A mini program's name was reviewed.
    WxaNicknameAudit(WxaNicknameAudit): "wxa_nickname_audit",
    /// A mini program's category was reviewed.
    WxaCategoryAudit(WxaCategoryAudit): "wxa_category_audit",
    /// A mini program's use of an interface was reviewed.
    WxaPrivacyApply(WxaPrivacyApply): "wxa_privacy_apply",
    /// A mini program broke the rules.
    WxaIllegalRecord(WxaIllegalRecord): "wxa_illegal_record",
    /// An appeal was made or decided.
    WxaAppealRecord(WxaAppealRecord): "wxa_appeal_record",
    /// A parcel moved.
    AddExpressPath(AddExpressPath): "add_express_path",
    /// Virtual goods were paid for.
    XpayGoodsDeliverNotify(XpayGoodsDeliverNotify): "xpay_goods_deliver_notify",
}

impl Event {
    /// The scene of the QR code that a user scanned, whether that made the user follow the account
    /// ([`Subscribe`]) or not ([`Scan`]).
    pub fn scene(&self) -> Option<&str> {
        match self {
            Self::Subscribe(subscribe) => subscribe.scene(),
            Self::Scan(scan) => scan.scene(),
            _ => None,
        }
    }

    /// Whether WeChat shows the user a passive reply to it: to `subscribe`, `SCAN`, `CLICK` and
    /// `scancode_waitmsg`.
    ///
    /// WeChat's documents say that some events may be answered and some may not, without saying which;
    /// these are the ones where a user waits for something to happen in the chat.
    pub fn may_be_answered(&self) -> bool {
        may_be_answered(self.name())
    }
}

/// [`Event::may_be_answered`] by the event's name.
pub(crate) fn may_be_answered(name: &str) -> bool {
    ["subscribe", "SCAN", "CLICK", "scancode_waitmsg"]
        .iter()
        .any(|answerable| answerable.eq_ignore_ascii_case(name))
}

/// An event of which nothing is known.
impl Default for Event {
    fn default() -> Self {
        Self::Other(OtherMessage::default())
    }
}

/// An unknown event that lacks a common field, so that there can be no [`EventMessage`].
pub(super) struct Unknown {
    pub(super) missing: &'static str,
    pub(super) fields: OtherMessage,
}

/// Reads an event.
pub(super) fn read<'de, A: MapAccess<'de>>(
    mut map: A,
) -> Result<Result<EventMessage, Unknown>, A::Error> {
    let mut name = None;
    if let Some(IgnoredAny) = map.next_key()? {
        name = map.next_value_seed(Lookahead::<Text<'de>>::new(lookahead::EVENT))?;
    }
    let Some(known) = name.and_then(|Text(name)| name::find(&name)) else {
        return OtherMessage::read(map).map(unknown);
    };
    let mut common = Common::default();
    let event = known.read(&mut common, map)?;
    let Some(to_user_name) = common.to_user_name else {
        return Err(de::Error::missing_field("ToUserName"));
    };
    let Some(create_time) = common.create_time else {
        return Err(de::Error::missing_field("CreateTime"));
    };
    Ok(Ok(EventMessage {
        to_user_name,
        from_user_name: common.from_user_name.filter(|name| !name.is_empty()),
        create_time,
        event,
    }))
}

fn unknown(fields: OtherMessage) -> Result<EventMessage, Unknown> {
    let Some(to_user_name) = fields.to_user_name() else {
        let missing = "ToUserName";
        return Err(Unknown { missing, fields });
    };
    let Some(create_time) = fields.create_time() else {
        let missing = "CreateTime";
        return Err(Unknown { missing, fields });
    };
    Ok(EventMessage {
        to_user_name: to_user_name.to_owned(),
        from_user_name: fields
            .from_user_name()
            .filter(|name| !name.is_empty())
            .map(ToOwned::to_owned),
        create_time,
        event: Event::Other(fields),
    })
}

/// The names of all known events.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Known::NAMES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests;
