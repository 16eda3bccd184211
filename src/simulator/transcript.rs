//! The deliveries of a message, and what the user sees of them.

use std::{fmt, time::Duration};

use http::{Response, StatusCode};

use super::{deliver::HttpAnswer, fault::Fault};
use crate::{
    observe::{OutcomeCell, Report},
    verify::Rejection,
    xml::Value,
};

/// The deliveries of one message, and what the user sees of their answers.
///
/// [`Display`](fmt::Display) and [`Debug`] show one line for each delivery, so that a failed assertion explains itself:
///
/// ```text
/// the user sends: 在吗
/// at 0.0 s: no answer after 5.0 s: expected an answer within 5 s (run)
/// at 5.0 s: 200 after 2.0 s: reply (joined)
/// at 7.0 s, the user sees: 你好
/// ```
///
/// In brackets stand the delivery's [outcome](DeliveryRecord::outcome) and the [reason](DeliveryRecord::reason) of a
/// failure.
///
/// A transcript is equal to a `&str` if the user sees that, and to `""` if the user sees nothing. The assertion
/// `assert_eq!(transcript, "你好")` prints the lines above when it fails.
///
/// What comes after the last delivery, such as a customer-service message, is in the [`Chat`](super::Chat).
#[derive(Clone, PartialEq)]
#[must_use]
pub struct Transcript {
    /// What is sent, and by whom.
    message: String,
    deliveries: Vec<DeliveryRecord>,
    shown: Shown,
    shown_at: Duration,
}

impl Transcript {
    /// Each delivery comes with what the layers make of it, which may change after its end.
    pub(super) fn new(
        message: String,
        deliveries: Vec<(DeliveryRecord, OutcomeCell)>,
        shown: Shown,
        shown_at: Duration,
    ) -> Self {
        let deliveries = deliveries.into_iter();
        Self {
            message,
            deliveries: deliveries.map(|(it, seen)| it.explained(&seen)).collect(),
            shown,
            shown_at,
        }
    }

    /// Returns the deliveries in order; there is at least one.
    pub fn deliveries(&self) -> &[DeliveryRecord] {
        &self.deliveries
    }

    /// Returns what the user sees in the chat.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Returns whether the answer is a part of an earlier message's reply, which [`NextMessage`](crate::late::NextMessage)
    /// has kept. A bot in another process does not say it.
    pub fn is_fetched(&self) -> bool {
        matches!(self.shown, Shown::Reply(_))
            && self
                .deliveries
                .iter()
                .any(|delivery| delivery.report.is_fetched)
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        for delivery in &self.deliveries {
            writeln!(f, "{delivery}")?;
        }
        let at = self.shown_at.as_secs_f64();
        match &self.shown {
            Shown::Nothing => f.write_str("the user sees nothing"),
            shown if self.is_fetched() => {
                write!(f, "at {at:.1} s, the user sees: {shown} (fetched)")
            }
            shown => write!(f, "at {at:.1} s, the user sees: {shown}"),
        }
    }
}

/// Compares what the user sees.
impl PartialEq<&str> for Transcript {
    fn eq(&self, other: &&str) -> bool {
        self.shown.to_string() == **other
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct DeliveryRecord {
    at: Duration,
    took: Duration,
    query: String,
    status: Option<StatusCode>,
    verdict: Result<AnswerKind, Fault>,
    outcome: Option<&'static str>,
    report: Report,
}

/// An answer that WeChat accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerKind {
    Reply,
    Success,
    /// The message goes to an agent.
    Transfer,
    /// The echostr.
    Echo,
}

impl DeliveryRecord {
    pub(super) fn new(
        at: Duration,
        query: String,
        answer: &HttpAnswer,
        verdict: Result<AnswerKind, Fault>,
    ) -> Self {
        let response = answer.response.as_ref().ok();
        let rejection = response.and_then(|response| response.extensions().get::<Rejection>());
        Self {
            at,
            took: answer.took,
            query,
            status: response.map(Response::status),
            verdict,
            outcome: None,
            report: Report {
                is_fetched: false,
                trouble: rejection.map(Rejection::to_string),
            },
        }
    }

    /// Adds what the layers make of the delivery.
    pub(super) fn explained(mut self, seen: &OutcomeCell) -> Self {
        let report = seen.report();
        self.outcome = seen.name();
        self.report.is_fetched = report.is_fetched;
        self.report.trouble = self.report.trouble.or(report.trouble);
        self
    }

