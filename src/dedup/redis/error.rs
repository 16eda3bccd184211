//! Why an operation of the Redis store failed.

use std::{error, fmt};

use ::redis::RedisError;

/// Why an operation of a [`RedisStore`](super::RedisStore) could not be carried out.
///
/// Nothing in it is of a reply.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Option<RedisError>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no connection, or it broke off. Nobody knows whether the operation was done.
    Connection,
    /// Redis refuses: it is a replica, out of memory, still loading, or wants a password.
    Refused,
    /// What is under the message's key, or the answer, is none of this version's making.
    Foreign,
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(super) fn foreign() -> Self {
        Self {
            kind: ErrorKind::Foreign,
            source: None,
        }
    }

    pub(super) fn of(source: RedisError) -> Self {
        let kind = match source.code() {
            Some("WRONGTYPE") => ErrorKind::Foreign,
            Some(_) => ErrorKind::Refused,
            None => ErrorKind::Connection,
        };
        Self {
            kind,
            source: Some(source),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::Connection => "cannot reach redis",
            ErrorKind::Refused => "redis refuses",
            ErrorKind::Foreign => "what redis has of the message is not what this version writes",
        };
        match &self.source {
            // Whoever logs the store's error logs this line alone.
            Some(source) => write!(f, "{what}: {source}"),
            None => f.write_str(what),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
