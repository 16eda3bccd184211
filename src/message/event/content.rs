//! What is in a mini program: short dramas (短剧), novels (小说), live rooms (直播) and comments.

use serde::{Deserialize, Serialize};

use crate::{
    timestamp::{self, Timestamp},
    xml,
};

/// A video of a short drama was uploaded (媒资上传完成事件).
///
/// WeChat sends it when an upload has succeeded or failed.
///
/// Source: WeChat's page "Short dramas" (industry/mini-drama).
///
#[doc = sample!("event/secvod_upload_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecvodUpload {
    /// The upload.
    pub upload_event: SecvodUploadResult,
}

/// The result of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecvodUploadResult {
    /// The video's id.
    pub media_id: Option<String>,
    /// The data that the account gave with the upload.
    pub source_context: Option<String>,
    /// 0, or the code of the error.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub errcode: Option<i64>,
    /// The error in words.
    pub errmsg: Option<String>,
}

/// A review of a short drama (剧目审核状态事件).
///
/// WeChat sends it when the state of the review changes.
///
/// Source: WeChat's page "Short dramas" (industry/mini-drama).
///
#[doc = sample!("event/secvod_audit_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecvodAudit {
    /// The review.
    pub audit_event: SecvodAuditResult,
}

/// The short drama, and its review.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecvodAuditResult {
    /// The short drama's id.
    pub drama_id: String,
    /// Its review.
    pub audit_detail: Option<ContentAudit>,
}

/// A review of a novel (书籍审核状态事件).
///
/// WeChat sends it when the state of the review changes.
///
/// Source: WeChat's page "Novels" (industry/novel-api).
///
#[doc = sample!("event/secbook_audit_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecbookAudit {
    /// The review.
    pub audit_event: SecbookAuditResult,
}

/// The novel, and its review.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecbookAuditResult {
    /// The novel's id.
    pub book_id: String,
    /// Its review.
    pub audit_detail: Option<ContentAudit>,
}

/// The state of the review of a short drama or novel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContentAudit {
    /// The state, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub status: Option<i64>,
    /// The kind of review, a code. Novels have none.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub audit_type: Option<i64>,
    /// When it was asked for.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub create_time: Option<Timestamp>,
    /// When it was decided.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub audit_time: Option<Timestamp>,
}

/// A user subscribed to a mini program's live rooms, or ended the subscription (长期订阅状态通知).
///
/// WeChat sends it when a user does so in a live room.
///
/// Source: WeChat's page "State of long-term subscriptions" (`event_push/liveplayer/status_synchronization`). Its table
/// lacks `FollowNotify`, its sample has it.
///
#[doc = sample!("event/wxalive_follow_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WxaliveFollowNotify {
    /// What happened.
    pub follow_notify: WxaliveFollow,
}

/// A user and a live room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaliveFollow {
    /// The room's id.
    pub room_id: String,
    /// The user's OpenID.
    pub user_openid: Option<String>,
    /// When the user did it.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub time: Option<Timestamp>,
    /// The room's state: 101 live, 102 not begun, 103 ended, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub live_status: Option<i64>,
    /// What the user did: `add_follow` or `del_follow`.
    pub action: Option<String>,
}

/// The messages of a live room to its subscribers were sent (长期订阅群发结果).
///
/// WeChat sends it when a mass sending that the account asked for has ended.
///
/// Source: WeChat's page on the results (`event_push/liveplayer/longterm_subscription`).
///
#[doc = sample!("event/wxalive_push_message_notify")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct WxalivePushMessageNotify {
    /// The result.
    pub push_message_api_notify: WxalivePushResult,
}

/// The result of a mass sending, in numbers of users.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxalivePushResult {
    /// The id that the call returned.
    pub message_id: String,
    /// The room's id.
    pub room_id: Option<String>,
    /// All users.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub total_count: Option<u64>,
    /// Those who got the message.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub success_count: Option<u64>,
    /// Those whose OpenID is wrong.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub openid_error_count: Option<u64>,
    /// Those who have not subscribed.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub relation_error_count: Option<u64>,
    /// Those who have got too many messages.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub user_recv_limit_count: Option<u64>,
    /// Those for whom WeChat failed.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub internal_error_count: Option<u64>,
}

/// A user left a bad comment (差评通知).
///
/// WeChat sends it when a user rates an order of the mini program badly.
///
/// Source: WeChat's page "Comments" (industry/guarantee/comment).
///
#[doc = sample!("event/wxa_comment_bad_score")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaCommentBadScore {
    /// The comment.
    pub result: WxaComment,
}

/// A comment on an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WxaComment {
    /// The comment's id.
    pub comment_id: String,
}