    /// Returns the time of sending, counted from the message's first delivery.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Returns how long WeChat waited for the answer, or until it gave up.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Returns the query string that WeChat added to the URL.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Returns the status of the answer; `None` if no answer reached WeChat. Then [`fault`](Self::fault) has the
    /// reason.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns why WeChat did not accept the answer; `None` if it did.
    pub fn fault(&self) -> Option<&Fault> {
        self.verdict.as_ref().err()
    }

    /// Returns what the layers have made of the delivery, with the names of the [metrics](crate#features): `run` started
    /// the message's run, `joined` waited for it, `kept_reply` got the reply of a finished run. `None` if the service is
    /// in another process, or has none of this crate's layers.
    pub fn outcome(&self) -> Option<&str> {
        self.outcome
    }

    /// Returns why the layers or the handler have failed, in words: why the request was rejected, the handler's error, or
    /// why its reply cannot be sent. `None` as for [`outcome`](Self::outcome), and if nothing has failed.
    pub fn reason(&self) -> Option<&str> {
        self.report.trouble.as_deref()
    }
}

impl fmt::Display for DeliveryRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.1} s: ", self.at.as_secs_f64())?;
        match self.status {
            Some(status) => write!(f, "{}", status.as_u16())?,
            None => f.write_str("no answer")?,
        }
        write!(f, " after {:.1} s: ", self.took.as_secs_f64())?;
        match &self.verdict {
            Ok(AnswerKind::Reply) => f.write_str("reply")?,
            Ok(AnswerKind::Success) => f.write_str("success")?,
            Ok(AnswerKind::Transfer) => f.write_str("transfer to an agent")?,
            Ok(AnswerKind::Echo) => f.write_str("echo")?,
            Err(fault) => write!(f, "{fault}")?,
        }
        match (self.outcome, self.reason()) {
            (Some(outcome), Some(reason)) => write!(f, " ({outcome}: {reason})"),
            (Some(one), None) | (None, Some(one)) => write!(f, " ({one})"),
            (None, None) => Ok(()),
        }
    }
}

/// The answer that the user sees in the chat.
///
/// [`Display`](fmt::Display) writes the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown {
    /// The user sees the reply.
    Reply(ShownReply),
    /// The user sees nothing: the message was acknowledged or transferred to an agent, or came from an attacker.
    Nothing,
    /// The user sees the fault text 该公众号提供的服务出现故障，请稍后再试.
    Fault,
}

impl Shown {
    /// Returns the words of a text reply.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Reply(reply) => reply.text(),
            Self::Nothing | Self::Fault => None,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => reply.fmt(f),
            Self::Nothing => Ok(()),
            Self::Fault => f.write_str(FAULT),
        }
    }
}

/// A passive reply or a customer-service message that WeChat has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownReply {
    /// The elements of the reply, or the JSON of the customer-service message. The type has been checked.
    fields: Value,
}

impl ShownReply {
    pub(super) fn new(fields: Value) -> Self {
        Self { fields }
    }

    /// Returns the type, such as `text`, `news` or, of a smart bot, `stream`.
    pub fn msg_type(&self) -> &str {
        // The last one is of a smart bot's card.
        let names = ["MsgType", "msgtype", "response_type"];
        let msg_type = names.iter().find_map(|name| self.fields[name].as_str());
        msg_type.unwrap_or_default()
    }

    /// Returns the words of a text, or of a smart bot's stream or message in Markdown.
    pub fn text(&self) -> Option<&str> {
        let own = match self.msg_type() {
            "text" => &self.fields["text"],
            "markdown" => &self.fields["markdown"],
            "stream" | "stream_with_template_card" => &self.fields["stream"],
            _ => return None,
        };
        let content = self.fields["Content"].as_str();
        content.or_else(|| own["content"].as_str())
    }

    /// Returns all fields: those of the passive reply's XML, or those of the customer-service message's JSON.
    pub fn fields(&self) -> &Value {
        &self.fields
    }
}

/// Writes the words of a text reply, or the MsgType in brackets.
impl fmt::Display for ShownReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(text),
            None => write!(f, "[{}]", self.msg_type()),
        }
    }
}

/// The fault text of today's client. WeChat's page still has the older 该公众号暂时无法提供服务，请稍后再试.
const FAULT: &str = "该公众号提供的服务出现故障，请稍后再试";
