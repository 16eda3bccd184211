//! WeCom (企业微信): what members do in an app, and what becomes of jobs, approvals and customers' questions.

use serde::{Deserialize, Serialize};

use crate::{
    timestamp::{self, Timestamp},
    xml::{self, Value},
};

/// A member opened an app (进入应用).
///
/// WeCom sends it when a member opens the app in WeCom.
///
/// Source: WeCom's page "Event formats" (90240).
///
#[doc = sample!("wecom/enter_agent")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct EnterAgent {
    /// Usually empty.
    pub event_key: Option<String>,
}

/// A member tapped a button of a task card (任务卡片事件).
///
/// Source: WeCom's page "Event formats" (90240).
///
#[doc = sample!("wecom/taskcard_click")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TaskcardClick {
    /// The button's key.
    pub event_key: Option<String>,
    /// The id that the app gave the card.
    pub task_id: String,
}

/// A member tapped a template card, submitted one (模板卡片事件), or chose an entry of its menu (右上角菜单事件).
///
/// The reply may change it, see [`Reply::update_button`](crate::Reply::update_button) and
/// [`Reply::template_card`](crate::Reply::template_card).
///
/// Source: WeCom's page "Event formats" (90240).
///
#[doc = sample!("wecom/template_card_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TemplateCardEvent {
    /// The key of the button, or of the menu's entry.
    pub event_key: Option<String>,
    /// The id that the app gave the card.
    pub task_id: String,
    /// The card's type, such as `text_notice` or `vote_interaction`.
    pub card_type: Option<String>,
    /// The code with which the API changes the card, once and within 72 hours.
    pub response_code: Option<String>,
    /// What the member chose. A menu's event has nothing here.
    #[serde(default, skip_serializing_if = "SelectedItems::is_empty")]
    pub selected_items: SelectedItems,
}

/// What a member chose on a template card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SelectedItems {
    /// One for each question.
    #[serde(default)]
    pub selected_item: Vec<SelectedItem>,
}

impl SelectedItems {
    fn is_empty(&self) -> bool {
        self.selected_item.is_empty()
    }
}

/// What a member chose for one question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SelectedItem {
    /// The question's key.
    #[serde(default)]
    pub question_key: String,
    /// The chosen options. WeCom writes `OpitonIds`.
    #[serde(default, rename = "OpitonIds", alias = "OptionIds")]
    pub option_ids: OptionIds,
}

/// The options that a member chose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OptionIds {
    /// Their ids. WeCom writes `OpitonId`.
    #[serde(default, rename = "OpitonId", alias = "OptionId")]
    pub option_id: Vec<String>,
}

/// A job ended (异步任务完成).
///
/// WeCom sends it when an import, an export or an invitation of members that the app started is done.
///
/// Source: WeCom's pages "Asynchronous jobs" (90973, 95797, 96298).
///
#[doc = sample!("wecom/batch_job_result")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct BatchJobResult {
    /// The job.
    pub batch_job: BatchJob,
}

/// A job, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct BatchJob {
    /// The id that starting the job returned.
    pub job_id: String,
    /// Such as `sync_user`, `replace_user`, `invite_user`, `replace_party`, `export_user` or `import_chain_contact`.
    pub job_type: Option<String>,
    /// 0, or the code of the error.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub err_code: Option<i64>,
    /// The error in words.
    pub err_msg: Option<String>,
}

/// There are messages of customers (微信客服消息).
///
/// WeCom sends it when a customer writes to a customer-service account (微信客服), and when something else happens
/// there. It names no sender. The messages themselves are read with the API `kf/sync_msg`.
///
/// Source: WeCom's page "Receiving messages and events" of customer service (94670).
///
#[doc = sample!("wecom/kf_msg_or_event")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct KfMsgOrEvent {
    /// The token for `kf/sync_msg`, valid for ten minutes.
    pub token: String,
    /// The customer-service account's id.
    pub open_kf_id: Option<String>,
}

/// An approval that the app has started changed (自建应用审批状态变化).
///
/// Source: WeCom's pages "Approval engine" (90269) and "Event formats" (90240).
///
#[doc = sample!("wecom/open_approval_change")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct OpenApprovalChange {
    /// The approval.
    pub approval_info: Box<OpenApproval>,
}

/// The state of an approval that an app has started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct OpenApproval {
    /// The number that the app chose.
    pub third_no: String,
    /// The template's name.
    pub open_sp_name: Option<String>,
    /// The template's id.
    pub open_template_id: Option<String>,
    /// 1 pending, 2 approved, 3 rejected, 4 withdrawn, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub open_sp_status: Option<i64>,
    /// When it was asked for.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub apply_time: Option<Timestamp>,
    /// The applicant's name.
    pub apply_user_name: Option<String>,
    /// The applicant's `UserID`.
    pub apply_user_id: Option<String>,
    /// The applicant's department.
    pub apply_user_party: Option<String>,
    /// The URL of the applicant's picture.
    pub apply_user_image: Option<String>,
    /// Those who approve, as they came.
    pub approval_nodes: Option<Value>,
    /// Those who are told, as they came.
    pub notify_nodes: Option<Value>,
    /// Which of the nodes is the present one, counted from 0. WeCom's pages write `approverstep` and `ApproverStep`.
    #[serde(
        default,
        rename = "approverstep",
        alias = "ApproverStep",
        deserialize_with = "xml::optional_number"
    )]
    pub approver_step: Option<u64>,
}

/// An approval of WeCom's own changed (审批申请状态变化).
///
/// Source: WeCom's page "Changes of approvals" (91815).
///
#[doc = sample!("wecom/sys_approval_change")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SysApprovalChange {
    /// The approval.
    pub approval_info: Box<SysApproval>,
}

/// The state of an approval of WeCom's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SysApproval {
    /// The approval's number.
    pub sp_no: String,
    /// The same as a text (`SpNoStr`), in newer pushes.
    pub sp_no_str: Option<String>,
    /// The template's name.
    pub sp_name: Option<String>,
    /// 1 pending, 2 approved, 3 rejected, 4 withdrawn, 6 withdrawn after approval, 7 deleted, 10 paid, or a newer code.
    #[serde(default, deserialize_with = "xml::optional_number")]
    pub sp_status: Option<i64>,
    /// The template's id.
    pub template_id: Option<String>,
    /// When it was asked for.
    #[serde(default, deserialize_with = "timestamp::optional")]
    pub apply_time: Option<Timestamp>,
    /// The applicant, as it came.
    pub applyer: Option<Value>,
    /// The steps (`SpRecord`), as they came.
    #[serde(default)]
    pub sp_record: Vec<Value>,
    /// Those who are told, as they came.
    #[serde(default)]
    pub notifyer: Vec<Value>,
    /// The comments, as they came.
    #[serde(default)]
    pub comments: Vec<Value>,
    /// The steps in the newer form, with those who handle the approval, as they came.
    pub process_list: Option<Value>,
    /// What changed: 1 asked for, 2 approved, 3 rejected, 4 passed on, 5 urged, 6 withdrawn, 8 withdrawn after approval, 10
    /// commented, or a newer code. WeCom writes `StatuChangeEvent`.
    #[serde(
        default,
        rename = "StatuChangeEvent",
        alias = "StatusChangeEvent",
        deserialize_with = "xml::optional_number"
    )]
    pub status_change_event: Option<i64>,
}
