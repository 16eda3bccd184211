//! Accreditation of the account (微信认证事件推送).

use serde::{Deserialize, Serialize};

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
    pub expired_time: u64,
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
    pub fail_time: u64,
    /// Why.
    #[serde(default)]
    pub fail_reason: String,
}
