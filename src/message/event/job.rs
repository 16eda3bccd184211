//! Results of template messages, mass sending and publishing.

use serde::{Deserialize, Serialize};

use super::read::optional_flag;
use crate::xml;

/// Delivery of a template message succeeded or failed (模版消息发送任务完成).
///
/// WeChat sends it after each template message.
///
#[doc = sample!("event/templatesendjobfinish")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TemplateSendJobFinish {
    /// The id that sending the template message returned. It is not a message id, which events do not have.
    #[serde(rename = "MsgID")]
    pub msg_id: String,
    /// `success`, or `failed:` and a reason such as `user block` or `system failed`. There may be a space
    /// after the colon.
    #[serde(default)]
    pub status: String,
}

/// A mass-send job ended (群发结果).
///
/// WeChat sends it when it has sent or rejected a mass-sent message.
///
#[doc = sample!("event/masssendjobfinish")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct MassSendJobFinish {
    /// The id that starting the job returned. It is not a message id, which events do not have.
    #[serde(rename = "MsgID")]
    pub msg_id: String,
    /// `send success` or `sendsuccess`, `send fail`, or `err(…)` with the code of the reason for rejecting
    /// the message.
    #[serde(default)]
    pub status: String,
    /// The number of chosen followers.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub total_count: Option<u64>,
    /// The number of followers left after filtering: the sum of `sent_count` and `error_count`.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub filter_count: Option<u64>,
    /// The number of followers who got the message.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub sent_count: Option<u64>,
    /// The number of followers for whom sending failed.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub error_count: Option<u64>,
    /// The result of the originality check.
    pub copyright_check_result: Option<CopyrightCheckResult>,
    /// The URLs of the articles.
    pub article_url_result: Option<ArticleUrlResult>,
}

/// The result of the originality check of a mass-sent message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CopyrightCheckResult {
    /// The number of checked articles.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub count: Option<u64>,
    /// The result for each article.
    #[serde(default, with = "xml::items")]
    pub result_list: Vec<CopyrightCheck>,
    /// The result for all articles: 1 may be sent, 2 may not be sent, 3 may be sent if marked as reprints.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub check_state: Option<u64>,
}

/// The result of the originality check of one article.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CopyrightCheck {
    /// The article's position, counted from 1.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub article_idx: Option<u64>,
    /// What the account declared about the article, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub user_declare_state: Option<i64>,
    /// The result of the check, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub audit_state: Option<i64>,
    /// The URL of the original.
    #[serde(default)]
    pub original_article_url: String,
    /// The kind of original, a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub original_article_type: Option<i64>,
    /// Whether the article may be reprinted.
    #[serde(default, deserialize_with = "optional_flag")]
    pub can_reprint: Option<bool>,
    /// Whether the article's content must be replaced by the original's.
    #[serde(default, deserialize_with = "optional_flag")]
    pub need_replace_content: Option<bool>,
    /// Whether the source must be shown.
    #[serde(default, deserialize_with = "optional_flag")]
    pub need_show_reprint_source: Option<bool>,
}

/// The URLs of mass-sent articles.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ArticleUrlResult {
    /// The number of articles.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub count: Option<u64>,
    /// The articles.
    #[serde(default, with = "xml::items")]
    pub result_list: Vec<ArticleUrl>,
}

/// The URL of a mass-sent article.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ArticleUrl {
    /// The article's position, counted from 1.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub article_idx: Option<u64>,
    /// The article's URL.
    #[serde(default)]
    pub article_url: String,
}

/// A publishing job ended (发布任务完成).
///
/// WeChat sends it when it has published or rejected articles.
///
#[doc = sample!("event/publishjobfinish")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct PublishJobFinish {
    /// The result.
    pub publish_event_info: PublishEventInfo,
}

/// The result of a publishing job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishEventInfo {
    /// The job's id.
    pub publish_id: String,
    /// 0 published, 1 in progress, 2 not original, 3 failed, 4 rejected by the platform's audit, 5 all
    /// deleted by the account, 6 all banned by the platform.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub publish_status: Option<i64>,
    /// The article's id, if the job succeeded.
    pub article_id: Option<String>,
    /// The articles, if the job succeeded.
    pub article_detail: Option<ArticleDetail>,
    /// The positions of rejected articles, counted from 1.
    #[serde(default)]
    pub fail_idx: Vec<u64>,
}

/// The articles that a job published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArticleDetail {
    /// The number of articles.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub count: Option<u64>,
    /// The articles.
    #[serde(default)]
    pub item: Vec<PublishedArticle>,
}

/// A published article.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishedArticle {
    /// The article's position, counted from 1.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub idx: Option<u64>,
    /// The article's URL.
    #[serde(default)]
    pub article_url: String,
}
