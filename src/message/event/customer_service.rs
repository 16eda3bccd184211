//! Sessions with the account's customer service (客服会话状态通知).

use serde::{Deserialize, Serialize};

/// A session with an agent has begun or ended (接入会话、关闭会话).
///
/// WeChat sends it when an agent takes a user's session or closes it.
///
#[doc = sample!("event/kf_create_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct KfSession {
    /// The agent's account, `name@account`.
    pub kf_account: String,
    /// Why it was closed, where WeChat says so.
    pub close_type: Option<String>,
}

/// A session was handed to another agent (转接会话).
///
/// WeChat sends it when an agent hands a user's session on.
///
#[doc = sample!("event/kf_switch_session")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct KfSwitchSession {
    /// The agent who had it.
    pub from_kf_account: String,
    /// The agent who has it now.
    pub to_kf_account: String,
}
