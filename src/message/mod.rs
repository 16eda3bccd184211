//! Messages and events from WeChat: a type for each, and the enum [`Message`] for all of them.
//!
//! The types are plain data with WeChat's names in Rust case. [`xml::from_str`] reads each of them, and
//! [`Message`]:
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
//! The structs are non-exhaustive, because WeChat adds fields. A test makes one from its `Default`:
//!
//! ```
//! use tower_wechat::message::VoiceMessage;
//!
//! let mut voice = VoiceMessage::default();
//! voice.media_id = "media-1".to_owned();
//! ```
//!
//! A field that stands twice does not fit its type, unless it is a list.
//!
//! # Events and unknown types
//!
//! An event arrives as a [`Message::Event`], see [`event`]. A message or event that this crate does not
//! know arrives as an [`OtherMessage`] with all its fields; [`OtherMessage::deserialize`] reads them into a
//! type of your own. Known types skip unknown fields.
//!
//! The pushes of the open platform (开放平台) to a third-party platform have an InfoType instead of a MsgType, and so have
//! those to a suite of WeCom (企业微信): see [`platform`] and [`wecom`]. Messages and events to an app of WeCom are
//! [`Message`]s. Those to a smart bot (智能机器人) have names of their own: see [`smart_bot`].
//!
//! # Messages that do not fit their type
//!
//! A [`Message`] is read from every document, whatever its fields are. If a field is missing, repeated, or has another
//! form than its type, the message arrives as an `Other` too, with all its fields.
//! [`OtherMessage::misfit`] then says what does not fit:
//!
//! ```
//! use tower_wechat::{Message, xml::{self, ErrorKind}};
//!
//! let message: Message = xml::from_str(
//!     "<xml><MsgType>location</MsgType><Location_X>north</Location_X><Label>Pier 7</Label></xml>",
//! )?;
//! let Message::Other(other) = message else { panic!() };
//! let misfit = other.misfit().expect("a location");
//! assert_eq!((misfit.kind(), misfit.path()), (ErrorKind::Number, "Location_X"));
//! assert_eq!(other.fields()["Label"].as_str(), Some("Pier 7"));
//! # Ok::<(), xml::Error>(())
//! ```
//!
//! So only these are errors for a [`Message`]:
//!
//! - a body that is no document, or allows two [readings](xml#sections-and-typed-text),
//! - a body that repeats ToUserName, FromUserName, CreateTime, MsgType, Event, MsgId or InfoType.
//!
//! A `MessageService` logs a warning for such a [`Message`], [`EventMessage`], [`platform::PlatformMessage`],
//! [`wecom::SuiteMessage`] or [`smart_bot::BotMessage`]. It does not look into a type of your own that holds one.
//!
//! So a [`Message`] requires no field. Without FromUserName or ToUserName, it cannot be answered with a passive reply. An
//! event without CreateTime is a [`Message::Other`], since an [`EventMessage`] requires it. Reading any other type is an error
//! if the fields do not fit.
//!
//! # JSON
//!
//! WeChat sends JSON instead of XML if the account's settings say so. [`from_slice`] tells the two formats
//! apart, and with the feature `json` reads both. In JSON, a number may be in quotes, a list stands for
//! repeated elements, and a list of one may be its member alone. `[]` is a list without members, `{}` and `null` are
//! empty elements.
//!
//! JSON is read as leniently as XML. A string may have raw control characters, and half a surrogate pair becomes U+FFFD.
//! An integer keeps every digit. A byte order mark may stand in front of the body, and NULs behind it.

/// Makes a sample for the docs from a fixture of the tests.
macro_rules! sample {
    ($($name:literal),+) => {
        concat!(
            "```xml\n",
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/it/fixtures/",
                $($name,)+
                ".xml"
            )),
            "```"
        )
    };
}

pub mod event;
mod field;
mod head;
mod info;
mod json;
mod other;
#[cfg(test)]
pub(crate) mod parses;
pub mod platform;
mod read;
#[cfg(feature = "layers")]
mod receiver;
#[cfg(feature = "layers")]
mod retried;
pub mod smart_bot;
mod standard;
pub mod wecom;

#[cfg(feature = "layers")]
use std::any::Any;

use serde::{Serialize, de::DeserializeOwned};

use self::json::Body;
pub use self::{
    event::{Event, EventMessage},
    head::Head,
    other::OtherMessage,
    standard::{
        FileMessage, ImageMessage, LinkMessage, LocationMessage, MiniProgramPageMessage,
        ShortVideoMessage, TextMessage, VideoMessage, VoiceMessage,
    },
};
#[cfg(feature = "layers")]
use self::{platform::PlatformMessage, smart_bot::BotMessage, wecom::SuiteMessage};
#[cfg(feature = "layers")]
pub(crate) use self::{receiver::receiver, retried::RETRIED_FOR};
use crate::{timestamp::Timestamp, xml};

/// Matches a [`Message`]: one arm for all standard types, and an arm for each of the rest.
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

