//! Decisions of WeChat on the account and its mini programs: accreditation, audits, violations and appeals.

use serde::{Deserialize, Serialize};

use super::read::optional_flag;
use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// The accreditation of the account succeeded, is due for renewal or expired (资质认证成功、名称认证成功、年审通知、认证过期失效通知).
///
/// WeChat sends it in four cases: the qualification was verified, the name was verified, the yearly renewal
/// is due, or the accreditation has expired.
///
#[doc = sample!("event/qualification_verify_success")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Accreditation {
    /// When the accreditation ends or ended.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub expired_time: Option<Timestamp>,
}

/// The accreditation of the account failed (资质认证失败、名称认证失败).
///
/// WeChat sends it when it rejects the account's qualification or name.
///
#[doc = sample!("event/qualification_verify_fail")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct AccreditationFailure {
    /// When it failed.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub fail_time: Option<Timestamp>,
    /// Why it failed.
    #[serde(default)]
    pub fail_reason: String,
}

/// The check of a picture or sound ended (内容安全异步检测结果).
///
/// WeChat sends it when a check that the account asked for is done. Version 1 of the check fills `isrisky`,
/// `status_code` and `extra_info_json`. Version 2 fills `version`, `detail` and `result`.
///
#[doc = sample!("event/wxa_media_check")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaMediaCheck {
    /// The app id.
    #[serde(default)]
    pub appid: String,
    /// The id that the request for the check returned.
    pub trace_id: String,
    /// The check's version: 2, or `None` for version 1.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub version: Option<i64>,
    /// The result of each strategy.
    #[serde(default)]
    pub detail: Vec<MediaCheckDetail>,
    /// The combined result of all strategies.
    pub result: Option<MediaCheckResult>,
    /// Whether the content is risky.
    #[serde(default, deserialize_with = "optional_flag")]
    pub isrisky: Option<bool>,
    /// 0, or the code of the error.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status_code: Option<i64>,
    /// Additional information as JSON text.
    pub extra_info_json: Option<String>,
    /// 0, or the code of the error.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub errcode: Option<i64>,
    /// The error in words.
    pub errmsg: Option<String>,
}

/// The result of one strategy for a picture or sound.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MediaCheckDetail {
    /// The strategy, such as `content_model`.
    #[serde(default)]
    pub strategy: String,
    /// 0 if the other fields are valid.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub errcode: Option<i64>,
    /// Usually `pass`, `risky` or `review`.
    pub suggest: Option<String>,
    /// The label, a code: 100 harmless, 20001 politics, 20002 pornography and others.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub label: Option<i64>,
    /// The probability of the label, from 0 to 100.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub prob: Option<f64>,
}

/// The combined result of all strategies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MediaCheckResult {
    /// Usually `pass`, `risky` or `review`.
    #[serde(default)]
    pub suggest: String,
    /// The label, a code, see [`MediaCheckDetail::label`].
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub label: Option<i64>,
}

/// A mini program passed its audit (代码审核结果推送).
///
/// WeChat sends it when a version is ready for release.
///
#[doc = sample!("event/weapp_audit_success")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WeappAuditSuccess {
    /// When the version passed.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub succ_time: Option<Timestamp>,
}

/// A mini program failed its audit (代码审核结果推送).
///
/// WeChat sends it when it rejects a version.
///
#[doc = sample!("event/weapp_audit_fail")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WeappAuditFail {
    /// Why the version failed, with `<br>` between the lines.
    #[serde(default)]
    pub reason: String,
    /// When the version failed.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub fail_time: Option<Timestamp>,
    /// Media ids of screenshots, separated by `|`.
    pub screen_shot: Option<String>,
}

/// A mini program's audit takes longer than usual (代码审核结果推送).
///
/// WeChat sends it when it postpones the audit of a version.
///
#[doc = sample!("event/weapp_audit_delay")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WeappAuditDelay {
    /// Why the audit was postponed.
    #[serde(default)]
    pub reason: String,
    /// When the audit was postponed.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub delay_time: Option<Timestamp>,
}

/// A review of a mini program's name (名称审核结果).
///
/// WeChat sends it when it accepts or rejects a new name.
///
#[doc = sample!("event/wxa_nickname_audit")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaNicknameAudit {
    /// 2 rejected, 3 accepted.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub ret: Option<i64>,
    /// The name.
    #[serde(default)]
    pub nickname: String,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// A review of a mini program's category (类目审核结果).
