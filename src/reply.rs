//! What a handler may answer: [`Reply`] and its XML.
//!
//! WeChat calls it the passive reply (被动回复): the answer to a delivery, in the body of the HTTP
//! response, rather than a call of the customer-service API. [`MessageService`](crate::MessageService)
//! addresses, renders and sends what a handler returns; without it, [`Reply::to_xml`] does the same:
//!
//! ```
//! use tower_wechat::reply::{Addressing, Reply};
//!
//! let reply = Reply::text("a ]]> b");
//! let addressing = Addressing::new("the-openid", "gh_the_account");
//! assert_eq!(
//!     reply.to_xml(&addressing, 1_700_000_000)?.as_deref(),
//!     Some(concat!(
//!         "<xml>",
//!         "<ToUserName><![CDATA[the-openid]]></ToUserName>",
//!         "<FromUserName><![CDATA[gh_the_account]]></FromUserName>",
//!         "<CreateTime>1700000000</CreateTime>",
//!         "<MsgType><![CDATA[text]]></MsgType>",
//!         "<Content><![CDATA[a ]]]]><![CDATA[> b]]></Content>",
//!         "</xml>",
//!     )),
//! );
//! # Ok::<(), tower_wechat::reply::Error>(())
//! ```
//!
//! # Limits
//!
//! WeChat does not report a reply that it refuses: the user sees 该公众号提供的服务出现故障 (the service
//! of this account is out of order) in the chat. What is known to end so is an [`Error`] here:
//!
//! | reply | limit |
//! |---|---|
//! | text | not empty, and at most 2048 bytes of UTF-8: about 680 Chinese characters |
//! | every reply but `success` | somebody to send it to, and somebody to send it from |
//!
//! The 2048 bytes are not in WeChat's documentation; they are what accounts report. Control
//! characters that XML 1.0 has no way to write (all below U+0020 but tab, line feed and carriage
//! return, and U+FFFE and U+FFFF) are left out of every reply, and do not count.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::xml;

/// What a handler answers to a message.
///
/// A constructor never fails. [`check`](Self::check) tells whether WeChat would take the reply;
/// rendering checks the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply(Content);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Content {
    #[default]
    Success,
    Text(String),
}

impl Reply {
    /// Acknowledges the message; the user sees nothing.
    ///
    /// On the wire it is the word `success` rather than a document.
    pub fn success() -> Self {
        Self(Content::Success)
    }

    /// A text, at most 2048 bytes of UTF-8 and not empty. A line feed starts a new line in the chat.
    ///
    /// See the [limits](self#limits) for the characters that are left out.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Content::Text(
            writable(Cow::Owned(text.into())).into_owned(),
        ))
    }

    /// Whether this is [`Reply::success`], which shows nothing in the chat.
    pub fn is_success(&self) -> bool {
        matches!(self.0, Content::Success)
    }

    /// Checks the [limits](self#limits) that do not depend on whom the reply is for.
    ///
    /// # Errors
    ///
    /// If WeChat would refuse the reply.
    pub fn check(&self) -> Result<(), Error> {
        match &self.0 {
            Content::Text(text) if text.is_empty() => Err(Error(Cause::TextEmpty)),
            Content::Text(text) if text.len() > TEXT_LIMIT => {
                Err(Error(Cause::TextLength(text.len())))
            }
            Content::Success | Content::Text(_) => Ok(()),
        }
    }

    /// The document that stands for this reply on the wire, `create_time` in seconds since the Unix
    /// epoch; `None` for [`Reply::success`], which is no document.
    ///
    /// # Errors
    ///
    /// If the reply is over a [limit](self#limits) or `addressing` lacks a name.
    pub fn to_xml(
        &self,
        addressing: &Addressing<'_>,
        create_time: u64,
    ) -> Result<Option<String>, Error> {
        self.check()?;
        let (msg_type, content) = match &self.0 {
            Content::Success => return Ok(None),
            Content::Text(text) => ("text", Some(text.as_str())),
        };
        if addressing.to_user_name.is_empty() || addressing.from_user_name.is_empty() {
            return Err(Error(Cause::Unaddressed(None)));
        }
        let document = Document {
            to_user_name: &addressing.to_user_name,
            from_user_name: &addressing.from_user_name,
            create_time,
            msg_type,
            content,
        };
        xml::to_string(&document)
            .map(Some)
            .map_err(|error| Error(Cause::Unwritable(error)))
    }
}

