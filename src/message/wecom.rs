//! WeCom (企业微信): an app's messages and events, and the pushes to a suite.
//!
//! # Apps
//!
//! The messages and events of an app are [`Message`](crate::Message)s, as those of an Official Account: texts, pictures, voice
//! messages, videos, places and links. `agent_id` and `app_type` name the app. The sender is a member's `UserID`, and
//! the receiver the corp id. The account is [`Account::wecom`](crate::Account::wecom).
//!
//! The events that only WeCom sends are in [`event`](super::event) too:
//!
//! | what happened | event |
//! |---|---|
//! | a member opened the app | [`EnterAgent`](super::event::EnterAgent) |
//! | a member tapped a card, or its menu | [`TemplateCardEvent`](super::event::TemplateCardEvent), [`TaskcardClick`](super::event::TaskcardClick) |
//! | members, departments and tags changed | [`ChangeContact`] |
//! | customers came and went | [`ChangeExternalContact`] |
//! | customers wrote to customer service | [`KfMsgOrEvent`](super::event::KfMsgOrEvent) |
//! | approvals changed | [`OpenApprovalChange`](super::event::OpenApprovalChange), [`SysApprovalChange`](super::event::SysApprovalChange) |
//! | a job ended | [`BatchJobResult`](super::event::BatchJobResult) |
//!
//! Taps on the menu, scans, pictures, places, subscribing and unsubscribing are the same events as an Official
//! Account's. An unknown Event or ChangeType arrives as [`Event::Other`](super::Event::Other) with all fields, and the log
//! has a warning for a ChangeType.
//!
//! WeCom shows a passive reply of text, picture, voice, video or up to eight articles. In answer to a tap on a card,
//! [`Reply::update_button`](crate::Reply::update_button) and
//! [`Reply::template_card`](crate::Reply::template_card) change the card.
//!
//! ```
//! use tower_wechat::{Message, Reply, message::Event};
//!
//! async fn answer(message: Message) -> Reply {
//!     match message {
//!         // `recognize` has filled in the words.
//!         Message::Voice(voice) => voice.recognition.map_or_else(Reply::success, Reply::text),
//!         Message::Event(event) => match event.event {
//!             Event::EnterAgent(_) => Reply::text("What can I do for you?"),
//!             Event::TemplateCard(card) if card.event_key.as_deref() == Some("done") => {
//!                 Reply::update_button("Done")
//!             }
//!             _ => Reply::success(),
//!         },
//!         _ => Reply::success(),
//!     }
//! }
//! # let _ = answer;
//! ```
//!
//! # Suites
//!
//! A suite (第三方应用) has a URL for commands (指令回调URL). Its pushes have an InfoType instead of a MsgType, and no sender:
//! they are [`SuiteMessage`]s. WeCom wants the word `success` as the answer. For authorizations, it wants the answer within one
//! second: answer first, and call the API afterwards:
//!
//! ```
//! use tower_wechat::{Reply, message::wecom::{SuiteEvent, SuiteMessage}};
//!
//! async fn receive(push: SuiteMessage) -> Reply {
//!     match push.event {
//!         SuiteEvent::SuiteTicket(ticket) => keep(ticket.suite_ticket).await,
//!         SuiteEvent::CreateAuth(auth) => println!("a corporation installs the suite: {}", auth.auth_code),
//!         _ => {}
//!     }
//!     Reply::success()
//! }
//! # async fn keep(_ticket: String) {}
//! # let _ = receive;
//! ```
//!
//! A message to a handler of [`SuiteMessage`] is acknowledged, and logged at `DEBUG` as of another type. A push with an
//! InfoType arrives at a handler of [`Message`](crate::Message) as [`Message::Other`](crate::Message::Other), and is logged
//! at `DEBUG` too.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    event::{ChangeContact, ChangeExternalContact},
    field,
    info::{self, infos},
    other::OtherMessage,
};
use crate::{timestamp::Timestamp, xml::Value};

