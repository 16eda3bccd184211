//! Following the account, and scanning its QR codes.

use serde::{Deserialize, Serialize};

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
