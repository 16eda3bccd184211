//! Audits of a mini program's name, categories and permissions, and its breaches of the rules.

use serde::{Deserialize, Serialize};

use crate::xml;

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
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub apply_time: Option<u64>,
    /// The review's id.
    pub audit_id: Option<String>,
    /// When it was decided, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub audit_time: Option<u64>,
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
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub create_time: Option<u64>,
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
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub appeal_time: Option<u64>,
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
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub audit_time: Option<u64>,
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
