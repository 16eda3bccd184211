//! What WeChat pushes: one type a message, and [`Message`] for whichever arrives.
//!
//! The types are plain data with WeChat's names in Rust case. They are read with
//! [`xml::from_str`], each by itself or through [`Message`]:
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
//!
//! # Events and the unknown
//!
//! Events arrive as [`Message::Event`], see [`event`]. What this crate does not know is not lost: it is an
//! [`OtherMessage`] with all its fields, which [`OtherMessage::deserialize`] reads into a type of yours. A
//! field that a known type does not have is left out; the raw body has it.
//!
//! # JSON
//!
//! An account can have its pushes in JSON. [`from_slice`] tells the two formats apart, and with the feature
//! `json` reads both: a number in quotes is a number, a list is a repeated element, and a list of one may
//! be its member alone.

/// Makes a page's sample of the fixture that the tests read.
macro_rules! sample {
    ($name:literal) => {
        concat!(
            "```xml\n",
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/it/fixtures/",
                $name,
                ".xml"
            )),
            "```"
        )
    };
}

mod body;
mod common;
mod dispatch;
pub mod event;
mod file;
mod head;
mod image;
#[cfg(feature = "json")]
mod json;
#[cfg(not(feature = "json"))]
#[path = "json_absent.rs"]
mod json;
mod link;
mod location;
mod mini_program_page;
mod other;
mod short_video;
mod tag;
mod text;
mod time;
mod tree;
mod video;
mod voice;

use std::time::SystemTime;

use serde::{Serialize, de::DeserializeOwned};

use self::body::Body;
pub(crate) use self::head::{Head, receiver};
pub use self::{
    event::{Event, EventMessage},
    file::FileMessage,
    image::ImageMessage,
    link::LinkMessage,
    location::LocationMessage,
    mini_program_page::MiniProgramPageMessage,
    other::OtherMessage,
    short_video::ShortVideoMessage,
    text::TextMessage,
    video::VideoMessage,
    voice::VoiceMessage,
};
use crate::xml;

/// Matches the types that have the common fields, and then the rest.
macro_rules! each {
    ($self:ident, $message:ident => $value:expr, { $($rest:tt)* }) => {
        match $self {
            Self::Text($message) => $value,
            Self::Image($message) => $value,
            Self::Voice($message) => $value,
            Self::Video($message) => $value,
            Self::ShortVideo($message) => $value,
            Self::Location($message) => $value,
            Self::Link($message) => $value,
            Self::MiniProgramPage($message) => $value,
            Self::File($message) => $value,
            $($rest)*
        }
    };
}

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
    /// A picture.
    Image(ImageMessage),
    /// A voice message.
    Voice(VoiceMessage),
    /// A video of the album.
    Video(VideoMessage),
    /// A video recorded in the chat.
    ShortVideo(ShortVideoMessage),
    /// A place.
    Location(LocationMessage),
    /// A shared page.
    Link(LinkMessage),
    /// A page of a mini program.
    MiniProgramPage(MiniProgramPageMessage),
    /// A file.
    File(FileMessage),
    /// Something that happened around the account.
    Event(EventMessage),
    /// Any other push, with all its fields.
    Other(OtherMessage),
}

impl Message {
    /// The account's original id (`gh_…`), to which the message was sent.
    pub fn to_user_name(&self) -> Option<&str> {
        each!(self, message => Some(&message.to_user_name), {
            Self::Event(event) => Some(&event.to_user_name),
            Self::Other(other) => other.to_user_name(),
        })
    }

    /// The user's OpenID; `None` for pushes that no user caused.
    pub fn from_user_name(&self) -> Option<&str> {
        let name = each!(self, message => Some(message.from_user_name.as_str()), {
            Self::Event(event) => event.from_user_name.as_deref(),
            Self::Other(other) => other.from_user_name(),
        });
        name.filter(|name| !name.is_empty())
    }

    /// When the message was sent, in seconds since the Unix epoch.
    pub fn create_time(&self) -> Option<u64> {
        each!(self, message => Some(message.create_time), {
            Self::Event(event) => Some(event.create_time),
            Self::Other(other) => other.create_time(),
        })
    }

    /// [`create_time`](Self::create_time) as a [`SystemTime`].
    pub fn created_at(&self) -> Option<SystemTime> {
        time::at(self.create_time()?)
    }

    /// The message's id, which WeChat's retries repeat; events have none.
    pub fn msg_id(&self) -> Option<&str> {
        each!(self, message => message.msg_id.as_deref(), {
            Self::Event(_) => None,
            Self::Other(other) => other.msg_id(),
        })
    }

    /// What happened, if it is an event.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(&event.event),
            _ => None,
        }
    }

    /// The scene of the QR code that a user scanned, see [`Event::scene`].
    pub fn scene(&self) -> Option<&str> {
        self.event()?.scene()
    }

    /// Whether WeChat shows the user a passive reply to it: to messages, and to the events of which
    /// [`Event::may_be_answered`] says so.
    pub fn may_be_answered(&self) -> bool {
        match self {
            Self::Event(event) => event.event.may_be_answered(),
            // Without a MsgType it is a push of the open platform or of a suite.
            Self::Other(other) => other
                .msg_type()
                .is_some_and(|name| !name.eq_ignore_ascii_case("event")),
            _ => true,
        }
    }
}

/// A push of which nothing is known.
impl Default for Message {
    fn default() -> Self {
        Self::Other(OtherMessage::default())
    }
}

/// Reads a body in either format: JSON if it begins with `{`, XML otherwise.
///
/// The Content-Type is no help, since WeChat's does not depend on the format. Without the feature `json`
/// a body in JSON is an error.
///
/// ```
/// use tower_wechat::{Message, message};
///
/// let body = br#"{"ToUserName":"gh_5d1c0e94a7b3","FromUserName":"oUser9ZtRw2",
///     "CreateTime":"1717500123","MsgType":"text","Content":"hi","MsgId":7}"#;
/// let message: Result<Message, _> = message::from_slice(body);
/// # #[cfg(feature = "json")]
/// assert_eq!(message?.msg_id(), Some("7"));
/// # #[cfg(not(feature = "json"))]
/// # assert!(message.is_err());
/// # Ok::<(), tower_wechat::xml::Error>(())
/// ```
///
/// # Errors
///
/// If the body is of neither format, or does not hold what `T` needs. An error in JSON has no offset, and
/// its path begins with `json`.
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> xml::Result<T> {
    Body::new(body)?.read()
}

/// Makes `created_at` of the types that have a `create_time`.
macro_rules! created_at {
    ($($message:ident)*) => {$(
        impl $message {
            /// `create_time` as a [`SystemTime`]; `None` if that cannot hold it.
            pub fn created_at(&self) -> Option<SystemTime> {
                time::at(self.create_time)
            }
        }
    )*};
}

created_at! {
    TextMessage ImageMessage VoiceMessage VideoMessage ShortVideoMessage LocationMessage LinkMessage
    MiniProgramPageMessage FileMessage EventMessage
}

#[cfg(test)]
mod tests;
