//! A Redis as the store, and what is stored there: [`RedisStore`].
//!
//! ```no_run
//! use redis::aio::ConnectionManager;
//! use tower::BoxError;
//! use tower_wechat::{DedupLayer, dedup::RedisStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // One connection for everything, which comes back by itself.
//! let client = redis::Client::open("redis://127.0.0.1/")?;
//! let connection = ConnectionManager::new(client).await?;
//! let layer = DedupLayer::shared(RedisStore::new(connection));
//! # Ok(())
//! # }
//! ```
//!
//! # The connection
//!
//! `RedisStore` takes any asynchronous connection of the `redis` crate that is `Clone`: its multiplexed connection, its
//! connection manager, its cluster connection. Each operation is one round trip on a clone of it, and a second one where
//! Redis does not remember the script, as after a restart. Give the connection time-outs of more than the
//! 250 ms that a node waits for an operation, so that a slow answer does not cost the connection.
//!
//! The bound on the connection is `redis::aio::ConnectionLike` of the `redis` crate, version 1. A new major version of
//! that crate is a breaking change of this module.
//!
//! # What is stored
//!
//! Each message is one hash, under the [prefix](RedisStore::with_prefix) and the message's
//! [`Key`] in hexadecimal. The scripts change one key each, so a cluster spreads the messages
//! over its nodes. The hash lives as long as the message's mark (10 minutes at least), never as long as its lease. A
//! reply is given out for its own time only, but its bytes stay until the message is next asked for or its mark
//! ends. Expect the size of a reply and about 300 bytes for each message of the last ten minutes.
//!
//! Times are measured by Redis' own clock, so the clocks of the nodes do not matter. The typed
//! [`Reply`](crate::Reply) stays on the node that ran the handler: Redis has the response that WeChat gets.
//!
//! # Configuration of Redis
//!
//! - Redis 5 or later, or Valkey. Earlier versions replicate a script's commands instead of its effects, and reject
//!   a script that asks for the time. The tests run on Redis 7.
//! - `maxmemory-policy noeviction`. Any other policy may forget running messages, which then run twice. When
//!   memory is out, Redis reports errors and the nodes go on as if it were away.
//! - A prefix of its own for each deployment: deployments that share one take each other's messages for their own.
//! - A user that may use keys with the prefix, and `EVAL`, `EVALSHA`, `TIME`, `EXISTS`, `HMGET`, `HSET`, `HDEL` and
//!   `PEXPIRE`. Replies are stored unencrypted.
//! - Any persistence. Without it (or with `appendfsync everysec`, for the last second) a restart forgets
//!   messages. The nodes write the running ones again as they renew their leases. A finished message
//!   runs again only if a node that does not know it gets one more delivery.
//!
//! # What a failover can lose
//!
//! Replication is asynchronous: a replica that takes over may lack the last writes. Then one of these is lost: a claim
//! (the node that runs the message writes it again within a second; a delivery that reaches another node before that
//! runs it twice), a completion (another node that gets a retry runs the message again once the lease is over), an
//! acknowledgement (a reply may go to a delivery that WeChat no longer shows), or a release (a reply may
//! be sent twice). `WAIT` would not change that; only a store with consensus would.

mod answer;
mod error;
mod script;

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{Value, aio::ConnectionLike};

pub use self::error::{Error, ErrorKind};
use self::script::Script;
#[cfg(doc)]
use super::key::Key;
use super::{
    machine::FOREVER,
    response::StoredResponse,
    store::{Acknowledged, Claim, Claimed, Completed, Released, Renewed, Run, Store},
};

/// A [`Store`] in a Redis, which all nodes of a deployment share.
///
/// See the [module docs](self) for the configuration of Redis.
#[derive(Clone)]
pub struct RedisStore<C> {
    connection: C,
    prefix: Arc<str>,
    scripts: Arc<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    claim: Script,
    renew: Script,
    complete: Script,
    acknowledge: Script,
    release: Script,
}

impl<C> RedisStore<C> {
    /// Makes a store that is reached over `connection`. Each operation uses a clone of it.
    pub fn new(connection: C) -> Self {
        Self {
            connection,
            prefix: PREFIX.into(),
            scripts: Arc::new(Scripts {
                claim: Script::new(CLAIM),
                renew: Script::new(RENEW),
                complete: Script::new(COMPLETE),
                acknowledge: Script::new(ACKNOWLEDGE),
                release: Script::new(RELEASE),
            }),
        }
    }

    /// Sets the prefix of the store's keys in Redis; the default is `tower-wechat:`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into().into();
        self
    }
}

impl<C> RedisStore<C>
where
    C: ConnectionLike + Clone,
{
    async fn run(
        &self,
        script: &Script,
        claim: Claim,
        arguments: &[&[u8]],
    ) -> Result<Value, Error> {
        let key = format!("{}{}", self.prefix, claim.key);
        let id = claim.id.to_string();
        let mark = milliseconds(claim.ttls.mark);
        let arguments = [&[id.as_bytes(), mark.as_bytes()], arguments].concat();
        let mut connection = self.connection.clone();
        script
            .run(&mut connection, &key, &arguments)
            .await
            .map_err(Error::of)
    }
}

impl<C> Store for RedisStore<C>
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    type Error = Error;

    async fn claim(&self, claim: Claim) -> Result<Claimed, Error> {
        let lease = milliseconds(claim.ttls.lease);
        let script = &self.scripts.claim;
        answer::claim(self.run(script, claim, &[lease.as_bytes()]).await?)
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Error> {
        let lease = milliseconds(claim.ttls.lease);
        let (age, number) = (milliseconds(run.age), run.number.to_string());
        let arguments = [lease.as_bytes(), age.as_bytes(), number.as_bytes()];
        answer::renewed(self.run(&self.scripts.renew, claim, &arguments).await?)
    }

    async fn complete(
        &self,
        claim: Claim,
        response: &StoredResponse,
        is_acknowledged: bool,
    ) -> Result<Completed, Error> {
        let reply = milliseconds(claim.ttls.reply);
        let status = response.status();
        let mut arguments = vec![
            reply.as_bytes(),
            if is_acknowledged { b"1" } else { b"0" },
            status.as_str().as_bytes(),
            response.body(),
        ];
        arguments.extend(response.content_type().map(http::HeaderValue::as_bytes));
        let script = &self.scripts.complete;
        answer::completed(self.run(script, claim, &arguments).await?)
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Error> {
        let script = &self.scripts.acknowledge;
        answer::acknowledged(self.run(script, claim, &[]).await?)
    }

    async fn release(&self, claim: Claim) -> Result<Released, Error> {
        answer::released(self.run(&self.scripts.release, claim, &[]).await?)
    }
}

impl<C> fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Rounds up to whole milliseconds, so that no lease or TTL is shortened. A Lua number and `PEXPIRE` both hold the
/// longest.
fn milliseconds(time: Duration) -> String {
    let whole = time.as_nanos().div_ceil(1_000_000);
    whole.min(FOREVER.as_millis()).to_string()
}

const PREFIX: &str = "tower-wechat:";

const CLAIM: &str = concat!(include_str!("entry.lua"), include_str!("claim.lua"));
const RENEW: &str = concat!(include_str!("entry.lua"), include_str!("renew.lua"));
const COMPLETE: &str = concat!(include_str!("entry.lua"), include_str!("complete.lua"));
const ACKNOWLEDGE: &str = concat!(include_str!("entry.lua"), include_str!("acknowledge.lua"));
const RELEASE: &str = concat!(include_str!("entry.lua"), include_str!("release.lua"));
