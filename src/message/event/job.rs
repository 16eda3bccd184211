//! Results of template messages, mass sending and publishing.

use serde::{Deserialize, Serialize};

use super::read::optional_flag;
use crate::xml;

/// A template message was delivered, or was not (模版消息发送任务完成).
///
/// WeChat sends it after each template message.
///
#[doc = sample!("event/templatesendjobfinish")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TemplateSendJobFinish {
    /// The id that sending the template message returned. It is no message id: events have none.
    #[serde(rename = "MsgID")]
    pub msg_id: String,
    /// `success`, or `failed:` and a reason, with or without a blank between them: `user block`,
    /// `system failed` and others.
    pub status: String,
}

/// A mass-sent message was delivered (群发结果).
///
/// WeChat sends it when a mass-send job ends.
///
#[doc = sample!("event/masssendjobfinish")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct MassSendJobFinish {
    /// The id that starting the job returned. It is no message id: events have none.
    #[serde(rename = "MsgID")]
    pub msg_id: String,
    /// `send success` or `sendsuccess`, `send fail`, or `err(…)` with a number that says why it was
    /// refused.
    pub status: String,
    /// How many followers were chosen.
    pub total_count: u64,
    /// How many were left after filtering: `sent_count` and `error_count` together.
    pub filter_count: u64,
    /// How many got it.
    pub sent_count: u64,
    /// How many did not.
    pub error_count: u64,
    /// What the check for originality said.
    pub copyright_check_result: Option<CopyrightCheckResult>,
    /// Where the articles can be read.
    pub article_url_result: Option<ArticleUrlResult>,
}

/// What the check of a mass-sent message for originality said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CopyrightCheckResult {
    /// How many articles were checked.
    pub count: u64,
    /// What it said of each.
    #[serde(default, with = "xml::items")]
    pub result_list: Vec<CopyrightCheck>,
    /// Of all together: 1 may be sent, 2 may not, 3 may be sent if they are marked as reprints.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub check_state: Option<u64>,
}

/// What the check for originality said of one article.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CopyrightCheck {
    /// Which article, counted from 1.
    pub article_idx: u64,
    /// What the account declared of it, as a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub user_declare_state: Option<i64>,
    /// What the check found, as a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub audit_state: Option<i64>,
    /// Where the original can be read.
    #[serde(default)]
    pub original_article_url: String,
    /// The kind of original, as a code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub original_article_type: Option<i64>,
    /// Whether it may be reprinted.
    #[serde(default, deserialize_with = "optional_flag")]
    pub can_reprint: Option<bool>,
    /// Whether the original's content has to stand in for it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub need_replace_content: Option<bool>,
    /// Whether the source has to be shown.
    #[serde(default, deserialize_with = "optional_flag")]
    pub need_show_reprint_source: Option<bool>,
}

/// Where mass-sent articles can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ArticleUrlResult {
    /// How many there are.
    pub count: u64,
    /// The articles.
    #[serde(default, with = "xml::items")]
    pub result_list: Vec<ArticleUrl>,
}

/// Where one mass-sent article can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ArticleUrl {
    /// Which article, counted from 1.
    pub article_idx: u64,
    /// Its address.
    pub article_url: String,
}

/// Something was published, or was refused (发布任务完成).
///
/// WeChat sends it when a publishing job ends.
///
#[doc = sample!("event/publishjobfinish")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct PublishJobFinish {
    /// What became of it.
    pub publish_event_info: PublishEventInfo,
}

/// What became of a publishing job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishEventInfo {
    /// The job's id.
    pub publish_id: String,
    /// 0 published, 1 being published, 2 not original, 3 failed, 4 refused by the platform's audit,
    /// 5 all deleted by the account, 6 all banned by the platform.
    pub publish_status: i64,
    /// The published article's id, if it was published.
    pub article_id: Option<String>,
    /// The articles, if they were published.
    pub article_detail: Option<ArticleDetail>,
    /// Which articles were refused, counted from 1.
    #[serde(default)]
    pub fail_idx: Vec<u64>,
}

/// The articles that a job has published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArticleDetail {
    /// How many there are.
    pub count: u64,
    /// The articles.
    #[serde(default)]
    pub item: Vec<PublishedArticle>,
}

/// A published article.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishedArticle {
    /// Which article, counted from 1.
    pub idx: u64,
    /// Its address.
    pub article_url: String,
}
