//! Runs the scripts of the store and the mailbox in a Redis, and says why one of them failed.

use std::{error, fmt, time::Duration};

use ::redis::{
    Cmd, FromRedisValue, RedisError, ServerErrorKind, Value, aio::ConnectionLike, from_redis_value,
};
use bytes::Bytes;
use sha1::{Digest, Sha1};

/// A script that works on one key.
pub(crate) struct Script {
    text: &'static str,
    /// The name under which Redis remembers it.
    name: String,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        let hash = Bytes::copy_from_slice(&Sha1::digest(text));
        Self {
            text,
            name: format!("{hash:x}"),
        }
    }

    /// Runs the script by its name: one round trip, or two where Redis does not remember it.
    ///
    /// The second sends the script along, instead of loading it first: to a cluster, that goes by the key as
    /// the first did, and so to the same node.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        connection: &(impl ConnectionLike + Clone),
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let command = |name, script: &str| {
            let mut command = Cmd::new();
            command.arg(name).arg(script).arg(1).arg(key).arg(arguments);
            command
        };
        let mut connection = connection.clone();
        let mut answer = command("EVALSHA", &self.name)
            .query_async::<Value>(&mut connection)
            .await;
        if let Err(error) = &answer
            && error.kind() == ServerErrorKind::NoScript.into()
        {
            let whole = command("EVAL", self.text);
            answer = whole.query_async(&mut connection).await;
        }
        from_redis_value(answer.map_err(Error::of)?).map_err(|_unexpected| Error::foreign())
    }
}

/// Rounds up to whole milliseconds, so that no lease or TTL is shortened. A Lua number and `PEXPIRE` both hold the
/// longest.
pub(crate) fn milliseconds(time: Duration) -> String {
    let whole = time.as_nanos().div_ceil(1_000_000);
    whole.min(LONGEST.as_millis()).to_string()
}

/// Of every key, unless the user sets another one.
pub(crate) const PREFIX: &str = "tower-wechat:";

/// Ten years: longer than any process runs.
const LONGEST: Duration = Duration::from_hours(87600);

/// Why an operation could not be carried out in Redis.
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
    /// What is under the key, or the answer, is none of this version's making.
    Foreign,
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn foreign() -> Self {
        Self {
            kind: ErrorKind::Foreign,
            source: None,
        }
    }

    pub(crate) fn of(source: RedisError) -> Self {
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
            ErrorKind::Foreign => "what redis has under the key is not what this version writes",
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
