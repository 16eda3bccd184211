//! Pushes of the open platform (开放平台) to a third-party platform: tickets, authorizations, registrations and reviews.
//!
//! They come to the URL for authorization events (授权事件接收URL), which has an
//! [`Account::component`](crate::Account::component). An InfoType names each. They have no MsgType, no sender and no receiver,
//! so they are no [`Message`](crate::Message), but a [`PlatformMessage`]:
//!
//! ```
//! use tower_wechat::{Reply, message::platform::{PlatformEvent, PlatformMessage}};
//!
//! async fn receive(push: PlatformMessage) -> Reply {
//!     match push.event {
//!         PlatformEvent::ComponentVerifyTicket(ticket) => keep(ticket.component_verify_ticket).await,
//!         PlatformEvent::Authorized(new) => println!("{} authorized us", new.authorizer_appid),
//!         PlatformEvent::Unauthorized(gone) => println!("{} has gone", gone.authorizer_appid),
//!         _ => {}
//!     }
//!     // The platform wants this word.
//!     Reply::success()
//! }
//! # async fn keep(_ticket: String) {}
//! # let _ = receive;
//! ```
//!
//! The docs of `Account::component` have the whole stack. A push that does not fit its type is a [`PlatformEvent::Other`] with
//! all fields and the [misfit](super::OtherMessage::misfit).
//!
//! # Pushes that reach another handler
//!
//! A message or event that reaches a handler of [`PlatformMessage`] is acknowledged, and logged at `DEBUG` as of another
//! type. So is a push of the platform that reaches a handler of one type of message, such as
//! [`VoiceMessage`](super::VoiceMessage). A handler of [`Message`](crate::Message) gets a push with an InfoType as
//! [`Message::Other`](crate::Message::Other), and the log has a line at `DEBUG`. Messages to the accounts that have
//! authorized the platform come to another URL: see [`Account::authorizer`](crate::Account::authorizer).
//!
//! Every field but the identifying one is optional. `AppId` is the platform, and `appid` a mini program: both may stand in
//! one push.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    info::{self, infos},
    other::OtherMessage,
};
use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// A push of the open platform to a third-party platform, see the [module](self).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct PlatformMessage {
    /// The third-party platform's app id (`AppId`).
    pub app_id: String,
    /// When it was sent.
    pub create_time: Option<Timestamp>,
    /// What happened, with its own fields.
    pub event: PlatformEvent,
}

impl PlatformMessage {
    /// The push with all its fields, if this crate has no type for it, or it does not fit its type.
    pub fn other(&self) -> Option<&OtherMessage> {
        match &self.event {
            PlatformEvent::Other(other) => Some(other),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for PlatformMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = info::read(deserializer)?;
        Ok(Self {
            app_id: fields.text("AppId").unwrap_or_default().to_owned(),
            create_time: fields.create_time(),
            event: PlatformEvent::of(fields),
        })
    }
}

impl Serialize for PlatformMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Document<'a> {
            app_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            create_time: Option<Timestamp>,
            info_type: &'a str,
            #[serde(flatten)]
            fields: &'a PlatformEvent,
        }

        if let PlatformEvent::Other(other) = &self.event {
            return other.serialize(serializer);
        }
        let document = Document {
            app_id: &self.app_id,
            create_time: self.create_time,
            info_type: self.event.name(),
            fields: &self.event,
        };
        document.serialize(serializer)
    }
}

infos! {
    /// What a [`PlatformMessage`] says, with its own fields.
    PlatformEvent {
        /// The ticket for the platform's access token.
        ComponentVerifyTicket(ComponentVerifyTicket): "component_verify_ticket",
        /// An account authorized the platform.
        Authorized(Authorization): "authorized",
        /// An account changed its authorization.
        UpdateAuthorized(Authorization): "updateauthorized",
        /// An account ended its authorization.
        Unauthorized(Unauthorized): "unauthorized",
        /// The registration of a company's mini program ended.
        FastRegister(FastRegistration): "notify_third_fasteregister",
        /// The registration of a mini program on trial ended.
        FastRegisterBetaApp(FastRegistration): "notify_third_fastregisterbetaapp",
        /// The verification of a mini program on trial ended.
        FastVerifyBetaApp(FastRegistration): "notify_third_fastverifybetaapp",
        /// The verification of a mini program went on.
        WxaAuth(WxaAuth): "notify_3rd_wxa_auth",
        /// The verification of a mini program is due again.
        WxaVerify(WxaVerify): "notify_3rd_wxa_wxverify",
        /// The filing of a mini program went on.
        ApplyIcpFilingResult(ApplyIcpFilingResult): "notify_apply_icpfiling_result",
        /// A person's identity was checked for the filing of a mini program.
        IcpFilingVerifyResult(IcpFilingVerifyResult): "notify_icpfiling_verify_result",
        /// Order pages of mini programs were submitted.
        OrderPathApplyResult(OrderPathResults): "order_path_apply_result_notify",
        /// Order pages of mini programs were reviewed.
        OrderPathAuditResult(OrderPathResults): "order_path_audit_result_notify",
    }
}

/// The ticket for the platform's access token (验证票据).
///
/// The open platform sends it every ten minutes. It is valid for twelve hours: keep the newest, and get a
/// `component_access_token` with it.
///
/// Source: WeChat's page "Verify ticket" (`component_verify_ticket`).
///
#[doc = sample!("platform/component_verify_ticket")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ComponentVerifyTicket {
    /// The ticket.
    pub component_verify_ticket: String,
}