///
/// WeChat sends it when it accepts or rejects a new category.
///
#[doc = sample!("event/wxa_category_audit")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaCategoryAudit {
    /// 2 rejected, 3 accepted.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub ret: Option<i64>,
    /// The id of the first-level category.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub first: Option<i64>,
    /// The id of the second-level category.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub second: Option<i64>,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// A review of a mini program's use of a privacy-related API (隐私接口审核结果).
///
/// WeChat sends it when it accepts or rejects the use.
///
#[doc = sample!("event/wxa_privacy_apply")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaPrivacyApply {
    /// The result.
    pub result_info: PrivacyApplyResult,
}

/// The result of a review of a privacy-related API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PrivacyApplyResult {
    /// The API, such as `wx.choosePoi`.
    #[serde(default)]
    pub api_name: String,
    /// When the use was applied for.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub apply_time: Option<Timestamp>,
    /// The review's id.
    pub audit_id: Option<String>,
    /// When the review ended.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub audit_time: Option<Timestamp>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// The result, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
}

/// A mini program violated the rules (小程序违规记录).
///
/// WeChat sends it when the platform records a violation.
///
#[doc = sample!("event/wxa_illegal_record")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaIllegalRecord {
    /// The record's id.
    pub illegal_record_id: String,
    /// The mini program's app id.
    #[serde(default)]
    pub appid: String,
    /// When the violation was recorded.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub create_time: Option<Timestamp>,
    /// The violation.
    pub illegal_reason: Option<String>,
    /// The content that violates the rules.
    pub illegal_content: Option<String>,
    /// The URL of the rule.
    pub rule_url: Option<String>,
    /// The rule's name.
    pub rule_name: Option<String>,
}

/// An appeal against a violation record (小程序申诉记录).
///
/// WeChat sends it when an appeal is made and when it is decided.
///
#[doc = sample!("event/wxa_appeal_record")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaAppealRecord {
    /// The appeal's id.
    pub appeal_record_id: String,
    /// The mini program's app id.
    #[serde(default)]
    pub appid: String,
    /// When the appeal was made.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub appeal_time: Option<Timestamp>,
    /// The number of appeals so far.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub appeal_count: Option<u64>,
    /// Who appealed: 0 the user, 1 a service provider.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub appeal_from: Option<i64>,
    /// 1 under review, 2 rejected, 3 granted, 4 timed out, 5 withdrawn.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub appeal_status: Option<i64>,
    /// When the appeal was decided.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub audit_time: Option<Timestamp>,
    /// The reason for the decision.
    pub audit_reason: Option<String>,
    /// The violation that was punished.
    pub punish_description: Option<String>,
    /// The violating contents, each with the reasons of the appeal.
    #[serde(default)]
    pub material: Vec<AppealMaterial>,
}

/// A violating content and the reasons of the appeal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AppealMaterial {
    /// The content that violates the rules.
    pub illegal_material: IllegalMaterial,
    /// The reasons of the appeal.
    pub appeal_material: AppealReason,
}

/// A content that violates the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IllegalMaterial {
    /// The content.
    #[serde(default)]
    pub content: String,
    /// The content's URL.
    #[serde(default)]
    pub content_url: String,
}

/// The reasons of an appeal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AppealReason {
    /// The reason.
    #[serde(default)]
    pub reason: String,
    /// Media ids of the evidence.
    #[serde(default)]
    pub proof_material_id: Vec<String>,
}

/// The fee for the verification of a mini program was paid (小程序认证支付成功).
///
/// WeChat sends it to mini programs whose verification a service provider has applied for.
///
/// Source: the names that other libraries read.
///
#[doc = sample!("event/wx_verify_pay_succ")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WxVerifyPaySucc {
    /// The order's id.
    pub order_id: String,
}

/// The verification of a mini program was given to a reviewer (小程序认证派单).
///
/// WeChat sends it when a company that checks the documents has taken the task.
///
/// Source: the names that other libraries read.
///
#[doc = sample!("event/wx_verify_dispatch")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WxVerifyDispatch {
    /// The company's name.
    pub provider: Option<String>,
    /// How to reach it.
    pub contact: Option<String>,
    /// When it took the task.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub dispatch_time: Option<Timestamp>,
}
