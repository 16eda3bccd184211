//! One run for each message, however often WeChat delivers it: [`DedupLayer`].
//!
//! WeChat waits 5 seconds for an answer, then hangs up and delivers the message again, three times in all.
//! Behind this layer the handler runs once; each delivery that comes meanwhile joins the run and gets
//! *its* reply, and each that comes later gets the reply that was kept. So a handler has the time of
//! all deliveries together, about 14 s, and the user still gets its answer as the passive reply:
//!
//! ```text
//!  0 s  first delivery  → claims the message; the run starts
//!  5 s  WeChat hangs up                        the run goes on
//!  5 s  second delivery → joins the run
//!  8 s                    the handler answers → so does the second delivery: the user sees the reply
//! ```
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
//!    other than 200 it sends them within about a second, then shows the user a fault. After the last
//!    failure, the outcome is `success`, which shows the user nothing, and an error is in the log.
//! 3. A delivery of a running message waits for its outcome. One of a message that has ended gets the
//!    kept reply, later `success`.
//! 4. No delivery waits longer than 6 s: 503 and `Connection: close`. WeChat has hung up by then.
//!
//! The promise is *at least once, with duplicates suppressed*: never "exactly once". A process that
//! dies in mid-run loses what it knew, and the next delivery runs the message again.
//! [`Run::number`], in the request's extensions, tells a handler of repetitions within one process.
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
//! | messages remembered | 100 000 | the one that ended first is forgotten; a running one never is |
//! | bytes of kept replies | 16 MiB | the oldest replies are dropped, their marks stay |
//! | messages running | 1024 | a delivery waits for room until 4.5 s after its arrival, then 503 |
//! | deliveries waiting for one message | 16 | likewise |
//!
//! The bound on running messages is the back-pressure. A limit on concurrency belongs behind this
//! layer, where no duplicate takes a permit of it.
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

mod key;
mod layer;
mod outcome;
mod run;
mod service;
mod state;
mod table;

pub use self::{
    key::Key,
    layer::DedupLayer,
    run::Run,
    service::{Dedup, ResponseFuture},
};
pub(crate) use run::Failure;