/// A message or an event from WeChat.
///
/// The MsgType decides the variant, whatever its case and wherever it stands among the fields. Reading takes
/// a single pass if MsgType stands where WeChat writes it: after ToUserName, FromUserName and CreateTime.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Message {
    /// A text.
    Text(TextMessage),
    /// A picture.
    Image(ImageMessage),
    /// A voice message.
    Voice(VoiceMessage),
    /// A video from the album.
    Video(VideoMessage),
    /// A video recorded in the chat.
    ShortVideo(ShortVideoMessage),
    /// A place.
    Location(LocationMessage),
    /// A link.
    Link(LinkMessage),
    /// A page of a mini program.
    MiniProgramPage(MiniProgramPageMessage),
    /// A file.
    File(FileMessage),
    /// An event.
    Event(EventMessage),
    /// A message that this crate has no type for, or that does not fit its type.
    Other(OtherMessage),
}

impl Message {
    /// The receiver: the account's original id (`gh_…`).
    pub fn to_user_name(&self) -> Option<&str> {
        each!(self, message => Some(&*message.to_user_name), {
            Self::Event(event) => Some(&*event.to_user_name).filter(|name| !name.is_empty()),
            Self::Other(other) => other.to_user_name(),
        })
    }

    /// The sender's OpenID; `None` if WeChat names no sender.
    pub fn from_user_name(&self) -> Option<&str> {
        let name = each!(self, message => message.from_user_name.as_deref(), {
            Self::Event(event) => event.from_user_name.as_deref(),
            Self::Other(other) => other.from_user_name(),
        });
        name.filter(|name| !name.is_empty())
    }

    /// When the message was sent.
    pub fn create_time(&self) -> Option<Timestamp> {
        each!(self, message => Some(message.create_time), {
            Self::Event(event) => Some(event.create_time),
            Self::Other(other) => other.create_time(),
        })
    }

    /// The message's id. WeChat's retries repeat it; events have none.
    pub fn msg_id(&self) -> Option<&str> {
        each!(self, message => message.msg_id.as_deref(), {
            Self::Event(_) => None,
            Self::Other(other) => other.msg_id(),
        })
    }

    /// The event, if it is one.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(&event.event),
            _ => None,
        }
    }

    /// The message or event with all its fields, if this crate has no type for it, or it does not fit its type.
    pub fn other(&self) -> Option<&OtherMessage> {
        match self {
            Self::Other(other) => Some(other),
            Self::Event(event) => event.other(),
            _ => None,
        }
    }

    /// The scene of the QR code that the user scanned, see [`Event::scene`].
    pub fn scene(&self) -> Option<&str> {
        self.event()?.scene()
    }

    /// Whether WeChat shows the user a passive reply to it. It does for all messages and for some events, see
    /// [`Event::accepts_reply`].
    pub fn accepts_reply(&self) -> bool {
        match self {
            Self::Event(event) => event.event.accepts_reply(),
            Self::Other(other) => head::accepts_reply(other.msg_type(), other.event()),
            _ => true,
        }
    }
}

/// An [`OtherMessage`] without fields.
impl Default for Message {
    fn default() -> Self {
        Self::Other(OtherMessage::default())
    }
}

/// Returns why `message` does not fit its type, if it is of a type of this crate that holds what does not.
#[cfg(feature = "layers")]
pub(crate) fn misfit<M: 'static>(message: &M) -> Option<&xml::Error> {
    let message: &dyn Any = message;
    let event = || message.downcast_ref().and_then(EventMessage::other);
    let platform = || message.downcast_ref().and_then(PlatformMessage::other);
    let suite = || message.downcast_ref().and_then(SuiteMessage::other);
    let bot = || message.downcast_ref().and_then(BotMessage::other);
    let other = message.downcast_ref().and_then(Message::other);
    other
        .or_else(event)
        .or_else(platform)
        .or_else(suite)
        .or_else(bot)?
        .misfit()
}

/// Returns whether `message` is a [`Message`] made of a push that is none.
#[cfg(feature = "layers")]
pub(crate) fn no_message<M: 'static>(message: &M) -> Option<NoMessage> {
    let message: &dyn Any = message;
    match message.downcast_ref()? {
        Message::Other(other) if other.msg_type().is_some() => None,
        Message::Other(other) if other.info_type().is_some() => Some(NoMessage::Info),
        Message::Other(other) if smart_bot::is_push(other.fields()) => Some(NoMessage::SmartBot),
        _ => None,
    }
}

/// A push that is no [`Message`].
#[cfg(feature = "layers")]
pub(crate) enum NoMessage {
    /// Of the open platform, or to a WeCom suite.
    Info,
    SmartBot,
}

/// Reads a body in either format: JSON if it begins with `{`, XML otherwise.
///
/// The Content-Type does not matter: WeChat's is the same for both formats. Without the feature `json`,
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
/// If the body is neither XML nor JSON, or does not match `T`. An error in JSON has no offset, and its path
/// begins with `json`.
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> xml::Result<T> {
    #[cfg(test)]
    parses::count_message();
    Body::new(body)?.read()
}

#[cfg(test)]
mod tests;
