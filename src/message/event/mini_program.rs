//! Mini programs: sessions, checks of media, audits.

use serde::{Deserialize, Serialize};

use super::flag;
use crate::xml;

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

/// A picture or sound was checked (内容安全异步检测结果).
///
/// WeChat sends it when a check that the account asked for is done. The first version of the check
/// fills `isrisky`, `status_code` and `extra_info_json`, the second one `version`, `detail` and
/// `result`.
///
#[doc = sample!("event/wxa_media_check")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaMediaCheck {
    /// The app's id.
    #[serde(default)]
    pub appid: String,
    /// The id that asking for the check returned.
    pub trace_id: String,
    /// The check's version: 2, or absent.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub version: Option<i64>,
    /// What each strategy said.
    #[serde(default)]
    pub detail: Vec<MediaCheckDetail>,
    /// What they say together.
    pub result: Option<MediaCheckResult>,
    /// Whether the content is risky.
    #[serde(default, deserialize_with = "flag::optional")]
    pub isrisky: Option<bool>,
    /// 0, or why there is no result.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status_code: Option<i64>,
    /// More, as JSON in a text.
    pub extra_info_json: Option<String>,
    /// 0, or why there is no result.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub errcode: Option<i64>,
    /// Why there is no result, in words.
    pub errmsg: Option<String>,
}

/// What a strategy says of a picture or sound.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MediaCheckDetail {
    /// The strategy: `content_model` and others.
    pub strategy: String,
    /// 0 if the other fields hold.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub errcode: Option<i64>,
    /// `pass`, `risky` or `review`, as a rule.
    pub suggest: Option<String>,
    /// What was found, as a code: 100 nothing, 20001 politics, 20002 pornography and others.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub label: Option<i64>,
    /// How sure that is, from 0 to 100.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub prob: Option<f64>,
}

/// What the strategies say together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MediaCheckResult {
    /// `pass`, `risky` or `review`, as a rule.
    pub suggest: String,
    /// What was found, as a code, see [`MediaCheckDetail::label`].
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub label: Option<i64>,
}

/// A mini program passed its audit (代码审核结果推送).
///
/// WeChat sends it when a version may be released.
///
#[doc = sample!("event/weapp_audit_success")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WeappAuditSuccess {
    /// When that was, in seconds since the Unix epoch.
    pub succ_time: u64,
}

/// A mini program did not pass its audit (代码审核结果推送).
///
/// WeChat sends it when a version was refused.
///
#[doc = sample!("event/weapp_audit_fail")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WeappAuditFail {
    /// Why, with `<br>` between the lines.
    #[serde(default)]
    pub reason: String,
    /// When that was, in seconds since the Unix epoch.
    pub fail_time: u64,
    /// Media ids of screenshots, with `|` between them.
    pub screen_shot: Option<String>,
}

/// A mini program's audit takes longer (代码审核结果推送).
///
/// WeChat sends it when a version has to wait.
///
#[doc = sample!("event/weapp_audit_delay")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WeappAuditDelay {
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When that was decided, in seconds since the Unix epoch.
    pub delay_time: u64,
}
