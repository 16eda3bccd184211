//! One run for each message, however often WeChat delivers it: [`DedupLayer`].
//!
//! A **delivery** is one HTTP request from WeChat. WeChat waits 5 seconds for its answer, then hangs up and
//! delivers the message again, about three times in all. A **run** is one execution of the inner service.
//! Behind this layer there is one run, and whichever delivery is there when it ends takes the reply along. So
//! a handler has about 14 s instead of 5, and its answer is still the passive reply:
//!
//! ```text
//!             0 s          5 s         10 s       14.5 s
//! deliveries  ├──── 1 ─────┼──── 2 ─────┼──── 3 ────┤
//! one run     ├────────────────┤ 7 s                        delivery 2 takes the reply along
//! another     ├─────────────────────────────┤ 12 s           delivery 3 does
//! a third     ├───────────────────────────────────────┤ 17 s delivery 3 has been acknowledged:
//!                                                            the late-reply hook gets the reply
//! ```
//!
//! # When a user sees what
//!
//! | the handler … | the user sees |
//! |---|---|
//! | returns a reply within 14 s | the reply |
//! | returns a reply later | the [fallback](DedupLayer::with_fallback), by default nothing; then what the [late-reply hook](DedupLayer::with_late_reply) sends |
//! | fails, and succeeds when it is run again | the reply |
//! | fails three times | the fallback |
//! | returns [`Reply::success`](crate::Reply::success) | nothing |
//! | gets no room to run for 15 s | 该公众号提供的服务出现故障 (the service of this account is out of order) |
//!
//! # What becomes of a message
//!
//! ```text
//! vacant ─claim→ running ─complete→ replied (kept 60 s) → done (a mark, 10 min at least) → vacant
//! ```
//!
//! 1. The first delivery of a message claims it. The **run** is a task of its own with its own copy of
//!    the request: no client that goes away changes anything about it.
//! 2. A run that fails (an error, a 5xx response, a panic, more than 60 s) is repeated by its task,
//!    after 0.5 s and 2 s, three runs in all. WeChat's own retries are no substitute: after an answer
//!    other than 200 it sends them within about a second, then shows the user a fault.
//! 3. A delivery of a running message waits for its outcome. One of a message that has ended gets the
//!    kept reply, later `success`.
//! 4. A delivery that WeChat shows the answer to ([`with_answerable`](DedupLayer::with_answerable)) is not
//!    answered before there is an outcome, unless it is the *last* one: then it is **acknowledged** 4.5 s
//!    after its arrival, with the fallback. The last one is 9.5 s old, by the longer of two times: since the message
//!    was first seen, and since the timestamp that WeChat signed. What WeChat shows no answer to, such as most
//!    events, is acknowledged 4.5 s after the arrival of its first delivery.
//! 5. To WeChat a delivery that it hangs up on is a failure: 30 of an account in 5 minutes ring an alarm, and
//!    it may stop pushing for a minute. After 20, first deliveries are acknowledged too.
//! 6. No delivery waits longer than 6 s: 503 and `Connection: close`. WeChat has hung up by then, and an outcome
//!    that comes after 5 s is left to the next delivery.
//!
//! # Either delivered or handed over
//!
//! A reply goes one way. Either a delivery takes it along, or the message has been acknowledged and the reply
//! goes to the [late-reply hook](DedupLayer::with_late_reply); what no delivery has come for within 6 s goes to
//! the hook too, and deliveries that come after that are answered `success`. This holds on one node and among
//! several, as long as the store answers.
//!
//! The hook gets what it takes to send the reply with the customer-service API (客服消息), which has 48 hours for
//! the answer to a message and one minute after a menu click, a scan or a subscription. An account that has
//! no such API can ask the user to write again ([`with_fallback`](DedupLayer::with_fallback)) and keep the
//! late reply for that message.
//!
//! # What is promised
//!
//! *At least once, with duplicates suppressed*: never "exactly once". A process that dies in mid-run takes its
//! memory along: the next delivery, if there is one, runs the message again. Among several nodes a run that stalls
//! for longer than its lease (5 s) is run by another node as well; what the first one comes to is then dropped. A handler
//! that must not do its work twice fences it with the message's id and the number of its [`Run`], which grows with
//! each run, on whichever node it is, as long as the store answers and keeps its data.
//!
//! # Which deliveries are one message
//!
//! Those with the same [`Key`]. It begins with the account's [name](crate::Account::with_name). For
//! messages it goes on with the `MsgId`, sender, receiver and creation time, since one `MsgId` has been seen
//! with several users. Everything else, such as events, is known by its whole plaintext: events that
//! differ in nothing but one field have been seen within one second, and what the documentation calls
//! their identity (`FromUserName` and `CreateTime`) has made others drop real ones.
//! [`DedupLayer::with_key`] replaces it.
//!
//! # Bounds
//!
//! | what | default | at the bound |
//! |---|---|---|
//! | messages remembered | 100 000 | the one that was over first is forgotten; a running one never is |
//! | bytes of kept replies | 16 MiB | the oldest replies are dropped, their marks stay |
//! | messages running | 1024 | a delivery waits for room until 4.5 s after its arrival, then 503 |
//! | deliveries waiting for one message | 16 | likewise |
//! | outcomes that wait for the store to come back | 1024 | further ones are known to this node alone |
//!
//! The bound on running messages is the back-pressure. A limit on concurrency belongs behind this
//! layer, where no duplicate takes a permit of it.
//!
//! # Several nodes
//!
//! WeChat's retries come from several addresses, and a load balancer sends them anywhere. With a
//! [`Store`](store::Store) that all nodes share, a retry joins the run on the other node: a node asks the store
//! once when a message is new to it, once when it has run it, and every 50 to 400 ms while it waits for
//! another. If the store is away, each node goes on with its own table
//! ([`with_store`](DedupLayer::with_store)).
//!
//! # What stands in front
//!
//! A proxy has to wait for an answer longer than WeChat does (nginx: `proxy_read_timeout` of 7 s or more), to
//! hang up on the server when WeChat hangs up (nginx does by default; not with `proxy_ignore_client_abort on`),
//! and must not send a POST again by itself (nginx: no `non_idempotent` in `proxy_next_upstream`).
//!
//! # Shutting down
//!
//! [`DedupLayer::drain`] is for the time between the last accepted connection and the end of the process. A task
//! that the runtime drops is a message lost on this node: its lease runs out, and the next delivery runs it elsewhere.
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
//! use tower_wechat::{DedupLayer, Verified};
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
//!     let delivery = Verified::assume("<xml><MsgType>text</MsgType><MsgId>1</MsgId></xml>");
//!     let response = service.clone().oneshot(Request::new(delivery)).await?;
//!     assert_eq!(response.status(), 200);
//! }
//! assert_eq!(RUNS.load(Ordering::SeqCst), 1);
//! # Ok(())
//! # }
//! ```

mod deliver;
mod fallback;
mod hang_ups;
mod key;
mod late;
mod layer;
mod outcome;
#[cfg(feature = "redis")]
pub mod redis;
mod remote;
mod run;
mod service;
mod state;
pub mod store;
mod table;
mod task;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use self::{
    key::Key,
    late::{LateCause, LateReply},
    layer::DedupLayer,
    outcome::Outcome,
    run::Run,
    service::{Dedup, ResponseFuture},
};
pub(crate) use run::Failure;
