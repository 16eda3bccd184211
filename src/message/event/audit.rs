//! What WeChat decides about the account and its mini programs: accreditation, checks of content, audits,
//! violations and appeals.

use serde::{Deserialize, Serialize};

use super::read::optional_flag;
use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// The account was accredited, or has to be again
/// (资质认证成功、名称认证成功、年审通知、认证过期失效通知).
///
/// WeChat sends it when the account's qualification or its name was verified, when the yearly
/// renewal is due or when it has expired.
///
#[doc = sample!("event/qualification_verify_success")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Accreditation {
    /// When the accreditation ends or ended, in seconds since the Unix epoch.
    pub expired_time: Timestamp,
}

/// The account was not accredited (资质认证失败、名称认证失败).
///
/// WeChat sends it when the account's qualification or its name was not verified.
///
#[doc = sample!("event/qualification_verify_fail")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct AccreditationFailure {
    /// When that was, in seconds since the Unix epoch.
    pub fail_time: Timestamp,
    /// Why.
    #[serde(default)]
    pub fail_reason: String,
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
    #[serde(default, deserialize_with = "optional_flag")]
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
    pub succ_time: Timestamp,
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
    pub fail_time: Timestamp,
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
    pub delay_time: Timestamp,
}

/// A mini program's name was reviewed (名称审核结果).
///
/// WeChat sends it when a new name was accepted or refused.
///
#[doc = sample!("event/wxa_nickname_audit")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaNicknameAudit {
    /// 2 refused, 3 accepted.
    pub ret: i64,
    /// The name.
    #[serde(default)]
    pub nickname: String,
    /// Why not.
    pub reason: Option<String>,
}

/// A mini program's category was reviewed (类目审核结果).
///
/// WeChat sends it when a new category was accepted or refused.
///
#[doc = sample!("event/wxa_category_audit")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaCategoryAudit {
    /// 2 refused, 3 accepted.
    pub ret: i64,
    /// The id of the upper category.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub first: Option<i64>,
    /// The id of the lower category.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub second: Option<i64>,
    /// Why not.
    pub reason: Option<String>,
}

/// A mini program's interface was reviewed (隐私接口审核结果).
///
/// WeChat sends it when the use of an interface that concerns privacy was allowed or refused.
///
#[doc = sample!("event/wxa_privacy_apply")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaPrivacyApply {
    /// What was decided.
    pub result_info: PrivacyApplyResult,
}

/// What was decided about an interface that concerns privacy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PrivacyApplyResult {
    /// The interface, such as `wx.choosePoi`.
    pub api_name: String,
    /// When it was asked for, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub apply_time: Option<Timestamp>,
    /// The review's id.
    pub audit_id: Option<String>,
    /// When it was decided, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub audit_time: Option<Timestamp>,
    /// Why not.
    pub reason: Option<String>,
    /// How it ended, as a code.
    pub status: i64,
}

/// A mini program broke the rules (小程序违规记录).
///
/// WeChat sends it when the platform has found it out.
///
#[doc = sample!("event/wxa_illegal_record")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaIllegalRecord {
    /// The record's id.
    pub illegal_record_id: String,
    /// The mini program's id.
    #[serde(default)]
    pub appid: String,
    /// When it was recorded, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub create_time: Option<Timestamp>,
    /// What was wrong.
    pub illegal_reason: Option<String>,
    /// What the content was.
    pub illegal_content: Option<String>,
    /// Where the rule can be read.
    pub rule_url: Option<String>,
    /// The rule's name.
    pub rule_name: Option<String>,
}

/// An appeal was decided (小程序申诉记录).
///
/// WeChat sends it when an appeal against a record was made or decided.
///
#[doc = sample!("event/wxa_appeal_record")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaAppealRecord {
    /// The appeal's id.
    pub appeal_record_id: String,
    /// The mini program's id.
    #[serde(default)]
    pub appid: String,
    /// When it was made, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub appeal_time: Option<Timestamp>,
    /// How many there have been.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub appeal_count: Option<u64>,
    /// Who appealed: 0 the user, 1 a service provider.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub appeal_from: Option<i64>,
    /// 1 being decided, 2 refused, 3 granted, 4 timed out, 5 withdrawn.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub appeal_status: Option<i64>,
    /// When it was decided, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub audit_time: Option<Timestamp>,
    /// Why so.
    pub audit_reason: Option<String>,
    /// What the mini program was punished for.
    pub punish_description: Option<String>,
    /// What it is about, and what speaks for it.
    #[serde(default)]
    pub material: Vec<AppealMaterial>,
}

/// What an appeal is about, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AppealMaterial {
    /// What was found.
    pub illegal_material: IllegalMaterial,
    /// What speaks for it.
    pub appeal_material: AppealReason,
}

/// What breaks the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IllegalMaterial {
    /// The content.
    #[serde(default)]
    pub content: String,
    /// Where it stands.
    #[serde(default)]
    pub content_url: String,
}

/// What speaks for a content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AppealReason {
    /// The reason.
    #[serde(default)]
    pub reason: String,
    /// Media ids of what proves it.
    #[serde(default)]
    pub proof_material_id: Vec<String>,
}
