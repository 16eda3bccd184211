//! A Redis as the store, and what is stored there: [`RedisStore`]. Its script is `machine.lua`.
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
//! # Versions and features
//!
//! The feature `redis` of this crate needs version 1.8 or later of the `redis` crate, with its feature `tokio-comp` and
//! no other. Add the features of [the connection](#the-connection) that you choose:
//!
//! ```toml
//! tower-wechat = { version = "0.1", features = ["redis"] }
//! redis = { version = "1.8", default-features = false, features = ["connection-manager", "tokio-comp"] }
//! ```
//!
//! The bound on the connection is `redis::aio::ConnectionLike` of that crate, version 1. A new major version of it is a
//! breaking change of this module. For TLS (`rediss://…`), add its feature `tokio-rustls-comp` or
//! `tokio-native-tls-comp`.
//!
//! # The connection
//!
//! | your Redis | connection | features of `redis` |
//! |---|---|---|
//! | one server, or one address that always leads to the master | `aio::ConnectionManager`, as above | `connection-manager` |
//! | a cluster | `cluster_async::ClusterConnection` | `cluster-async` |
//! | a master with sentinels | `ConnectionManager`s in turn, [below](#sentinel) | `connection-manager`, `sentinel` |
//!
//! Any other asynchronous connection that is `Clone` works as well. Do not choose `MultiplexedConnection`: once broken, it
//! stays broken, and each node then goes on alone until it is restarted.
//!
//! One connection is enough for a node, and [`RedisMailbox`](crate::late::mailbox::redis) may share it. Each operation is
//! one round trip on a clone of it, and a second one where Redis does not remember the script, as after a restart.
//!
//! Give the connection time-outs of more than the 250 ms that a node waits for an operation, so that a slow answer does
//! not cost the connection. The defaults of `redis` 1.8 will do: 500 ms for an answer, 1 s to connect. The first connection
//! has to succeed; `ConnectionManager::new_lazy_with_config` does without, for a node that starts while Redis is away.
//!
//! # Cluster
//!
//! ```no_run
//! use redis::cluster::ClusterClient;
//! use tower_wechat::{DedupLayer, dedup::RedisStore};
//!
//! # async fn layer() -> redis::RedisResult<()> {
//! // Some of the nodes. The connection asks them for the others.
//! let client = ClusterClient::new(["redis://10.0.0.1/", "redis://10.0.0.2/"])?;
//! let layer = DedupLayer::shared(RedisStore::new(client.get_async_connection().await?));
//! # Ok(())
//! # }
//! ```
//!
//! Each script works on one key, so the messages spread over the nodes. No hash tag is needed. If a slot moves or a node
//! fails, the connection asks for the new layout and sends the operation again. Tests run the store on two nodes.
//!
//! # Sentinel
//!
//! A `ConnectionManager` stays with its address. After a failover it would lead to the old master, which refuses to
//! write. So ask the sentinels who is the master, and connect again when it is another one. A test kills a master under
//! this connection:
//!
//! ```no_run
#![doc = include_str!("../../../tests/it/store/sentinel.rs")]
//!
//! # async fn layer() -> RedisResult<()> {
//! // Where the sentinels listen, and what they call the group.
//! let sentinels = Sentinel::build(vec!["redis://10.0.0.1:26379/", "redis://10.0.0.2:26379/"])?;
//! let master = Master::follow(sentinels, "mymaster").await?;
//! let layer = tower_wechat::DedupLayer::shared(tower_wechat::dedup::RedisStore::new(master));
//! # Ok(())
//! # }
//! ```
//!
//! If the master needs a password, pass a `SentinelNodeConnectionInfo` to `async_master_for` instead of `None`.
//!
//! # What is stored
//!
//! Each message is one hash, and so is the turn of a user whose messages run in turn, a rest that is still to be sent, and a
//! result that a mailbox is to have. Each is under the [prefix](RedisStore::with_prefix) and the message's
//! [`Key`] in hexadecimal. The script changes one key, so a cluster spreads the messages
//! over its nodes. The hash lives as long as the message's mark (10 minutes at least), never as long as its lease. A
//! reply is given to deliveries for its own time only, but its bytes stay until the message is next asked for or its mark
//! ends. A late reply stays until it has been sent. Expect the size of a reply and about 300 bytes for each message of the last ten minutes.
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
//! acknowledgement (a reply may go to a delivery that WeChat no longer shows), or a release or the end of a late message (a
//! reply may be sent twice). `WAIT` would not change that; only a store with consensus would.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use ::redis::{FromRedisValue, aio::ConnectionLike};
use http::{HeaderValue, StatusCode};

use super::store::{
    Acknowledged, Claim, Claimed, Completed, Ending, Found, Released, Renewed, Run, Store,
};
#[cfg(doc)]
use crate::key::Key;
pub use crate::redis::{Error, ErrorKind};
use crate::{
    key::Fingerprint,
    redis::{PREFIX, Script, milliseconds},
    response::StoredResponse,
};

/// A [`Store`] in a Redis, which all nodes of a deployment share.
///
/// See the [module docs](self) for the configuration of Redis.
#[derive(Clone)]
pub struct RedisStore<C> {
    connection: C,
    prefix: Arc<str>,
}

