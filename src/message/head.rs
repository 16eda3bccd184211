//! The fields that every message has: type, event, sender, receiver, time and id.

use std::{borrow::Cow, fmt};

use serde::Deserialize;

use super::{event, field, json::Body};
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
    is_json: bool,
}

/// The positions of the fields in a [`Head`].
const TO_USER_NAME: usize = 0;
const FROM_USER_NAME: usize = 1;
const CREATE_TIME: usize = 2;
const MSG_TYPE: usize = 3;
const EVENT: usize = 4;
const MSG_ID: usize = 5;
const AGENT_ID: usize = 6;
const FIELDS: usize = 7;

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
        let is_json = body.tree.is_some();
        body.read().map(|fields: Fields<'_>| fields.join(is_json))
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

    /// The sender: a user's OpenID.
    pub fn from_user_name(&self) -> Option<&str> {
        self.text(FROM_USER_NAME)
    }

    /// The receiver: the account's original id (`gh_…`).
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
    /// Events have none: the MsgID of an event is the id of a job. An id of `0` is none.
    pub fn message_id(&self) -> Option<&str> {
        let id = self.text(MSG_ID)?;
        (self.is_message() && id != "0").then_some(id)
    }

    /// The WeCom app's id (AgentID); `None` elsewhere.
    pub fn agent_id(&self) -> Option<&str> {
        self.text(AGENT_ID)
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
        self.is_json
    }

    /// Whether WeChat shows the user a passive reply to it, see
    /// [`Message::accepts_reply`](super::Message::accepts_reply).
    pub fn accepts_reply(&self) -> bool {
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
    fn join(&self, is_json: bool) -> Head {
        // In the order of the positions.
        let fields: [&str; FIELDS] = [
            &self.to_user_name,
            &self.from_user_name,
            &self.create_time,
            &self.msg_type,
            &self.event,
            &self.msg_id,
            &self.agent_id,
        ];
        let mut end = 0;
        Head {
            texts: fields.concat().into(),
            ends: fields.map(|text| {
                end += text.len();
                end
            }),
            is_json,
        }
    }
}
