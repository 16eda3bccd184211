//! What users change about themselves.

use serde::{Deserialize, Serialize};

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