impl<C> RedisStore<C> {
    /// Makes a store that is reached over `connection`. Each operation uses a clone of it.
    pub fn new(connection: C) -> Self {
        Self {
            connection,
            prefix: PREFIX.into(),
        }
    }

    /// Sets the prefix of the store's keys in Redis; the default is `tower-wechat:`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into().into();
        self
    }

    async fn run<T: FromRedisValue>(
        &self,
        operation: &str,
        claim: Claim,
        arguments: &[&[u8]],
    ) -> Result<T, Error>
    where
        C: ConnectionLike + Clone,
    {
        let key = format!("{}{}", self.prefix, claim.key);
        let id = claim.id.to_string();
        let [mark, lease] = [claim.ttls.mark, claim.ttls.lease].map(milliseconds);
        let fingerprint = claim
            .fingerprint
            .map(Fingerprint::to_bytes)
            .map(u64::from_be_bytes);
        let fingerprint = fingerprint.map_or_else(String::new, |bits| format!("{bits:016x}"));
        let all = [operation, &id, &mark, &lease, &fingerprint];
        let mut all: Vec<_> = all.map(str::as_bytes).into();
        all.extend(arguments);
        MACHINE.run(&self.connection, &key, &all).await
    }
}

impl<C> Store for RedisStore<C>
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    type Error = Error;

    async fn claim(&self, claim: Claim) -> Result<Found, Error> {
        let (word, age, number, reply, known): (String, u64, u64, Option<Reply>, String) =
            self.run("claim", claim, &[]).await?;
        let age = Duration::from_millis(age);
        let known = u64::from_str_radix(&known, 16).ok();
        let known = known.map(|bits| Fingerprint::from_bytes(bits.to_be_bytes()));
        let claimed = match (&*word, u32::try_from(number), reply) {
            ("won", Ok(number), None) => Ok(Claimed::Won(Run::new(age, number))),
            ("running", _, None) => Ok(Claimed::Running {
                age,
                lease: Duration::from_millis(number),
            }),
            ("replied", _, Some(reply)) => Ok(Claimed::Replied {
                age,
                response: response(reply)?,
            }),
            ("late", _, None) => Ok(Claimed::Late {
                lease: Duration::from_millis(number),
            }),
            ("taken over", _, Some(reply)) => Ok(Claimed::TakenOver(response(reply)?)),
            ("done", _, None) => Ok(Claimed::Done),
            _ => Err(Error::foreign()),
        };
        Ok(Found::new(claimed?, known))
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Error> {
        let (age, number) = (milliseconds(run.age), run.number.to_string());
        let arguments = [age.as_bytes(), number.as_bytes()];
        match &*self.run::<String>("renew", claim, &arguments).await? {
            "yours" => Ok(Renewed::Yours),
            "lost" => Ok(Renewed::Lost),
            _ => Err(Error::foreign()),
        }
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Error> {
        let ttl = milliseconds(claim.ttls.reply);
        let (state, response) = match &ending {
            Ending::Reply(response) => ("replied", Some(response)),
            Ending::Late(response) => ("late", Some(response)),
            Ending::Nothing => ("done", None),
        };
        let status = response.map(StoredResponse::status);
        let attachment = response.and_then(StoredResponse::attachment);
        let attachment = attachment.unwrap_or_default();
        let mut arguments = vec![state.as_bytes(), ttl.as_bytes()];
        if let (Some(response), Some(status)) = (response, &status) {
            arguments.extend([status.as_str().as_bytes(), response.body()]);
            arguments.push(&attachment);
            arguments.extend(response.content_type().map(HeaderValue::as_bytes));
        }
        match &*self.run::<String>("complete", claim, &arguments).await? {
            "stored" => Ok(Completed::Stored),
            "acknowledged" => Ok(Completed::Acknowledged),
            "lost" => Ok(Completed::Lost),
            _ => Err(Error::foreign()),
        }
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Error> {
        match self.run::<Option<Reply>>("acknowledge", claim, &[]).await? {
            Some(reply) => Ok(Acknowledged::Replied(response(reply)?)),
            None => Ok(Acknowledged::Recorded),
        }
    }

    async fn release(&self, claim: Claim) -> Result<Released, Error> {
        match &*self.run::<String>("release", claim, &[]).await? {
            "last" => Ok(Released::LastHold),
            "held elsewhere" => Ok(Released::HeldElsewhere),
            "sent elsewhere" => Ok(Released::SentElsewhere),
            "running elsewhere" => Ok(Released::RunningElsewhere),
            "not completed" => Ok(Released::NotCompleted),
            "unclaimed" => Ok(Released::Unclaimed),
            _ => Err(Error::foreign()),
        }
    }
}

impl<C> fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// The status, the body, the Content-Type and the attachment, which may be empty.
type Reply = (u16, Vec<u8>, Option<Vec<u8>>, Vec<u8>);

fn response((status, body, content_type, attachment): Reply) -> Result<StoredResponse, Error> {
    let status = StatusCode::from_u16(status).map_err(|_invalid| Error::foreign())?;
    let content_type = content_type.map(HeaderValue::try_from).transpose();
    let content_type = content_type.map_err(|_invalid| Error::foreign())?;
    let response = StoredResponse::new(status, content_type, body);
    Ok(response.with_attachment(&attachment))
}

static MACHINE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("machine.lua")));