/// A handler that returns nothing acknowledges: [`Reply::success`].
impl From<()> for Reply {
    fn from((): ()) -> Self {
        Self::success()
    }
}

/// Between whom a reply goes: the names of a message, exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressing<'a> {
    to_user_name: Cow<'a, str>,
    from_user_name: Cow<'a, str>,
}

impl<'a> Addressing<'a> {
    /// A reply to the user with the OpenID `to_user_name`, from the account with the original id
    /// (`gh_…`) `from_user_name`.
    pub fn new(
        to_user_name: impl Into<Cow<'a, str>>,
        from_user_name: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            to_user_name: writable(to_user_name.into()),
            from_user_name: writable(from_user_name.into()),
        }
    }

    /// How an answer to the message `plaintext` is addressed: to its sender, from its receiver.
    ///
    /// A name that the message does not have is left empty, and rendering reports it; some pushes of
    /// the open platform and of WeCom name nobody.
    ///
    /// # Errors
    ///
    /// If `plaintext` cannot be read.
    pub fn answering(plaintext: &'a [u8]) -> Result<Self, Error> {
        let Names {
            to_user_name: receiver,
            from_user_name: sender,
        } = xml::from_slice(plaintext).map_err(|error| Error(Cause::Unaddressed(Some(error))))?;
        Ok(Self::new(sender, receiver))
    }
}

/// The names as they stand in a message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Names<'a> {
    #[serde(borrow, default)]
    to_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    from_user_name: Cow<'a, str>,
}

/// A reply on the wire, fields in the order of WeChat's samples.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    to_user_name: &'a str,
    from_user_name: &'a str,
    create_time: u64,
    msg_type: &'static str,
    content: Option<&'a str>,
}

/// `text` without the characters that XML cannot write, not even as an entity.
fn writable(mut text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains(unwritable) {
        text.to_mut().retain(|character| !unwritable(character));
    }
    text
}

/// The complement of XML 1.0's `Char`; a `char` is never a surrogate.
fn unwritable(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'
    )
}

/// Why a reply cannot be sent. The message names the limit, never the contents.
#[derive(Debug)]
pub struct Error(Cause);

#[derive(Debug)]
enum Cause {
    TextEmpty,
    /// In bytes.
    TextLength(usize),
    /// With the reason if the message could not be read for its names.
    Unaddressed(Option<xml::Error>),
    Unwritable(xml::Error),
}

impl Error {
    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            Cause::TextEmpty => ErrorKind::TextEmpty,
            Cause::TextLength(_) => ErrorKind::TextLength,
            Cause::Unaddressed(_) => ErrorKind::Unaddressed,
            Cause::Unwritable(_) => ErrorKind::Unwritable,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::TextEmpty => f.write_str("expected a text to reply, found an empty one"),
            Cause::TextLength(length) => write!(
                f,
                "expected at most {TEXT_LIMIT} bytes of text to reply, found {length}"
            ),
            Cause::Unaddressed(_) => {
                f.write_str("expected a message with a sender and a receiver to reply to")
            }
            Cause::Unwritable(_) => f.write_str("the reply cannot be written as XML"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Cause::TextEmpty | Cause::TextLength(_) => None,
            Cause::Unaddressed(source) => source.as_ref().map(|source| source as _),
            Cause::Unwritable(source) => Some(source),
        }
    }
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text without a character that can be written: the user would see the fault text.
    TextEmpty,
    /// A text of more than 2048 bytes of UTF-8.
    TextLength,
    /// Nobody to send the reply to, or nobody to send it from.
    Unaddressed,
    /// The XML format failed; [`source`](std::error::Error::source) says how.
    Unwritable,
}

/// In bytes of UTF-8. Undocumented; integrations report 2047 (dodgepudding/wechat-php-sdk #363) or 2048.
const TEXT_LIMIT: usize = 2048;
