//! What several nodes know together, in a Redis: [`RedisStore`].
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
//! let layer = DedupLayer::with_store(RedisStore::new(connection));
//! # Ok(())
//! # }
//! ```
//!
//! # The connection
//!
//! Any asynchronous connection of the `redis` crate that is `Clone`: its multiplexed connection, its connection
//! manager, its cluster connection. Each operation is one round trip on a clone of it, and a second one where Redis
//! does not remember the script, as after a restart. The connection's own time-outs should be longer than the
//! 250 ms that a node gives an operation, so that a slow answer does not cost the connection.
//!
//! # What is kept there
//!
//! One hash for each message, under the [prefix](RedisStore::with_prefix) and the message's
//! [`Key`] in hexadecimal, changed by scripts of one key alone, so in a cluster messages are spread
//! over its nodes. The hash lives as long as the message's mark (10 minutes at least), never as long as its lease. A
//! reply goes no further than its own time, but its bytes stay until the message is next asked for or its mark
//! ends; count on the size of a reply and about 300 bytes for each message of the last ten minutes.
//!
//! Times are by Redis' own clock, so the clocks of the nodes don't matter. What a handler's reply *meant* stays on
//! the node that ran it: Redis has the response that WeChat gets.
//!
//! # What Redis must be set to
//!
//! - Redis 5 or later, or Valkey: earlier ones replicate a script's words instead of what it has done, and refuse
//!   one that asks for the time. The tests run on Redis 7.
//! - `maxmemory-policy noeviction`. Any other policy may forget running messages, which are then run twice. When
//!   memory is out, Redis refuses and the nodes go on as if it were away.
//! - A prefix of its own for each deployment: who shares one takes the other's messages for its own.
//! - A user that may use keys with the prefix, and `EVAL`, `EVALSHA`, `TIME`, `EXISTS`, `HMGET`, `HSET`, `HDEL` and
//!   `PEXPIRE`. Replies lie there in the clear.
//! - Persistence as you like. Without it (or with `appendfsync everysec`, its last second) a restart forgets
//!   messages: the nodes write the running ones again as they renew their leases, and what has ended is
//!   run again only if a node that does not know it gets one more delivery.
//!
//! # What a failover can lose
//!
//! Replication is asynchronous: a replica that takes over may lack the last writes. Then a claim is
//! lost (the message's owner writes it again within a second; a delivery that reaches another node before that
//! runs it twice), a completion (another node that gets a retry runs it again once the lease is over), an
//! acknowledgement (a reply may go to a delivery that WeChat no longer shows), or a release (a reply may
//! be sent twice). `WAIT` would not change that; only a store with consensus would.

mod answer;
mod error;
mod script;

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{Value, aio::ConnectionLike};

pub use self::error::{Error, ErrorKind};
use self::script::Script;
use super::{
    Key, Outcome,
    store::{Acknowledged, Claim, Completed, Owner, Store, Times},
};

/// A [`Store`] in a Redis, which all nodes of a deployment share.
///
/// See the [module docs](self) for what Redis must be set to.
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
    /// A store that is reached over `connection`, of which each operation uses a clone.
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

    /// What the store's keys in Redis begin with, `tower-wechat:` by default.
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
        key: Key,
        owner: Owner,
        arguments: &[&[u8]],
    ) -> Result<Value, Error> {
        let key = format!("{}{key}", self.prefix);
        let owner = owner.to_string();
        let arguments = [&[owner.as_bytes()], arguments].concat();
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

    async fn claim(&self, key: Key, owner: Owner, times: Times) -> Result<Claim, Error> {
        let (lease, mark) = (milliseconds(times.lease), milliseconds(times.mark));
        let arguments = [lease.as_bytes(), mark.as_bytes()];
        let answer = self.run(&self.scripts.claim, key, owner, &arguments).await;
        answer::claim(answer?)
    }

    async fn renew(
        &self,
        key: Key,
        owner: Owner,
        number: u32,
        times: Times,
    ) -> Result<bool, Error> {
        let (lease, mark) = (milliseconds(times.lease), milliseconds(times.mark));
        let number = number.to_string();
        let arguments = [lease.as_bytes(), mark.as_bytes(), number.as_bytes()];
        let answer = self.run(&self.scripts.renew, key, owner, &arguments).await;
        answer::yes(&answer?)
    }

    async fn complete(
        &self,
        key: Key,
        owner: Owner,
        outcome: &Outcome,
        acknowledged: bool,
        times: Times,
    ) -> Result<Completed, Error> {
        let (reply, mark) = (milliseconds(times.reply), milliseconds(times.mark));
        let status = outcome.status();
        let mut arguments = vec![
            reply.as_bytes(),
            mark.as_bytes(),
            if acknowledged { b"1" } else { b"0" },
            status.as_str().as_bytes(),
            outcome.body(),
        ];
        arguments.extend(outcome.content_type().map(http::HeaderValue::as_bytes));
        let script = &self.scripts.complete;
        answer::completed(self.run(script, key, owner, &arguments).await?)
    }

    async fn acknowledge(&self, key: Key, owner: Owner) -> Result<Acknowledged, Error> {
        let script = &self.scripts.acknowledge;
        answer::acknowledged(self.run(script, key, owner, &[]).await?)
    }

    async fn release(&self, key: Key, owner: Owner) -> Result<bool, Error> {
        answer::yes(&self.run(&self.scripts.release, key, owner, &[]).await?)
    }
}

impl<C> fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Begun milliseconds count, so that what is to last does. A Lua number and `PEXPIRE` both hold the longest.
fn milliseconds(time: Duration) -> String {
    let whole = time.as_nanos().div_ceil(1_000_000);
    whole.min(LONGEST.as_millis()).to_string()
}

const PREFIX: &str = "tower-wechat:";

/// Ten years: nobody waits for more.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

const CLAIM: &str = concat!(include_str!("entry.lua"), include_str!("claim.lua"));
const RENEW: &str = concat!(include_str!("entry.lua"), include_str!("renew.lua"));
const COMPLETE: &str = concat!(include_str!("entry.lua"), include_str!("complete.lua"));
const ACKNOWLEDGE: &str = concat!(include_str!("entry.lua"), include_str!("acknowledge.lua"));
const RELEASE: &str = concat!(include_str!("entry.lua"), include_str!("release.lua"));
