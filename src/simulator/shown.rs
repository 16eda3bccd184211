use std::fmt;

use crate::xml::Value;

/// What the user sees in the chat in answer to a message.
///
/// [`Display`](fmt::Display) is what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown {
    /// The reply.
    Reply(ShownReply),
    /// Nothing: the message was acknowledged, or no user had sent it.
    Nothing,
    /// The fault text 该公众号提供的服务出现故障，请稍后再试.
    Fault,
}

impl Shown {
    /// The words that the user reads, if a text reply is shown.
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

/// A reply that WeChat has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownReply {
    /// An element's fields, of which the MsgType has been checked.
    fields: Value,
}

impl ShownReply {
    pub(super) fn new(fields: Value) -> Self {
        Self { fields }
    }

    /// The reply's MsgType, such as `text` or `news`.
    pub fn msg_type(&self) -> &str {
        self.fields["MsgType"].as_str().unwrap_or_default()
    }

    /// The words of a text reply.
    pub fn text(&self) -> Option<&str> {
        match self.msg_type() {
            "text" => self.fields["Content"].as_str(),
            _ => None,
        }
    }

    /// All its fields.
    pub fn fields(&self) -> &Value {
        &self.fields
    }
}

/// The words, or the type in brackets.
impl fmt::Display for ShownReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(text),
            None => write!(f, "[{}]", self.msg_type()),
        }
    }
}

/// As today's client has it; WeChat's page still quotes the older 该公众号暂时无法提供服务，请稍后再试.
const FAULT: &str = "该公众号提供的服务出现故障，请稍后再试";
