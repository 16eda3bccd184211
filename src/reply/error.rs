//! Why a reply cannot be sent: the limit that it breaks.

use std::fmt;

use super::content::TEXT_LIMIT;
use crate::xml;

/// The reason why a reply cannot be sent. The message names the limit, never the contents.
#[derive(Debug)]
pub struct Error(pub(super) Cause);

#[derive(Debug)]
pub(super) enum Cause {
    TextEmpty,
    /// Both in bytes.
    #[cfg_attr(
        not(any(feature = "json", feature = "layers")),
        expect(dead_code, reason = "rendering cuts a long text")
    )]
    TextLength {
        found: usize,
        limit: usize,
    },
    /// The name of the element.
    MediaIdEmpty(&'static str),
    ArticlesEmpty,
    ArticleCount {
        found: usize,
        limit: usize,
    },
    /// Counted from 0.
    ArticleTitleEmpty {
        position: usize,
    },
    KfAccountEmpty,
    #[cfg_attr(
        not(any(feature = "json", feature = "layers")),
        expect(dead_code, reason = "rendering leaves the others to the caller")
    )]
    Several {
        found: usize,
    },
    Unaddressed,
    Unsupported,
    Unwritable(xml::Error),
}

impl Error {
    /// Makes the error for a message without a readable sender and receiver.
    #[cfg(feature = "layers")]
    pub(crate) fn unaddressed() -> Self {
        Self(Cause::Unaddressed)
    }

    /// Makes the error for a value of the user's that cannot be written, for this reason.
    pub(super) fn unwritable(reason: &String) -> Self {
        Self(Cause::Unwritable(serde::ser::Error::custom(reason)))
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            Cause::TextEmpty => ErrorKind::TextEmpty,
            Cause::TextLength { .. } => ErrorKind::TextLength,
            Cause::MediaIdEmpty(_) => ErrorKind::MediaIdEmpty,
            Cause::ArticlesEmpty => ErrorKind::ArticlesEmpty,
            Cause::ArticleCount { .. } => ErrorKind::ArticleCount,
            Cause::ArticleTitleEmpty { .. } => ErrorKind::ArticleTitleEmpty,
            Cause::KfAccountEmpty => ErrorKind::KfAccountEmpty,
            Cause::Several { .. } => ErrorKind::Several,
            Cause::Unaddressed => ErrorKind::Unaddressed,
            Cause::Unsupported => ErrorKind::Unsupported,
            Cause::Unwritable(_) => ErrorKind::Unwritable,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::TextEmpty => {
                f.write_str("expected a text to reply, found an empty one or white space")
            }
            Cause::TextLength {
                found,
                limit: TEXT_LIMIT,
            } => write!(
                f,
                "expected at most {TEXT_LIMIT} bytes of text in one message, found {found}: `reply::split` makes parts"
            ),
            Cause::TextLength { found, limit } => write!(
                f,
                "expected at most {limit} bytes of text to reply, found {found}"
            ),
            Cause::MediaIdEmpty(element) => {
                write!(f, "expected a {element} to reply, found an empty one")
            }
            Cause::ArticlesEmpty => f.write_str("expected an article to reply, found none"),
            Cause::ArticleCount { found, limit: 1 } => write!(
                f,
                "expected at most 1 article in answer to a message, found {found}"
            ),
            Cause::ArticleCount { found, limit } => {
                write!(
                    f,
                    "expected at most {limit} articles to reply, found {found}"
                )
            }
            Cause::ArticleTitleEmpty { position } => write!(
                f,
                "expected a title of article {}, found an empty one or white space",
                position + 1
            ),
            Cause::KfAccountEmpty => {
                f.write_str("expected a KfAccount to transfer to, found an empty one")
            }
            Cause::Several { found } => write!(
                f,
                "expected one message, found a reply of {found}: `Reply::messages` has each"
            ),
            Cause::Unaddressed => {
                f.write_str("expected a message with a sender and a receiver to reply to")
            }
            Cause::Unsupported => {
                f.write_str("expected a text or a card that a smart bot can answer with here")
            }
            Cause::Unwritable(_) => f.write_str("the reply cannot be written"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Cause::TextEmpty
            | Cause::TextLength { .. }
            | Cause::MediaIdEmpty(_)
            | Cause::ArticlesEmpty
            | Cause::ArticleCount { .. }
            | Cause::ArticleTitleEmpty { .. }
            | Cause::KfAccountEmpty
            | Cause::Several { .. }
            | Cause::Unaddressed
            | Cause::Unsupported => None,
            Cause::Unwritable(source) => Some(source),
        }
    }
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text that is empty, or has only white space and characters that XML cannot write. The user would see the fault
    /// text, or nothing.
    TextEmpty,
    /// A text over the limit of a place where it is not [cut](super#long-texts): 2047 bytes of UTF-8 in a fallback, 2048 in
    /// a customer-service message, 1023 in a cut marker or a footer.
    TextLength,
    /// An image, a voice message or a video without a MediaId, or a music card without a `ThumbMediaId`.
    MediaIdEmpty,
    /// News without an article.
    ArticlesEmpty,
    /// More than one article in answer to a message, or more than eight in answer to an event.
    ArticleCount,
    /// An article without a title, or with a title of only white space. The user would see the fault text, or nothing.
    ArticleTitleEmpty,
    /// A transfer to an agent without a name.
    KfAccountEmpty,
    /// A reply of [several messages](super::Reply::then) where there is room for one: a fallback, or one call of the
    /// customer-service API.
    Several,
    /// The message has no sender to reply to, or no receiver to reply from.
    Unaddressed,
    /// A reply that a [smart bot](crate::message::smart_bot#replies) cannot give in answer to this push.
    Unsupported,
    /// Writing the XML failed, or the JSON of a card or of a [custom](super::Reply::custom) answer.
    /// [`source`](std::error::Error::source) returns the reason.
    Unwritable,
}
