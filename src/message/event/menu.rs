//! Taps on the account's menu.

use serde::{Deserialize, Serialize};

use crate::xml;

/// A user tapped a menu button of type `click` (点击菜单拉取消息时的事件推送).
///
/// WeChat shows the user a passive reply to it. A button that opens a submenu causes no event.
///
#[doc = sample!("event/click")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Click {
    /// The button's key in the menu.
    pub event_key: Option<String>,
}

/// A user tapped a menu button that opens a page (点击菜单跳转链接时的事件推送).
///
/// WeChat sends it for a button of type `view`.
///
#[doc = sample!("event/view")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct View {
    /// The page's URL.
    pub event_key: Option<String>,
    /// The menu's id, which tells conditional menus apart.
    #[serde(alias = "MenuID")]
    pub menu_id: Option<String>,
}

/// A user tapped a menu button that opens a mini program (点击菜单跳转小程序的事件推送).
///
/// WeChat sends it for a button of type `miniprogram`.
///
#[doc = sample!("event/view_miniprogram")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ViewMiniProgram {
    /// The page's path in the mini program.
    pub event_key: Option<String>,
    /// The menu's id, which tells conditional menus apart.
    #[serde(alias = "MenuID")]
    pub menu_id: Option<String>,
}

/// A user scanned a code with a menu button (扫码推事件).
///
/// WeChat sends it for two types of button. `scancode_push` shows the user the scanned content.
/// `scancode_waitmsg` waits for the account's passive reply.
///
#[doc = sample!("event/scancode_push")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ScanCode {
    /// The button's key in the menu.
    pub event_key: Option<String>,
    /// The scanned code.
    pub scan_code_info: ScanCodeInfo,
}

/// A code that a menu button scanned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ScanCodeInfo {
    /// The kind of code, usually `qrcode` or `barcode`.
    #[serde(default)]
    pub scan_type: String,
    /// The code's content. The content of a bar code begins with its kind.
    #[serde(default)]
    pub scan_result: String,
}

/// A user chose pictures with a menu button (弹出系统拍照发图、拍照或者相册发图、微信相册发图器的事件推送).
///
/// WeChat sends it for three types of button: `pic_sysphoto` (camera), `pic_photo_or_album` (camera or
/// album) and `pic_weixin` (album). The pictures follow as image messages.
///
#[doc = sample!("event/pic_sysphoto")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SendPics {
    /// The button's key in the menu.
    pub event_key: Option<String>,
    /// The chosen pictures.
    pub send_pics_info: SendPicsInfo,
}

/// The pictures that a user chose with a menu button.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SendPicsInfo {
    /// The number of pictures as WeChat counts them. It may differ from the length of the list.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub count: Option<u64>,
    /// The pictures.
    #[serde(default, with = "xml::items")]
    pub pic_list: Vec<Picture>,
}

/// A picture that a user chose with a menu button.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Picture {
    /// The picture's MD5 digest in hexadecimal. It identifies the image message that follows.
    #[serde(default)]
    pub pic_md5_sum: String,
}

/// A user chose a place with a menu button (弹出地理位置选择器的事件推送).
///
/// WeChat sends it for a button of type `location_select`. The place follows as a location message.
///
#[doc = sample!("event/location_select")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct LocationSelect {
    /// The button's key in the menu.
    pub event_key: Option<String>,
    /// The chosen place.
    pub send_location_info: SendLocationInfo,
}

/// The place that a user chose with a menu button.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SendLocationInfo {
    /// The latitude in degrees.
    #[serde(
        default,
        rename = "Location_X",
        deserialize_with = "xml::optional_number"
    )]
    pub location_x: Option<f64>,
    /// The longitude in degrees.
    #[serde(
        default,
        rename = "Location_Y",
        deserialize_with = "xml::optional_number"
    )]
    pub location_y: Option<f64>,
    /// The zoom level of the map. A larger one shows a smaller area.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub scale: Option<u64>,
    /// The place's address, sometimes with a leading space.
    #[serde(default)]
    pub label: String,
    /// The name of the point of interest in the user's Moments. It may be empty.
    #[serde(default)]
    pub poiname: String,
}
