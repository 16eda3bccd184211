//! Events of users: they follow, scan QR codes, open the chat, share their position, and change authorizations.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A user followed the account (关注事件).
///
/// WeChat shows the user a passive reply to it. [`scene`](Self::scene) tells which QR code the user
/// scanned.
///
#[doc = sample!("event/subscribe")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Subscribe {
    /// `qrscene_` and the scene of the QR code; `None` or empty if the user scanned none.
    pub event_key: Option<String>,
    /// The QR code's ticket, with which its picture can be fetched.
    pub ticket: Option<String>,
}

/// A user unfollowed the account (取消关注事件).
///
/// WeChat asks accounts to delete the user's data then.
///
#[doc = sample!("event/unsubscribe")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Unsubscribe {
    /// No information: `None` or empty.
    pub event_key: Option<String>,
}

/// A follower scanned one of the account's QR codes (扫描带参数二维码事件).
///
/// WeChat sends it for a QR code with a scene, and shows the user a passive reply to it.
///
#[doc = sample!("event/scan")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Scan {
    /// The scene of the QR code: a number below 2³², or the text that the code was made with.
    pub event_key: Option<String>,
    /// The QR code's ticket, with which its picture can be fetched.
    pub ticket: Option<String>,
}

/// A user opened the chat (进入会话).
///
/// WeChat no longer documents this event.
///
#[doc = sample!("event/enter")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Enter {}

/// A user's position (上报地理位置事件).
///
/// WeChat sends it for users who agreed to share their position. Depending on the account's settings, it
/// sends one when the chat opens, or one every five seconds while it is open. A place that a user sends is
/// a [`LocationMessage`](crate::message::LocationMessage).
///
#[doc = sample!("event/location")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Location {
    /// The latitude in degrees.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub latitude: Option<f64>,
    /// The longitude in degrees.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub longitude: Option<f64>,
    /// The accuracy of the position in metres.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub precision: Option<f64>,
}

/// A user changed data that an app was authorized to read (授权用户资料变更).
///
/// WeChat sends it only for users who have authorized the app.
///
#[doc = sample!("event/user_info_modified")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserInfoModified {
    /// The user's OpenID.
    pub openid: String,
    /// The app id.
    #[serde(default)]
    pub appid: String,
}

/// A user withdrew an app's authorization (授权用户资料变更).
///
/// WeChat also sends it when a user closes the WeChat account. WeChat asks apps to delete the user's data
/// then.
///
#[doc = sample!("event/user_authorization_revoke")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserAuthorization {
    /// The user's OpenID.
    #[serde(rename = "OpenID")]
    pub open_id: String,
    /// The app id.
    #[serde(default, rename = "AppID")]
    pub app_id: String,
    /// The plugin's id, if the authorization was for a plugin.
    #[serde(rename = "PluginID")]
    pub plugin_id: Option<String>,
    /// The withdrawn permissions, as codes such as 1 (profile) or 201 (address).
    pub revoke_info: Option<String>,
}

impl Subscribe {
    /// The scene of the QR code that the user scanned, in the form of [`Scan::scene`].
    pub fn scene(&self) -> Option<&str> {
        self.event_key.as_deref()?.strip_prefix(SCENE)
    }
}

impl Scan {
    /// The scene of the QR code: the [`event_key`](Self::event_key), or `None` if that is empty.
    pub fn scene(&self) -> Option<&str> {
        self.event_key.as_deref().filter(|scene| !scene.is_empty())
    }
}

/// The prefix of the scene in a `subscribe` event.
const SCENE: &str = "qrscene_";
