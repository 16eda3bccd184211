//! The fields that every message has: type, event, sender, receiver, time and id.

use std::{borrow::Cow, fmt};

use serde::Deserialize;

use super::{event, field, json::Body, smart_bot::Identity};
use crate::{timestamp::Timestamp, xml};

/// The fields that say who sent what to whom, whatever the type of the message.
///
/// A field that stands twice is an error. A field that is absent or empty is `None`.
///
/// ```
/// use tower_wechat::{Timestamp, message::Head};
///
/// let head = Head::read(
///     b"<xml><ToUserName>gh_5d1c0e94a7b3</ToUserName><FromUserName>oUser9ZtRw2</FromUserName>
///     <CreateTime>1717500123</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>7</MsgId></xml>",
/// )?;
/// assert_eq!(head.msg_type(), Some("text"));
/// assert_eq!(head.from_user_name(), Some("oUser9ZtRw2"));
/// assert_eq!(head.create_time(), Some(Timestamp::from_secs(1_717_500_123)));
/// assert_eq!(head.message_id(), Some("7"));
/// assert!(head.accepts_reply());
/// # Ok::<(), tower_wechat::xml::Error>(())
/// ```
#[derive(Clone)]
pub struct Head {
    /// The texts of all fields, one after the other: a single allocation.
    texts: Box<str>,
    /// Where each field's text ends.
    ends: [usize; FIELDS],
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Xml,
    Json,
    /// The JSON of a smart bot, whose names are others.
    SmartBot,
}

/// The positions of the fields in a [`Head`].
const TO_USER_NAME: usize = 0;
const FROM_USER_NAME: usize = 1;
const CREATE_TIME: usize = 2;
const MSG_TYPE: usize = 3;
const EVENT: usize = 4;
const MSG_ID: usize = 5;
const AGENT_ID: usize = 6;
const CHAT_ID: usize = 7;
const STREAM_ID: usize = 8;
const FIELDS: usize = 9;

