//! Receive what WeChat (微信) pushes to an Official Account, on any Tower-based server.
//!
//! WeChat POSTs a user's message to the developer's URL, waits 5 seconds, then hangs up and sends it
//! again, three times in all. These layers check that it was WeChat, run the handler once however often
//! the message comes, and give every retry the one reply; the handler sees a typed message.
//!
//! ```no_run
//! use tower::{BoxError, ServiceBuilder};
//! use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};
//!
//! async fn answer(message: Message) -> Result<Reply, BoxError> {
//!     Ok(match message {
//!         Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_else(|| "?".into())),
//!         _ => Reply::success(),
//!     })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let account = Account::encrypted(
//!     "rosebud7",
//!     "wx0a1b2c3d4e5f6071",
//!     "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
//! )?;
//! let wechat = ServiceBuilder::new()
//!     .layer(VerifySignatureLayer::new(account))
//!     .layer(DedupLayer::in_memory())
//!     .service(message_fn(answer));
//! let app = axum::Router::new().route_service("/wechat", wechat);
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How a delivery flows
//!
//! A *delivery* is one HTTP request from WeChat; one message may come in several. A *run* is one
//! execution of the handler.
//!
//! ```text
//! POST /wechat?signature&timestamp&nonce[&encrypt_type=aes&msg_signature]
//!  └ VerifySignature   checks the query, reads the bounded body, opens the envelope  signature, envelope
//!     └ Dedup          one run a message; retries join it or get its reply again     dedup
//!        └ MessageService   plaintext → message                                       handler, message
//!           └ your handler  message → reply                                           reply
//!  ← the reply's XML, addressed to the sender, kept for retries, sealed, 200
//! ```
//!
//! What holds on the way:
//!
//! - Nothing unverified is parsed, remembered or run: the inner layers take only [`Verified`] bodies,
//!   which only [`VerifySignatureLayer`] makes, so the compiler checks the layers' order.
//! - The layers are always ready. An unverified client or a duplicate never holds a permit of a limit
//!   further inside.
//! - A rejection is a response, never an error. Its reason is in the response's extensions and in the
//!   log, never in the body.
//! - All deadlines count from the arrival of the request's head.
//! - State lives in the layer: all services that one layer makes share it.
//!
//! # Parts by themselves
//!
//! Each layer works alone. [`VerifySignatureLayer`] goes around any service that takes [`Verified`] as
//! its request body, such as an axum router whose handlers extract `Bytes`; [`signature::Query`] is the
//! same check without Tower. [`xml`] is a serde format of its own, and the types of [`message`] are
//! read with it: `xml::from_str::<VoiceMessage>(body)`.
//!
//! # Features
//!
//! None is on by default, and turning one on changes nothing that is there without it.
//!
//! - `json`: pushes in WeChat's JSON format, and the bodies of the customer-service API.
//! - `metrics`: counters and times of deliveries and runs through the `metrics` crate, with the names in
//!   `tower_wechat::metrics`.
//! - `redis`: `dedup::RedisStore`, for several nodes.
//! - `simulator`: WeChat's side of the wire, for tests and local development.
//! - `tracing`: spans and events through the `tracing` crate, see [below](#spans-and-events). Without it the crate
//!   logs nothing.
//!
//! # Spans and events
//!
//! With the feature `tracing`, each request to the signature layer has a span `delivery` inside the server's own, and
//! each run has a span `run`, which contains the handler's spans and events. A run goes on after the delivery that
//! started it, and others wait for it, too. So its span is a root that follows from that delivery. All deliveries and
//! runs of one message share its `message_key` on all nodes: the [`Key`](dedup::Key) in hexadecimal.
//!
//! | field | of | value |
//! |---|---|---|
//! | `account` | both | the account's [name](Account::with_name), once no stranger can have chosen it (`tower_wechat::metrics` has the rule) |
//! | `msg_type`, `event`, `msg_id` | both | the message's own, where they look like names and ids |
//! | `message_key` | both | the message's key; absent from deliveries that do not reach dedup |
//! | `outcome` | `delivery` | `rejected`, `url_verified`, `run`, `joined`, `kept_reply`, `done`, `acknowledged`, `turned_away`, `passed`, `failed` or `hung_up` |
//! | `rejection` | `delivery` | the [`RefusalKind`](signature::RefusalKind) |
//! | `status` | `delivery` | the response's |
//! | `number` | `run` | the [`Run`](dedup::Run)'s |
//! | `result` | `run` | `answered`, `failed`, `timed_out`, `panicked`, `lost_lease` or `cut` |
//! | `duration_seconds` | both | from its beginning to its end |
//!
//! Spans are at the level `INFO`. Events:
//!
//! - `ERROR`: needs attention, such as a lost reply or an unreadable body.
//! - `WARN`: may recover by itself, such as a failed run or an unavailable store. Also a rejection after a signature
//!   has been found right: WeChat sent the request or someone copied it, and a setting may be wrong.
//! - `DEBUG`: normal with slow handlers. Also all other rejections: scanners cause them, and the counter
//!   `tower_wechat_rejections_total` (feature `metrics`) tells how many. While setting up, show the crate's `DEBUG`
//!   events: a wrong token rejects every request, and is told nowhere else.
//!
//! No field is a content, a secret or an OpenID. Only events contain texts of errors, which are the handler's or the
//! store's own.
//!
//! # Before it goes live
//!
//! 1. **Mode.** Choose 安全模式 (safe mode) in the console, and [`Account::encrypted`]. Plain mode does not protect
//!    what is in a message. A token or a key is changed without a gap with
//!    [`with_previous_token`](Account::with_previous_token) and
//!    [`with_previous_aes_key`](Account::with_previous_aes_key).
//! 2. **What stands in front.** The URL is on port 80 or 443, over TLS. The proxy passes path, query and body on
//!    as they came, waits for 7 s or more, hangs up when WeChat does, and sends no POST again by itself
//!    ([`dedup`] has nginx' words for that). Its log leaves the query out, which is as good as a signature for
//!    [five minutes](VerifySignatureLayer::with_freshness).
//! 3. **Clock.** A timestamp of more than five minutes from this machine's clock is refused: keep the clock
//!    synchronised. All refused with [`Stale`](signature::RefusalKind::Stale) means that it is not.
//! 4. **Several nodes.** WeChat's retries go to any of them: give them one store
//!    ([`DedupLayer::with_store`]), a Redis with `noeviction` and a prefix of its own for each deployment, or else a
//!    retry on another node runs the message again.
//! 5. **The handler.** It has about 14 s for an answer that the user sees as the reply, and
//!    [60 s](DedupLayer::with_run_timeout) in all. It may run again after a crash, so what must not
//!    happen twice is fenced by the message's id and the [`Run`](dedup::Run)'s number.
//! 6. **Late replies.** Say what becomes of them: [`with_late_reply`](DedupLayer::with_late_reply) and the
//!    customer-service API, or a [`with_fallback`](DedupLayer::with_fallback) that asks the user to write again.
//! 7. **Limits.** [`dedup`] lists its bounds and what happens there; a body has
//!    [64 KiB and 2 s](VerifySignatureLayer::with_body_limit). A limit on concurrency belongs behind
//!    [`DedupLayer`], where duplicates take no permit of it.
//! 8. **Shutdown.** Stop accepting, then [`drain`](DedupLayer::drain), then exit:
//!
//!    ```no_run
//!    # use std::{convert::Infallible, time::Duration};
//!    # use tower_wechat::DedupLayer;
//!    # async fn serve(app: axum::Router, dedup: DedupLayer, signal: impl Future<Output = ()> + Send + 'static)
//!    # -> std::io::Result<()> {
//!    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!    axum::serve(listener, app).with_graceful_shutdown(signal).await?;
//!    dedup.drain(Duration::from_secs(20)).await;
//!    # Ok(())
//!    # }
//!    ```
//! 9. **What to watch.** Errors in the log: replies that WeChat would refuse, bodies that cannot be read, messages whose
//!    runs have all failed, a store that is away. A rejection at `WARN` had a signature that holds.
//! 10. **A test.** [`simulator`](crate#features) delivers to the finished stack as WeChat does, and says what the user
//!     would see.
//!
//! # Threat model
//!
//! - **Anyone on the internet** may send requests. They cost a hash and a bounded read of the query
//!   until the signature is right; the body is read, within its limit and time, only then. WeCom signs nothing
//!   but ciphertexts, so for its accounts the body is read first.
//! - **Whoever has seen a delivery** may send it again until its timestamp is too old; dedup takes it for
//!   a retry. In plain mode the signed query does not cover the body: they may send any message under
//!   it. An encrypted account accepts nothing but what the key's holder has encrypted for it. Serve the
//!   URL over TLS, and keep query strings out of logs that others read.
//! - **A user** chooses the text in a message, and WeChat does not escape it. It cannot replace another
//!   field, unless it stands between two that they have chosen, such as the app id in a shared page of a mini
//!   program; it may add one that is absent otherwise ([`xml`] says how).
//! - **Logs and errors** hold no tokens, no signatures and no contents. An [`xml::Error`] shown whole
//!   quotes at most 32 characters of what it found; the log gets its kind, offset and path alone.

pub mod account;
pub mod dedup;
pub mod envelope;
pub mod handler;
pub mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
mod observe;
pub mod reply;
pub mod signature;
#[cfg(feature = "simulator")]
pub mod simulator;
mod timestamp;
pub mod xml;

pub use account::Account;
pub use dedup::DedupLayer;
pub use handler::{MessageService, message_fn};
pub use message::Message;
pub use reply::Reply;
pub use signature::{Verified, VerifySignatureLayer};
pub use timestamp::Timestamp;

#[cfg(all(doctest, feature = "simulator"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(doctest, feature = "simulator"))]
#[doc = include_str!("../README.zh-CN.md")]
mod readme_in_chinese {}
