//! The deliveries of a message, and what the user sees.

use std::{fmt, time::Duration};

use http::StatusCode;

use super::fault::Fault;
use crate::xml::Value;

/// The deliveries of one message, and what the user sees.
///
/// [`Display`](fmt::Display) and [`Debug`] show one line for each delivery, so that a failed assertion explains itself:
///
/// ```text
/// at 0.0 s: no answer: expected an answer within 5 s
/// at 5.0 s: 200 after 2.0 s
/// the user sees: 你好
/// ```
#[derive(Clone, PartialEq)]
#[must_use]
pub struct Transcript {
    deliveries: Vec<DeliveryRecord>,
    shown: Shown,
}

impl Transcript {
    pub(super) fn new(deliveries: Vec<DeliveryRecord>, shown: Shown) -> Self {
        Self { deliveries, shown }
    }

    /// Returns the deliveries in order; there is at least one.
    pub fn deliveries(&self) -> &[DeliveryRecord] {
        &self.deliveries
    }

    /// Returns what the user sees in the chat.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for delivery in &self.deliveries {
            writeln!(f, "{delivery}")?;
        }
        match &self.shown {
            Shown::Nothing => f.write_str("the user sees nothing"),
            shown => write!(f, "the user sees: {shown}"),
        }
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
    fault: Option<Fault>,
}

impl DeliveryRecord {
    pub(super) fn new(
        at: Duration,
        took: Duration,
        query: String,
        status: Option<StatusCode>,
        fault: Option<Fault>,
    ) -> Self {
        Self {
            at,
            took,
            query,
            status,
            fault,
        }
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
        self.fault.as_ref()
    }
}

impl fmt::Display for DeliveryRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.1} s: ", self.at.as_secs_f64())?;
        match self.status {
            Some(status) => {
                let took = self.took.as_secs_f64();
                write!(f, "{} after {took:.1} s", status.as_u16())?;
            }
            None => f.write_str("no answer")?,
        }
        match &self.fault {
            Some(fault) => write!(f, ": {fault}"),
            None => Ok(()),
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

    /// Returns the type, such as `text` or `news`.
    pub fn msg_type(&self) -> &str {
        let msg_type = self.fields["MsgType"].as_str();
        msg_type
            .or_else(|| self.fields["msgtype"].as_str())
            .unwrap_or_default()
    }

    /// Returns the words of a text.
    pub fn text(&self) -> Option<&str> {
        if self.msg_type() != "text" {
            return None;
        }
        let content = self.fields["Content"].as_str();
        content.or_else(|| self.fields["text"]["content"].as_str())
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
