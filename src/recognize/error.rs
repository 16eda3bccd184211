//! Why a voice message has no words.

use std::{borrow::Cow, error, fmt, sync::Arc, time::Duration};

use super::recognition::MAX_WORDS;
use crate::{api, observe::RecognitionFailure};

/// The reason why a voice message has no words.
///
/// The handler finds it in the extensions of its request. `Display` never shows words, tokens or media ids, but it shows
/// the text of the recognizer's error.
#[derive(Clone)]
pub struct Error(Arc<Cause>);

pub(super) enum Cause {
    Fetch(api::Error),
    TooLong {
        limit: Duration,
        found: Duration,
    },
    Timeout {
        limit: Duration,
        is_fetched: bool,
    },
    /// The text of the recognizer's error.
    Recognizer(String),
    Panicked,
    NoWords,
    /// The number of bytes.
    TooManyWords(usize),
}

impl Error {
    pub(super) fn new(cause: Cause) -> Self {
        Self(Arc::new(cause))
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Cause::Fetch(error) if error.kind() == api::ErrorKind::TooLarge => ErrorKind::TooLarge,
            Cause::Fetch(error) => ErrorKind::Fetch(error.kind()),
            Cause::TooLong { .. } => ErrorKind::TooLong,
            Cause::Timeout { .. } => ErrorKind::Timeout,
            Cause::Recognizer(_) => ErrorKind::Recognizer,
            Cause::Panicked => ErrorKind::Panicked,
            Cause::NoWords => ErrorKind::NoWords,
            Cause::TooManyWords(_) => ErrorKind::TooManyWords,
        }
    }

    /// Returns whether another try would end in the same way.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Fetch(api::ErrorKind::MediaId)
                | ErrorKind::TooLarge
                | ErrorKind::TooLong
                | ErrorKind::NoWords
                | ErrorKind::TooManyWords
        )
    }
}

impl RecognitionFailure for Error {
    fn result(&self) -> Cow<'static, str> {
        self.kind().name()
    }

    fn is_failed_fetch(&self) -> bool {
        matches!(*self.0, Cause::Fetch(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Fetch(error) => error.fmt(f),
            Cause::TooLong { limit, found } => write!(
                f,
                "expected a recording of at most {limit:?}, found {found:?}"
            ),
            Cause::Timeout { limit, is_fetched } => {
                let what = if *is_fetched { "recognized" } else { "fetched" };
                write!(f, "not {what} within {limit:?}")
            }
            Cause::Recognizer(text) => write!(f, "the recognizer failed: {text}"),
            Cause::Panicked => f.write_str("the recognizer or the HTTP client panicked"),
            Cause::NoWords => f.write_str("the recognizer found no words"),
            Cause::TooManyWords(found) => write!(
                f,
                "expected at most {MAX_WORDS} bytes of words from the recognizer, found {found}"
            ),
        }
    }
}

/// Prints the same text as `Display`, as the errors of `api` do.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Cause::Fetch(error) => Some(error),
            _ => None,
        }
    }
}

/// The kinds of [`Error`].
///
/// The [module docs](super#failures) say what to do about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The recording cannot be fetched. The error's [source](error::Error::source) is the [`api::Error`].
    Fetch(api::ErrorKind),
    /// The recording has more bytes than the [limit](super::RecognizeLayer::with_max_bytes).
    TooLarge,
    /// The recording is longer than the [limit](super::RecognizeLayer::with_max_duration).
    TooLong,
    /// The recording was not fetched and recognized [in time](super::RecognizeLayer::with_timeout).
    Timeout,
    /// The recognizer returned an error.
    Recognizer,
    /// The recognizer panicked, or the HTTP client.
    Panicked,
    /// The recognizer returned nothing, or only blanks.
    NoWords,
    /// The recognizer returned more than 8 KiB.
    TooManyWords,
}

impl ErrorKind {
    /// Returns the kind as events and metrics name it.
    fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Fetch(kind) => return Cow::Owned(format!("fetch_{}", kind.name())),
            Self::TooLarge => "too_large",
            Self::TooLong => "too_long",
            Self::Timeout => "timeout",
            Self::Recognizer => "recognizer",
            Self::Panicked => "panicked",
            Self::NoWords => "no_words",
            Self::TooManyWords => "too_many_words",
        })
    }
}
