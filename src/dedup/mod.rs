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
//! | finds no room to run for 15 s | 该公众号提供的服务出现故障 (the service of this account is out of order) |
//!
//! # The life of a message
//!
//! ```text
//! vacant ─claim→ running ─complete→ replied (kept 60 s) → done (a mark, 10 min at least) → vacant
//!                   │                  │ not fetched        ↑ handed over
//!                   └─ acknowledged ───┴────────────────→ late
//! ```
//!
//! 1. The first delivery of a message claims it. The **run** is a task of its own with its own copy of
//!    the request: a client that goes away changes nothing about it.
//! 2. A run that fails (an error, a 5xx response, a panic, more than 60 s) is repeated by its task
//!    after 0.5 s and 2 s, three runs in all. WeChat's own retries are no substitute: after an answer
//!    other than 200 it sends them within about a second, then shows the user a fault text.
//! 3. A delivery of a running message waits for its outcome. A delivery of a finished message gets the
//!    kept reply ([`StoredResponse`]), later `success`.
//! 4. WeChat shows replies to some deliveries only ([`with_reply_filter`](DedupBuilder::with_reply_filter)). These wait
//!    for the outcome, except the *last* one: it is **acknowledged** 4.5 s after its arrival, with the fallback. A
//!    delivery is the last one if it is 9.5 s old, by the longer of two times: since the message was first seen, and since
//!    the timestamp that WeChat signed. If the latest five deliveries all look that old although nobody has seen their
//!    messages before, this machine's clock is ahead: the log has a warning, and the difference is left out. A message to
//!    which WeChat shows no reply, such as most events, is acknowledged 4.5 s after the arrival of its first delivery. So is
//!    every message if a late reply is [as good as a passive one](DedupBuilder::with_acknowledgement).
//! 5. WeChat counts a delivery on which it hangs up as a failure. At 30 of an account in 5 minutes it raises an alarm, and
//!    may stop pushing for a minute. After 20, this layer acknowledges first deliveries too.
//! 6. No delivery waits longer than 6 s: it gets 503 and `Connection: close`. WeChat has hung up by then, and an outcome
//!    that comes after 5 s is left to the next delivery.
//!
//! # Either delivered or handed over
//!
//! A reply is either given to a delivery or handed to the [sinks](DedupBuilder::with_late_replies), never both.
//! The sinks get it if the message has been acknowledged, or if no delivery has fetched it within 6 s. Deliveries that
//! come after that are answered `success`. This holds on one node and among several, as long as the store answers.
//! What a passive reply [does not show](crate::late) is handed over once a delivery has got it, by one of the nodes. If that
//! node is lost meanwhile, another one that has given the reply hands over all of the rest.
//!
//! Such a reply is **late**. A store keeps it for the node that hands it over, for a lease of 5 s at a time. If that node
//! crashes first, the node that gets a delivery after the lease hands the reply over.
//!
//! If the store does not answer, a node asks it for 10 s whose the late reply is, and for 30 s if another node runs the
//! message as well. After that a reply given twice is better than one given never: the node hands it over, and a warning and
//! a metric count it. Likewise if it has acknowledged the message without the store, and a delivery of another node has got
//! the reply: WeChat may not have accepted that answer. A store that loses its data (`FLUSHALL`, eviction, a restart without
//! persistence) may cause a reply to be given twice without a warning.
//!
//! # Guarantee
//!
//! *At least once, with duplicates suppressed*; never "exactly once". A process that dies while a message runs loses its
//! memory: the next delivery, if there is one, runs the message again. Among several nodes, a run that stalls
//! for longer than its lease (5 s) is run by another node as well, and the first run's result is then discarded. A handler
//! that must not do its work twice fences it with the message's id and the [`RunNumber`], which grows with
//! each run, on whichever node it is, as long as the store answers and keeps its data.
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
//! Beside a message's mark stands a [`Fingerprint`](store::Fingerprint) of its plaintext. A delivery with the same key and another fingerprint
//! is answered as a retry, with a warning in the log and a count in `tower_wechat_differing_retries_total`.
//!
//! # Pushes that are retried until they are answered
//!
//! Virtual payment (`xpay_…`) and mini games retry the pushes about goods, coins, refunds and complaints
//! [until they get the answer](crate::message::event#answers-of-virtual-payment) that they want: up to 15 times, over a day.
//! Each retry differs in its `RetryTimes`. So the key of such a push has the order's, refund's or complaint's id in place of
//! the plaintext, and this layer treats the push in another way ([`Keyed::retried_for`]):
//!
//! - Its mark and its reply are kept for 25 hours. All retries get the first run's reply.
//! - It is not acknowledged while it runs: WeChat would take the fallback for a failure. WeChat hangs up, and a retry
//!   gets the reply. No sink gets it. Each hang-up counts towards the alarm: after 20 of an account in 5 minutes, this layer
//!   acknowledges the first deliveries of its other messages. So let these handlers answer within 4 s.
//! - A failure is not final: any answer but an `ErrCode` of 0, such as `success`, or the failure reply after all runs have
//!   failed. It is kept for 11 s; a retry after that runs the message again. To a push of a [key](Keyed::retried_for) of your
//!   own, an answer without an `ErrCode` is no failure.
//! - With a [`Store`], a node keeps the reply of another one for 11 s, and then asks the store again.
//! - If there is no room for its reply, a retry runs it again.
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
//! | [messages remembered](DedupBuilder::with_capacity) | 100 000 | the one that was claimed first is forgotten; a running one never is, and those with a long mark are spared up to half of the room |
//! | [bytes of kept replies](DedupBuilder::with_max_reply_bytes) | 16 MiB | the oldest are dropped, those that are kept long after all others; later deliveries get `success` |
//! | [messages running](DedupBuilder::with_max_concurrent_runs) | 1024 | deliveries wait for room in the order of arrival, until 4.5 s after it, then get 503 |
//! | [deliveries waiting for one message](DedupBuilder::with_max_waiters_per_message) | 16 | a further one waits for room, likewise |
//! | messages that fetch from a mailbox | as many as are remembered | a message that only fetches does not count as running; it waits for 14.5 s at most |
//! | body of the inner service's response | 1 MiB | the run has failed |
//! | replies that wait for the store to come back, late ones among them | 1024 | a further one is known to this node alone; a late one is handed over without the store's word |
//!
//! The bound on running messages is the back-pressure. Put a limit on concurrency behind this
//! layer, where duplicates take no permit of it.
//!
//! # Several nodes
//!
//! WeChat's retries come from several addresses, and a load balancer sends them anywhere. With a
//! [`Store`] that all nodes share, a retry joins the run on the other node: a node asks the store
//! once when a message is new to it, every second while it runs, once when it has run it, and every 50 to 400 ms while
//! it waits for another node. Until a delivery has got the reply, it tells the store every second, so that a store which
//! has lost its data knows again who has the reply. It goes on for 9 s if the reply is another node's, or if the store has
//! been away. A node whose deliveries have all gone away leaves the reply to the node that has run the
//! message. If the store is away, each node goes on with its own table ([`DedupLayer::shared`]).
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
//! - A patience of 20 s is enough for a reply: a run of 14 s, and 6 s in which the reply is fetched. Whatever stops the
//!   process has to wait longer. systemd waits 90 s, Kubernetes 30 s, but `docker stop` only 10 s.
//! - A user whose new message is answered 503 sees the fault text, unless another node accepts.
//! - After a drain, no connection has a message any more. So bound the wait for the open ones: a client that has sent
//!   half a request keeps its connection open.
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
pub mod store;
mod streams;
mod table;
mod turns;
mod waiter;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use self::{
    attempt::RunNumber,
    layer::{Acknowledgement, DedupBuilder, DedupLayer, HasStore, Local, Shared},
    service::{Dedup, ResponseFuture},
    store::Store,
};
pub use crate::{
    key::{Key, Keyed},
    response::StoredResponse,
};
