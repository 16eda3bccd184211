//! What WeChat pushes: one type a message, and [`Message`] for whichever arrives.
//!
//! The types are plain data with WeChat's names in Rust case. They are read with
//! [`xml::from_str`](crate::xml::from_str), each by itself or through [`Message`]:
//!
//! ```
//! use tower_wechat::{Message, message::VoiceMessage, xml};
//!
//! let body = "<xml>
//!     <ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>
//!     <FromUserName><![CDATA[oUser-1]]></FromUserName>
//!     <CreateTime>1700000000</CreateTime>
//!     <MsgType><![CDATA[voice]]></MsgType>
//!     <MediaId><![CDATA[media-1]]></MediaId>
//!     <Format><![CDATA[amr]]></Format>
//!     <Recognition><![CDATA[今天天气]]></Recognition>
//!     <MsgId>24130000000000001</MsgId>
//! </xml>";
//!
//! let voice: VoiceMessage = xml::from_str(body)?;
//! assert_eq!(voice.recognition.as_deref(), Some("今天天气"));
//! assert_eq!(xml::from_str::<Message>(body)?, Message::Voice(voice));
//! # Ok::<(), xml::Error>(())
//! ```
//!
//! New fields and types may be added, so the structs cannot be written as literals outside this crate.
//! A test makes one from its `Default`:
//!
//! ```
//! use tower_wechat::message::VoiceMessage;
//!
//! let mut voice = VoiceMessage::default();
//! voice.media_id = "media-1".to_owned();
//! ```
//!
//! An element that may stand once and stands twice is an error: WeChat does not escape what users type,
//! and a text that closes its own element must not replace another.

mod dispatch;
mod other;
mod tag;
mod text;
mod voice;

use serde::Serialize;

pub use self::{other::OtherMessage, text::TextMessage, voice::VoiceMessage};

/// Whatever WeChat pushed.
///
/// Which type it is, the body's MsgType says, wherever it stands and whatever its case. The fields are
/// read in a single pass where it stands as WeChat writes it, behind nothing but ToUserName,
/// FromUserName and CreateTime.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Message {
    /// A text that the user typed.
    Text(TextMessage),
    /// A voice message.
    Voice(VoiceMessage),
    /// Any other push, with all its fields.
    Other(OtherMessage),
}

impl Message {
    /// The account's original id (`gh_…`), to which the message was sent.
    pub fn to_user_name(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.to_user_name),
            Self::Voice(voice) => Some(&voice.to_user_name),
            Self::Other(other) => other.to_user_name(),
        }
    }

    /// The user's OpenID; `None` for pushes that no user caused.
    pub fn from_user_name(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.from_user_name),
            Self::Voice(voice) => Some(&voice.from_user_name),
            Self::Other(other) => other.from_user_name(),
        }
    }

    /// When the message was sent, in seconds since the Unix epoch.
    pub fn create_time(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(text.create_time),
            Self::Voice(voice) => Some(voice.create_time),
            Self::Other(other) => other.create_time(),
        }
    }

    /// The message's id, which WeChat's retries repeat; events have none.
    pub fn msg_id(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.msg_id.as_deref(),
            Self::Voice(voice) => voice.msg_id.as_deref(),
            Self::Other(other) => other.msg_id(),
        }
    }
}
