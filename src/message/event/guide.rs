//! Shopping guides (对话能力).

use serde::{Deserialize, Serialize};

use crate::xml;

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
