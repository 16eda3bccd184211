//! One run for each message, however often WeChat delivers it: [`DedupLayer`].
//!
//! A **delivery** is one HTTP request from WeChat. WeChat waits 5 seconds for its answer, then hangs up and
//! delivers the message again, about three times in all. A **run** is one execution of the inner service.
//! Behind this layer a message runs once, and the delivery that is waiting when the run ends gets the reply. So
//! a handler has about 14 s instead of 5, and its answer is still the passive reply:
//!
//! ```text
//!             0 s          5 s         10 s       14.5 s
//! deliveries  ├──── 1 ─────┼──── 2 ─────┼──── 3 ────┤
//! one run     ├────────────────┤ 7 s                        delivery 2 gets the reply
//! another     ├─────────────────────────────┤ 12 s           delivery 3 gets it
//! a third     ├───────────────────────────────────────┤ 17 s delivery 3 has been acknowledged:
//!                                                            the sinks for late replies get the reply
//! ```
//!
//! # When a user sees what
//!
//! | the handler … | the user sees |
//! |---|---|
//! | returns a reply within 14 s | the reply |
//! | returns a reply later | the [fallback](DedupBuilder::with_fallback), by default nothing; then what the [sinks](DedupBuilder::with_late_replies) send |
//! | fails, and succeeds in a later run | the reply |
//! | returns a [long text](crate::reply#long-texts), or [several replies](crate::Reply::then) | the first part; then what the sinks send |
//! | fails three times | the [failure reply](DedupBuilder::with_failure_reply), by default the fallback |
//! | returns [`Reply::success`](crate::Reply::success) | nothing |
//! | is not called within 15 s, since too many messages run | 该公众号提供的服务出现故障 (the service of this account is out of order) |
//!
//! # The life of a message
//!
//! ```text
//! vacant ─claim→ running ─complete→ replied (kept 60 s) → done (a mark, 10 min at least) → vacant
//!                   │                  │ not fetched        ↑ handed over
//!                   └─ acknowledged ───┴────────────────→ late
//! ```
//!
//! 1. The first delivery of a message claims the message. The **run** is a task of its own with its own copy of
//!    the request: a client that disconnects does not stop the run.
//! 2. A run that fails (an error, a 5xx response, a panic, more than 60 s) is repeated by its task
//!    after 0.5 s and 2 s, three runs in all. WeChat's own retries are no substitute: after an answer
//!    other than 200 it sends them within about a second, then shows the user a fault text.
//! 3. A delivery of a running message waits for the end of the run. A delivery of a finished message gets the
//!    kept reply ([`StoredResponse`]). Once that is dropped, it gets `success`.
//! 4. WeChat shows replies only to [some messages](DedupBuilder::with_reply_filter). Their deliveries wait for the end of the
//!    run, except the *last* delivery: it is **acknowledged** 4.5 s after its arrival, with the fallback. A
//!    delivery is the last one if it is 9.5 s old, by the longer of two times: since the message was first seen, and since
//!    the timestamp that WeChat signed. If the first deliveries of the latest five messages all look 9.5 s old (after a
//!    start, of as many as there are), the layer takes this machine's clock to be ahead, until a delivery looks younger. The
//!    log has a warning, and the layer subtracts the smallest of these ages from a delivery's, unless its message was first
//!    seen less than 9.5 s after its timestamp.
//!    A message to which WeChat shows no reply, such as most events, is acknowledged 4.5 s after the arrival of its first
//!    delivery. So is every message with [`Acknowledgement::FirstDelivery`].
//! 5. WeChat counts a delivery on which it hangs up as a failure. At 30 of an account in 5 minutes it raises an alarm, and
//!    may stop pushing for a minute. After 20, this layer acknowledges first deliveries too.
//! 6. A delivery that still waits 6 s after its arrival gets 503 and `Connection: close`. WeChat has hung up by then. A
//!    reply that is ready only after 5 s is left to the next delivery.
//!
//! # Either delivered or handed over
//!
//! A reply is either given to a delivery or handed to the [sinks](DedupBuilder::with_late_replies), never both.
//! The sinks get it if the message has been acknowledged, or if no delivery has fetched it within 6 s. Deliveries that
//! come after that are answered `success`. This holds on one node and among several, as long as the store answers.
//! What a passive reply [does not show](crate::late) is handed over by one node, once a delivery has got the reply. If that
//! node crashes meanwhile, another node that has given the reply to a delivery hands over the whole rest.
//!
//! A reply that goes to the sinks is **late**. The store keeps it for the node that hands it over, for a lease of 5 s at a
//! time. If that node crashes, the next node that gets a delivery after the end of the lease hands the reply over.
//!
//! A node asks the store which node a late reply belongs to. A store that does not answer is **away**. The node asks it ten
//! times more, a second apart, and 30 times if another node runs the message as well. Then it hands the reply over, with a
//! warning and a count in a metric: a reply that is given twice is better than a lost one. It does the same if the store has
//! lost its data (`FLUSHALL`, eviction, a restart without persistence) and no other node has told it of the message since,
//! or if the node has acknowledged the message without the store, and another node has given the reply to a delivery: WeChat
//! may have dropped that answer. After a loss of data, a retry may also run the message again on another node, without a
//! warning.
//!
//! A claim whose answer is lost may hold a reply that its node has not heard. The node asks until it knows, for up to half a minute
//! after its deliveries have gone. If the store still does not say, nobody may give the reply, and the log has a warning.
//!
//! # Guarantee
//!
//! *At least once, with duplicates suppressed*; never "exactly once". A process that dies while a message runs loses its
//! memory: the next delivery, if there is one, runs the message again. Among several nodes, if a node does not renew the
//! lease of its run for 5 s, another node runs the message as well, and the result of the first run is discarded. A handler
//! that must not do its work twice fences its writes with the message's id and the [`RunNumber`]. The number grows with each
//! run, on all nodes, as long as the store answers and keeps its data. It begins anew with the mark: for a push that is
//! [retried until it is answered](#pushes-that-are-retried-until-they-are-answered), 11 s after a failure.
//!
//! # Which deliveries are one message
//!
//! Deliveries with the same [`Key`] are of one message. The key hashes the account's
//! [name](crate::Account::with_name), and a message's `MsgId`, sender, receiver and creation time, since one `MsgId` has
//! been seen with several users. Other pushes, such as events, have no id; their key hashes the whole plaintext. Two
//! events that differ in one field alone have been seen within one second, and SDKs that compare `FromUserName`
//! and `CreateTime`, as the documentation says, have dropped real events.
//! [`DedupBuilder::with_key`] replaces the key.
//!
//! What a node or a store remembers of a message after its end is its **mark**. With the mark of a message that has an id, it
//! keeps a [`Fingerprint`](store::Fingerprint) of the plaintext. A delivery with the same key and another fingerprint is
//! answered as a retry, with a warning in the log and a count in `tower_wechat_differing_retries_total`.
//!
//! # Pushes that are retried until they are answered
//!
//! Virtual payment (`xpay_…`) and mini games retry pushes about goods, coins, refunds and complaints until the server gives
//! [the right answer](crate::message::event#answers-of-virtual-payment), for up to 24 hours. Each retry has another
//! `RetryTimes`. So the key of such a push has the id of the order, refund or complaint in place of the plaintext. This
//! layer treats the push in these other ways ([`Keyed::retried_for`]):
//!
//! - Its mark and its reply are kept for 25 hours. All retries get the first run's reply.
//! - The push is not acknowledged while it runs: WeChat would take the fallback for a failure. WeChat hangs up, and a retry
//!   gets the reply. No sink gets the reply, but what a passive reply does not show. Each hang-up counts towards the
//!   alarm: after 20 of an account in 5 minutes, this layer acknowledges the first deliveries of the account's other
//!   messages. So let these handlers answer within 4 s.
//! - An answer is a failure unless its `ErrCode` is 0: `success` and the failure reply are failures too. A failure is kept
//!   for 11 s. A retry after that runs the push again. If your own [key](Keyed::retried_for) says that the push is retried,
//!   an answer without an `ErrCode` is no failure.
//! - With a [`Store`], a node keeps the reply of another node for 11 s, and then asks the store again.
//! - If the reply was dropped for want of room, a retry runs the push again.
//!
//! A late retry may have the timestamp of the first delivery. [`VerifySignature`](crate::verify) accepts it for 25 hours if
//! it is such a push, and encrypted.
//!
//! At its [bound](self#bounds), a table forgets ordinary messages first, as long as these pushes take no more than half of
//! its room.
//!
//! # Bounds
//!
//! | what | default | at the bound |
//! |---|---|---|
//! | [messages remembered](DedupBuilder::with_capacity) | 100 000 | the message that was claimed first is forgotten; never a running one; messages whose mark lasts for more than an hour only if they take more than half of the room |
//! | [bytes of kept replies](DedupBuilder::with_max_reply_bytes) | 16 MiB | the oldest are dropped; replies that are kept for more than an hour are dropped last; later deliveries get `success` |
//! | [messages running](DedupBuilder::with_max_concurrent_runs) | 1024 | deliveries wait for room in the order of arrival; a delivery that has no room 4.5 s after its arrival gets 503 |
//! | [deliveries waiting for one message](DedupBuilder::with_max_waiters_per_message) | 16 | a further one waits for room, likewise |
//! | messages that only fetch from a mailbox | no bound of their own | they do not count as running, and wait for 16 s at most |
//! | late replies that the sinks have | no bound of their own | they do not count as running; each sink has the [time of a run](DedupBuilder::with_run_timeout) |
//! | smart bots' messages that run for longer than 1 s | 4096 streams | a further one has no stream; the replies in streams, of 1 MiB at most, do not count as kept |
//! | body of the inner service's response | 1 MiB | the run has failed |
//! | replies that wait for the store to come back, late ones among them | 1024 | a further reply is known to this node alone; a further late reply is handed over without the store's confirmation |
//!
//! A large table has up to 16 shards, so that the threads of a server seldom wait for each other. Each has its share of the
//! room, and a message belongs to one by its key. So a shard may be full, and forget its first message, when all together are a
//! few per cent below the bound. Large replies may be dropped long before all together have as many bytes as the bound.
//!
//! The bound on running messages limits the load. To limit the concurrency of the handler alone, put a limit behind this
//! layer, for example with [`MessageService::layer`](crate::MessageService::layer): there, a duplicate takes no permit. Waiting for
//! a permit counts towards the [time of a run](DedupBuilder::with_run_timeout).
//!
//! # Several nodes
//!
//! WeChat's retries come from several addresses, and a load balancer sends them anywhere. With a
//! [`Store`] that all nodes share, a retry joins the run on the other node. A node calls the store:
//!
//! - once when a message is new to the node, and once when the node has run the message,
//! - every second while the node runs the message,
//! - every 50 to 400 ms while the node waits for another node,
//! - every second until a delivery has got the reply, so that a store that has lost its data learns again who has the reply;
//!   until the store has heard it nine times more if the reply is another node's, or if the store has been away,
//! - every second while the node hands a late reply or a rest to the sinks,
//! - every five seconds while the node watches a late reply of another node.
//!
//! The calls after the end of a run carry its whole reply. A rest, a result for a mailbox and a user's turn are messages of
//! their own in the store.
//!
//! A node whose deliveries have all gone away leaves the reply to the node that has run the message. If the store is away,
//! each node goes on with its own table ([`DedupLayer::shared`]).
//!
//! # What stands in front
//!
//! A proxy has to wait for an answer longer than WeChat does (nginx: `proxy_read_timeout` of 7 s or more), to
//! hang up on the server when WeChat hangs up (nginx does by default; not with `proxy_ignore_client_abort on`),
//! and must not send a POST again by itself (nginx: no `non_idempotent` in `proxy_next_upstream`).
//!
//! # Shutting down
//!
//! On a signal, await [`DedupLayer::drain`] while the server still accepts. Then stop accepting, finish the open
//! connections, and exit. WeChat's retries need new connections. So on one node the other order loses replies: the retry
//! is refused, and the user sees the fault text. With a store either order is right, if another node accepts.
//!
//! - Without a sink, a patience of 20 s is enough: a run of 14 s, and 6 s in which the reply is fetched.
//! - With a sink, a run may go on after WeChat's last delivery: give `drain` the
//!   [time of a run](DedupBuilder::with_run_timeout), 60 s by default. It waits for the sinks, too.
//! - A run that goes on after the patience is aborted. If the message has been acknowledged, its reply is lost. The log then has
//!   an error, `a late reply is lost`, with the reason `its message was cut`. Otherwise a retry runs it again on another node, and
//!   the user may see the fault text if that run is not over in time.
//! - A reply that no delivery has fetched by then goes to the sinks. Without any, it stays in the store for the retry.
//! - `drain` may take a second more than its patience, and the open connections need another one. So whatever stops the process
//!   has to wait at least 2 s longer than the patience. systemd waits 90 s, Kubernetes 30 s, but `docker stop` only 10 s.
//! - A user whose new message is answered 503 sees the fault text, unless another node answers a retry. To avoid that, start
//!   another node first, and take this one out of the load balancer.
//! - A [`NextMessage::in_memory`](crate::late::NextMessage::in_memory) loses what it keeps when the process ends.
//! - After a drain, no delivery waits for a reply. So bound the wait for the connections that are still open: a client
//!   that has sent half a request keeps its connection open.
//! - A handler that blocks its thread keeps the runtime from ending. End the process with [`std::process::exit`].
//!
//! A task that the runtime drops loses its message on this node: the lease runs out, and the next delivery runs it
//! elsewhere.
//!
//! # Example
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//! use tower_wechat::{DedupLayer, Delivery, Verified};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! static RUNS: AtomicU32 = AtomicU32::new(0);
//!
//! let service = ServiceBuilder::new()
//!     .layer(DedupLayer::in_memory())
//!     .service_fn(|_: Request<Verified>| async {
//!         RUNS.fetch_add(1, Ordering::SeqCst);
//!         Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("success")))
//!     });
//! for _retry in 0..3 {
//!     let message = "<xml><MsgType>text</MsgType><MsgId>1</MsgId></xml>";
//!     let delivery = Verified::insecure_assume(message, Delivery::new("my-account"));
//!     let response = service.clone().oneshot(Request::new(delivery)).await?;
//!     assert_eq!(response.status(), 200);
//! }
//! assert_eq!(RUNS.load(Ordering::SeqCst), 1);
//! # Ok(())
//! # }
//! ```

mod attempt;
mod clock;
#[cfg(feature = "simulator")]
pub mod contract;
mod conversation;
mod finished;
mod guarded;
mod hand_over;
mod hang_ups;
mod layer;
mod machine;
mod memory;
mod messages;
mod node;
#[cfg(feature = "redis")]
pub mod redis;
mod running;
mod service;
mod shards;
pub mod store;
mod streams;
mod table;
mod turns;
mod waiter;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use self::{
    layer::{Acknowledgement, DedupBuilder, DedupLayer, HasStore, Local, Shared},
    service::{Dedup, ResponseFuture},
    store::Store,
};
pub use crate::{
    key::{Key, Keyed},
    response::StoredResponse,
    run_number::RunNumber,
};