impl Head {
    /// Reads the head of a plaintext in XML or, with the feature `json`, in JSON.
    ///
    /// # Errors
    ///
    /// If the plaintext cannot be read, or a field of the head stands twice or is no text.
    pub fn read(plaintext: &[u8]) -> xml::Result<Self> {
        #[cfg(test)]
        super::parses::count_head();
        let body = Body::new(plaintext)?;
        if let Some(push) = body.tree.as_ref().map(Identity::of).transpose()?.flatten() {
            return Ok(Self::of_bot(&push));
        }
        let form = match body.tree {
            Some(_) => Form::Json,
            None => Form::Xml,
        };
        body.read().map(|fields: Fields<'_>| fields.join(form))
    }

    fn of_bot(push: &Identity<'_>) -> Self {
        let texts = [
            push.aibot_id,
            push.user_id,
            push.create_time,
            push.msg_type,
            push.event,
            push.msg_id,
            None,
            push.chat_id,
            push.stream_id,
        ];
        Self::join(texts.map(Option::unwrap_or_default), Form::SmartBot)
    }

    /// Makes it of the fields in the order of their positions.
    fn join(fields: [&str; FIELDS], form: Form) -> Self {
        let mut texts = String::with_capacity(fields.iter().map(|text| text.len()).sum());
        let ends = fields.map(|text| {
            texts.push_str(text);
            texts.len()
        });
        let texts = texts.into();
        Self { texts, ends, form }
    }

    /// The MsgType as it came: `event` for events, in any case.
    ///
    /// The pushes of the open platform (开放平台) and of WeCom suites have none.
    pub fn msg_type(&self) -> Option<&str> {
        self.text(MSG_TYPE)
    }

    /// The event's name as it came.
    pub fn event(&self) -> Option<&str> {
        self.text(EVENT)
    }

    /// The sender: a user's OpenID, or a member's id at WeCom.
    pub fn from_user_name(&self) -> Option<&str> {
        self.text(FROM_USER_NAME)
    }

    /// The receiver: the account's original id (`gh_…`), or a smart bot's id.
    pub fn to_user_name(&self) -> Option<&str> {
        self.text(TO_USER_NAME)
    }

    /// When it was sent. `None` also if the field is not a number.
    pub fn create_time(&self) -> Option<Timestamp> {
        field::create_time(self.create_time_text()?)
    }

    /// The CreateTime as it came.
    pub(crate) fn create_time_text(&self) -> Option<&str> {
        self.text(CREATE_TIME)
    }

    /// The id that tells a message from all others of its sender. WeChat's retries repeat it.
    ///
    /// Events have none: the MsgID of an event is the id of a job. An id of `0` is none. The events of a smart bot have one.
    pub fn message_id(&self) -> Option<&str> {
        let id = self.text(MSG_ID)?;
        ((self.is_message() || self.is_smart_bot()) && id != "0").then_some(id)
    }

    /// The WeCom app's id (AgentID); `None` elsewhere.
    pub fn agent_id(&self) -> Option<&str> {
        self.text(AGENT_ID)
    }

    /// The group chat in which a smart bot is addressed; `None` elsewhere.
    pub fn chat_id(&self) -> Option<&str> {
        self.text(CHAT_ID)
    }

    /// The stream that a [poll](super::smart_bot#streams) of a smart bot's asks for; `None` elsewhere.
    pub fn stream_id(&self) -> Option<&str> {
        self.text(STREAM_ID)
    }

    /// Whether it is a push to a [smart bot](super::smart_bot) of WeCom.
    pub fn is_smart_bot(&self) -> bool {
        self.form == Form::SmartBot
    }

    /// Whether it is a message from a user: it has a MsgType, and that is not `event`.
    pub fn is_message(&self) -> bool {
        is_message(self.msg_type())
    }

    /// Whether it is an event.
    pub fn is_event(&self) -> bool {
        self.msg_type().is_some_and(field::is_event)
    }

    /// Whether the plaintext is JSON.
    pub fn is_json(&self) -> bool {
        self.form != Form::Xml
    }

    /// Whether WeChat shows the user a passive reply to it, see
    /// [`Message::accepts_reply`](super::Message::accepts_reply).
    pub fn accepts_reply(&self) -> bool {
        if self.is_smart_bot() && self.is_event() {
            return self.event() != Some("feedback_event");
        }
        accepts_reply(self.msg_type(), self.event())
    }

    fn text(&self, field: usize) -> Option<&str> {
        let end = *self.ends.get(field)?;
        let start = match field.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.texts.get(start..end).filter(|text| !text.is_empty())
    }
}

/// Leaves out the names of sender and receiver.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("msg_type", &self.msg_type())
            .field("event", &self.event())
            .field("msg_id", &self.message_id())
            .finish_non_exhaustive()
    }
}

/// Returns whether a push with this MsgType is a user's message. The pushes of the open platform and of WeCom suites have
/// no MsgType and no user.
fn is_message(msg_type: Option<&str>) -> bool {
    msg_type.is_some_and(|name| !name.is_empty() && !field::is_event(name))
}

/// Returns whether WeChat shows the user a passive reply to a push with this MsgType and this Event.
pub(super) fn accepts_reply(msg_type: Option<&str>, event: Option<&str>) -> bool {
    let is_event = || msg_type.is_some_and(field::is_event);
    is_message(msg_type) || (is_event() && event.is_some_and(event::accepts_reply))
}

/// A [`Head`] that borrows from the plaintext.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    #[serde(borrow, default)]
    to_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    create_time: Cow<'a, str>,
    #[serde(borrow, default)]
    msg_type: Cow<'a, str>,
    #[serde(borrow, default)]
    event: Cow<'a, str>,
    /// Under both names that the types of messages read.
    #[serde(borrow, default, alias = "MsgID")]
    msg_id: Cow<'a, str>,
    #[serde(borrow, default, rename = "AgentID")]
    agent_id: Cow<'a, str>,
}

impl Fields<'_> {
    fn join(&self, form: Form) -> Head {
        let fields: [&str; FIELDS] = [
            &self.to_user_name,
            &self.from_user_name,
            &self.create_time,
            &self.msg_type,
            &self.event,
            &self.msg_id,
            &self.agent_id,
            "",
            "",
        ];
        Head::join(fields, form)
    }
}
