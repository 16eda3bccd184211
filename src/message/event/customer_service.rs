//! Customer service: sessions with agents, mini programs and shopping guides.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A customer-service agent took or closed a user's session (接入会话、关闭会话).
///
/// WeChat sends it as `kf_create_session` and as `kf_close_session`.
///
#[doc = sample!("event/kf_create_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct KfSession {
    /// The agent's account: `name@account`.
    pub kf_account: String,
    /// Why the session was closed, if WeChat says so.
    pub close_type: Option<String>,
}

/// A customer-service agent handed a user's session to another agent (转接会话).
///
/// WeChat sends it when the other agent gets the session.
///
#[doc = sample!("event/kf_switch_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct KfSwitchSession {
    /// The agent who had the session.
    #[serde(default)]
    pub from_kf_account: String,
    /// The agent who has the session now.
    pub to_kf_account: String,
}

/// A user opened a mini program's customer service (进入会话事件).
///
/// WeChat sends it when the chat opens.
///
#[doc = sample!("event/user_enter_tempsession")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserEnterTempsession {
    /// The `session-from` value of the button that opened the chat.
    pub session_from: Option<String>,
}

/// A user scanned a guide's QR code (扫顾问二维码后的触发事件推送).
///
/// WeChat sends it when a user reaches a guide through the guide's QR code.
///
#[doc = sample!("event/guide_qrcode_scan_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GuideQrcodeScan {
    /// The scan.
    pub guide_scan_event: GuideScanEvent,
}

/// A scan of a guide's QR code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GuideScanEvent {
    /// The guide's WeChat id.
    pub qrcode_guide_account: Option<String>,
    /// The guide's OpenID.
    pub qrcode_guide_openid: Option<String>,
    /// The user's OpenID.
    #[serde(default)]
    pub openid: String,
    /// The result of the scan, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub action: Option<i64>,
    /// Data that the account put into the code.
    pub qrcode_info: Option<String>,
}
