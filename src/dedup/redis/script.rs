//! Running a Lua script by its hash.

use std::fmt::Write as _;

use ::redis::{Cmd, RedisError, ServerErrorKind, Value, aio::ConnectionLike};
use sha1::{Digest, Sha1};

/// A Lua script, and the name under which Redis remembers it.
#[derive(Debug)]
pub(super) struct Script {
    source: &'static str,
    name: String,
}

impl Script {
    pub(super) fn new(source: &'static str) -> Self {
        let mut name = String::with_capacity(40);
        for byte in Sha1::digest(source) {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        Self { source, name }
    }

    /// Runs the script: one round trip, or two where Redis does not remember it.
    ///
    /// The second sends the script along, instead of loading it first: to a cluster, that goes by the key as
    /// the first did, and so to the same node.
    pub(super) async fn run(
        &self,
        connection: &mut impl ConnectionLike,
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<Value, RedisError> {
        let by_name = command("EVALSHA", &self.name, key, arguments);
        match by_name.query_async(connection).await {
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                command("EVAL", self.source, key, arguments)
                    .query_async(connection)
                    .await
            }
            answer => answer,
        }
    }
}

fn command(name: &str, script: &str, key: &str, arguments: &[&[u8]]) -> Cmd {
    let mut command = ::redis::cmd(name);
    command.arg(script).arg(1).arg(key).arg(arguments);
    command
}
