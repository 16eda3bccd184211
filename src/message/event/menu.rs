//! Taps on the account's menu.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A menu button of type `click` (点击菜单拉取消息时的事件推送).
///
/// WeChat sends it when a user taps such a button. It may be answered like a message. Buttons that
/// open a submenu cause no event.
///
#[doc = sample!("event/click")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Click {
    /// The key that the menu gives the button.
    pub event_key: String,
}

/// A menu button that opens a page (点击菜单跳转链接时的事件推送).
///
/// WeChat sends it when a user taps a button of type `view`.
///
#[doc = sample!("event/view")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct View {
    /// The address that is opened.
    pub event_key: String,
    /// The menu's id, by which a conditional menu is told from the others.
    #[serde(alias = "MenuID")]
    pub menu_id: Option<String>,
}

/// A menu button that opens a mini program (点击菜单跳转小程序的事件推送).
///
/// WeChat sends it when a user taps a button of type `miniprogram`.
///
#[doc = sample!("event/view_miniprogram")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ViewMiniProgram {
    /// The page's path in the mini program.
    pub event_key: String,
    /// The menu's id, by which a conditional menu is told from the others.
    #[serde(alias = "MenuID")]
    pub menu_id: Option<String>,
}

/// A menu button that scans a code (扫码推事件).
///
/// WeChat sends it when a user has scanned a code behind a button of type `scancode_push`, which
/// shows the user what was scanned, or of type `scancode_waitmsg`, which waits for the account's
/// answer.
///
#[doc = sample!("event/scancode_push")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ScanCode {
    /// The key that the menu gives the button.
    pub event_key: String,
    /// What was scanned.
    pub scan_code_info: ScanCodeInfo,
}

/// What a menu button has scanned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ScanCodeInfo {
    /// The kind of code: `qrcode` or `barcode`, as a rule.
    #[serde(default)]
    pub scan_type: String,
    /// The text in the code; a bar code's has its kind in front.
    #[serde(default)]
    pub scan_result: String,
}

/// A menu button that sends pictures
/// (弹出系统拍照发图、拍照或者相册发图、微信相册发图器的事件推送).
///
/// WeChat sends it when a user has chosen pictures behind a button of type `pic_sysphoto` (the
/// camera), `pic_photo_or_album` (the camera or the album) or `pic_weixin` (the album). The
/// pictures themselves follow as image messages.
///
#[doc = sample!("event/pic_sysphoto")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SendPics {
    /// The key that the menu gives the button.
    pub event_key: String,
    /// Which pictures are sent.
    pub send_pics_info: SendPicsInfo,
}

/// The pictures that a menu button sends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SendPicsInfo {
    /// How many there are, as WeChat counts: not always the length of the list.
    pub count: u64,
    /// The pictures.
    #[serde(default, with = "xml::items")]
    pub pic_list: Vec<Picture>,
}

/// A picture that a menu button sends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Picture {
    /// The picture's MD5 digest in hexadecimal, to know it again when it arrives.
    pub pic_md5_sum: String,
}

/// A menu button that sends a place (弹出地理位置选择器的事件推送).
///
/// WeChat sends it when a user has chosen a place behind a button of type `location_select`. The
/// place itself follows as a location message.
///
#[doc = sample!("event/location_select")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct LocationSelect {
    /// The key that the menu gives the button.
    pub event_key: String,
    /// The place.
    pub send_location_info: SendLocationInfo,
}

/// The place that a menu button sends.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SendLocationInfo {
    /// The latitude in degrees.
    #[serde(rename = "Location_X")]
    pub location_x: f64,
    /// The longitude in degrees.
    #[serde(rename = "Location_Y")]
    pub location_y: f64,
    /// How far the map is zoomed in: the larger, the closer.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub scale: Option<u64>,
    /// The place's address, as sent: perhaps with a blank in front.
    #[serde(default)]
    pub label: String,
    /// The name of the point of interest in the user's Moments; may be empty.
    #[serde(default)]
    pub poiname: String,
}