/// A push of WeCom to a suite, see the [module](self#suites).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct SuiteMessage {
    /// The suite's id (`SuiteId`).
    pub suite_id: String,
    /// The corporation that the push is about (`AuthCorpId`). Tickets, and codes for the permanent code, name none.
    pub auth_corp_id: Option<String>,
    /// When it was sent (`TimeStamp`).
    pub time_stamp: Option<Timestamp>,
    /// What happened, with its own fields.
    pub event: SuiteEvent,
}

impl SuiteMessage {
    /// The push with all its fields, if this crate has no type for it, or it does not fit its type.
    pub fn other(&self) -> Option<&OtherMessage> {
        match &self.event {
            SuiteEvent::Other(other) => Some(other),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for SuiteMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = info::read(deserializer)?;
        Ok(Self {
            suite_id: fields.text("SuiteId").unwrap_or_default().to_owned(),
            auth_corp_id: fields.text("AuthCorpId").map(ToOwned::to_owned),
            time_stamp: fields.text("TimeStamp").and_then(field::create_time),
            event: SuiteEvent::of(fields),
        })
    }
}

impl Serialize for SuiteMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Document<'a> {
            suite_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            auth_corp_id: Option<&'a str>,
            info_type: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            time_stamp: Option<Timestamp>,
            #[serde(flatten)]
            fields: &'a SuiteEvent,
        }

        if let SuiteEvent::Other(other) = &self.event {
            return other.serialize(serializer);
        }
        let document = Document {
            suite_id: &self.suite_id,
            auth_corp_id: self.auth_corp_id.as_deref(),
            info_type: self.event.name(),
            time_stamp: self.time_stamp,
            fields: &self.event,
        };
        document.serialize(serializer)
    }
}

infos! {
    /// What a [`SuiteMessage`] says, with its own fields.
    SuiteEvent {
        /// The ticket for the suite's access token.
        SuiteTicket(SuiteTicket): "suite_ticket",
        /// A corporation installed the suite.
        CreateAuth(SuiteAuthCode): "create_auth",
        /// A corporation changed what the suite may do.
        ChangeAuth(SuiteAuthChange): "change_auth",
        /// A corporation uninstalled the suite.
        CancelAuth(SuiteAuthChange): "cancel_auth",
        /// A corporation has a new permanent code.
        ResetPermanentCode(SuiteAuthCode): "reset_permanent_code",
        /// A corporation's address book changed.
        ChangeContact(ChangeContact): "change_contact",
        /// A corporation's customers changed.
        ChangeExternalContact(ChangeExternalContact): "change_external_contact",
    }
}

/// The ticket for the suite's access token (推送 `suite_ticket`).
///
/// WeCom sends it every ten minutes. The ticket is valid for 30 minutes: keep the newest.
///
/// Source: WeCom's page "Suite ticket" (90628).
///
#[doc = sample!("suite/suite_ticket")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SuiteTicket {
    /// The ticket.
    pub suite_ticket: String,
}

/// A corporation installed the suite, or has a new permanent code (授权成功、重置永久授权码).
///
/// Source: WeCom's pages "Authorizations" (90642) and "New permanent codes" (94758).
///
#[doc = sample!("suite/create_auth")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SuiteAuthCode {
    /// The code for the permanent code, valid for ten minutes.
    pub auth_code: String,
    /// The data that the suite put into the link. A new permanent code has none.
    pub state: Option<String>,
    /// What some products add, such as the customer-service accounts, as it came.
    pub extra_info: Option<Value>,
}

/// A corporation changed what the suite may do, or uninstalled it (变更授权、取消授权).
///
/// Source: WeCom's page "Authorizations" (90642).
///
#[doc = sample!("suite/change_auth")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SuiteAuthChange {
    /// The data that the suite put into the link; `None` if the suite was uninstalled.
    pub state: Option<String>,
    /// What some products add, such as the customer-service accounts, as it came.
    pub extra_info: Option<Value>,
}
