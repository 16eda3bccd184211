//! What users do to the account: follow it, scan its QR codes, open the chat, share where they are,
//! and withdraw what they authorized.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A new follower (关注事件).
///
/// WeChat sends it when a user follows the account; [`scene`](Self::scene) tells the QR code that
/// led there. It may be answered like a message.
///
#[doc = sample!("event/subscribe")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Subscribe {
    /// `qrscene_` and the scene of the QR code; absent or empty if there was none.
    pub event_key: Option<String>,
    /// The QR code's ticket, from which its picture can be had.
    pub ticket: Option<String>,
}

/// A follower less (取消关注事件).
///
/// WeChat sends it when a user stops following the account. WeChat wants the user's data deleted
/// then.
///
#[doc = sample!("event/unsubscribe")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Unsubscribe {
    /// Says nothing: absent or empty.
    pub event_key: Option<String>,
}

/// A follower scanned a QR code (扫描带参数二维码事件).
///
/// WeChat sends it when a user who follows the account already scans one of its QR codes with a
/// scene. It may be answered like a message.
///
#[doc = sample!("event/scan")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Scan {
    /// The scene of the QR code: a number below 2³², or the text it was made with.
    pub event_key: String,
    /// The QR code's ticket, from which its picture can be had.
    pub ticket: Option<String>,
}

/// The chat was opened (进入会话).
///
/// An event of the early days, which WeChat no longer documents.
///
#[doc = sample!("event/enter")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Enter {}

/// Where the user is (上报地理位置事件).
///
/// WeChat sends it when a user who lets the account know opens the chat, or every five seconds
/// while it is open, as the account has chosen.
/// [`LocationMessage`](crate::message::LocationMessage) is another thing: a place that the user
/// sends.
///
#[doc = sample!("event/location")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Location {
    /// The latitude in degrees.
    pub latitude: f64,
    /// The longitude in degrees.
    pub longitude: f64,
    /// How exact that is, in metres.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub precision: Option<f64>,
}

/// A user changed what an app knows (授权用户资料变更).
///
/// WeChat sends it when a user who has authorized an app changes it.
///
#[doc = sample!("event/user_info_modified")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserInfoModified {
    /// The user's OpenID.
    pub openid: String,
    /// The app's id.
    pub appid: String,
}

/// A user took back what an app may know (授权用户资料变更).
///
/// WeChat sends it when a user withdraws it, or closes the WeChat account altogether. The user's
/// data has to be deleted then.
///
#[doc = sample!("event/user_authorization_revoke")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserAuthorization {
    /// The user's OpenID.
    #[serde(rename = "OpenID")]
    pub open_id: String,
    /// The app's id.
    #[serde(rename = "AppID")]
    pub app_id: String,
    /// The plugin's id, if one is concerned.
    #[serde(rename = "PluginID")]
    pub plugin_id: Option<String>,
    /// What was withdrawn: codes such as 1 (the profile) or 201 (the address). Kept as text.
    pub revoke_info: Option<String>,
}

impl Subscribe {
    /// The scene of the QR code that led to the account, as [`Scan::event_key`] has it.
    pub fn scene(&self) -> Option<&str> {
        self.event_key.as_deref()?.strip_prefix(SCENE)
    }
}

impl Scan {
    /// The scene of the QR code: [`event_key`](Self::event_key), unless that is empty.
    pub fn scene(&self) -> Option<&str> {
        Some(self.event_key.as_str()).filter(|scene| !scene.is_empty())
    }
}

/// What WeChat puts before the scene of a QR code that makes a user follow the account.
const SCENE: &str = "qrscene_";