/// An account authorized the platform, or changed its authorization (授权成功、授权更新).
///
/// The open platform sends it when an administrator has confirmed the authorization.
///
/// Source: WeChat's page "Authorization changes" (`authorize_event`).
///
#[doc = sample!("platform/authorized")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Authorization {
    /// The account's app id.
    pub authorizer_appid: String,
    /// The code for the account's access token.
    pub authorization_code: Option<String>,
    /// When the code expires, as it came: WeChat's page says seconds, and its sample has a word.
    pub authorization_code_expired_time: Option<String>,
    /// The code with which the authorization began.
    pub pre_auth_code: Option<String>,
}

/// An account ended its authorization (取消授权).
///
/// Source: WeChat's page "Authorization changes" (`authorize_event`).
///
#[doc = sample!("platform/unauthorized")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Unauthorized {
    /// The account's app id.
    pub authorizer_appid: String,
}

/// A registration or verification that the platform has asked for ended (快速注册、试用小程序).
///
/// The open platform sends it when the registration or verification has succeeded or failed.
///
/// Source: WeChat's pages on fast registration (`registerMiniprogram`, `fastRegisterPersonalMp`,
/// `registerBetaMiniprogram`, `verfifyBetaMiniprogram`).
///
#[doc = sample!("platform/notify_third_fasteregister")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FastRegistration {
    /// The app id of the mini program. There is none if the registration failed.
    pub appid: Option<String>,
    /// 0, or the code of the error.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// The code for the mini program's access token.
    pub auth_code: Option<String>,
    /// The result in words.
    pub msg: Option<String>,
    /// What the platform has asked for.
    pub info: Option<FastRegistrationInfo>,
}

/// What a platform has asked to register or to verify.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FastRegistrationInfo {
    /// The company's or the mini program's name.
    pub name: Option<String>,
    /// The company's code.
    pub code: Option<String>,
    /// The kind of code: 1 unified social credit code, 2 organization code, 3 business license number.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub code_type: Option<i64>,
    /// The legal person's WeChat account.
    pub legal_persona_wechat: Option<String>,
    /// The legal person's name.
    pub legal_persona_name: Option<String>,
    /// The platform's phone number.
    pub component_phone: Option<String>,
    /// The person's name, for a personal mini program.
    pub idname: Option<String>,
    /// The person's WeChat account, for a personal mini program.
    pub wxuser: Option<String>,
    /// The id that the call returned, for a mini program on trial.
    pub unique_id: Option<String>,
}

/// The verification of a mini program went on (小程序认证进度).
///
/// The open platform sends it at each step: the documents, the administrator's consent, the company that checks.
///
/// Source: WeChat's page on the API for verification (`secwxaapi_wxaauth`).
///
#[doc = sample!("platform/notify_3rd_wxa_auth")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaAuth {
    /// The mini program's app id.
    pub appid: String,
    /// The task's id.
    pub taskid: Option<String>,
    /// The state of the task, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub task_status: Option<i64>,
    /// The state of the application, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub apply_status: Option<i64>,
    /// The state in words.
    pub message: Option<String>,
    /// The company that checks the documents.
    pub dispatch_info: Option<WxaAuthDispatch>,
}

/// The company that checks the documents of a mini program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaAuthDispatch {
    /// Its name.
    pub provider: Option<String>,
    /// How to reach it.
    pub contact: Option<String>,
    /// When it took the task.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub dispatch_time: Option<Timestamp>,
}

/// The verification of a mini program is due again (小程序认证年审和过期能力限制提醒).
///
/// Source: WeChat's page on the API for verification (`secwxaapi_wxaauth`).
///
#[doc = sample!("platform/notify_3rd_wxa_wxverify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaVerify {
    /// The mini program's app id.
    pub appid: String,
    /// When the verification expires.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub expired: Option<Timestamp>,
    /// What WeChat asks for, in words.
    pub message: Option<String>,
}

/// The filing of a mini program went on (小程序备案状态).
///
/// Source: WeChat's page on the API for filing (`applyIcpFiling`).
///
#[doc = sample!("platform/notify_apply_icpfiling_result")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApplyIcpFilingResult {
    /// The mini program's app id.
    pub authorizer_appid: String,
    /// The state of the filing, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub beian_status: Option<i64>,
}

/// A person's identity was checked for the filing of a mini program (小程序备案人脸核身结果).
///
/// Source: the names that other libraries read.
///
#[doc = sample!("platform/notify_icpfiling_verify_result")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IcpFilingVerifyResult {
    /// The task's id.
    pub task_id: String,
    /// The mini program's app id.
    pub verify_appid: Option<String>,
    /// 2 failed, 3 succeeded, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub result: Option<i64>,
}

/// Order pages of mini programs were submitted or reviewed (订单页 path).
///
/// The open platform sends it after the platform's call for several mini programs.
///
/// Source: the names that other libraries read.
///
#[doc = sample!("platform/order_path_audit_result_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderPathResults {
    /// The result for each mini program.
    #[serde(default)]
    pub list: Vec<OrderPathResult>,
}

/// The result for the order page of one mini program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderPathResult {
    /// The mini program's app id.
    pub appid: String,
    /// 0, or the code of the error, for what was submitted.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub ret_code: Option<i64>,
    /// The review's id.
    pub audit_id: Option<String>,
    /// The state of the review, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// When it was submitted.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub apply_time: Option<Timestamp>,
    /// When it was reviewed.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub audit_time: Option<Timestamp>,
    /// Why it was rejected.
    pub reason: Option<String>,
}
