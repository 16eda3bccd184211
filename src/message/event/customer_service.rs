//! Sessions of users with the account's customer service, with a mini program's, and with guides.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A session with an agent has begun or ended (接入会话、关闭会话).
///
/// WeChat sends it when an agent takes a user's session or closes it.
///
#[doc = sample!("event/kf_create_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct KfSession {
    /// The agent's account, `name@account`.
    pub kf_account: String,
    /// Why it was closed, where WeChat says so.
    pub close_type: Option<String>,
}

/// A session was handed to another agent (转接会话).
///
/// WeChat sends it when an agent hands a user's session on.
///
#[doc = sample!("event/kf_switch_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct KfSwitchSession {
    /// The agent who had it.
    pub from_kf_account: String,
    /// The agent who has it now.
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
    /// What the button that opened it says it is from.
    pub session_from: Option<String>,
}

/// A user scanned a guide's QR code (扫顾问二维码后的触发事件推送).
///
/// WeChat sends it when a user comes to a guide by the guide's code.
///
#[doc = sample!("event/guide_qrcode_scan_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GuideQrcodeScan {
    /// Whose code it was, and who scanned it.
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
    pub openid: String,
    /// What the scan did, as a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub action: Option<i64>,
    /// What the account put into the code.
    pub qrcode_info: Option<String>,
}
