//! Receive what WeChat (微信) pushes to an Official Account, on any Tower-based server.
//!
//! WeChat POSTs a user's message to the developer's URL, waits 5 seconds, then hangs up and sends it
//! again, three times in all. These layers check that the request is from WeChat, run the handler once however often
//! the message comes, and give every retry the same reply. The handler gets a typed message.
//!
//! ```no_run
//! use tower::ServiceBuilder;
//! use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};
//!
//! async fn answer(message: Message) -> Reply {
//!     match message {
//!         Message::Voice(voice) => Reply::text(voice.recognition.unwrap_or_else(|| "?".into())),
//!         _ => Reply::success(),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
//! A *delivery* is one HTTP request from WeChat. One message may come in several deliveries. A *run* is one
//! execution of the handler. A `POST` enters each module once:
//!
//! ```text
//! POST /wechat?signature&timestamp&nonce[&encrypt_type=aes&msg_signature]
//!  │
//!  ├ verify      VerifySignature   picks the account, reads the bounded body
//!  │  ├ account                    the token and the key to check with
//!  │  ├ callback                   query, signature, envelope: pure checks
//!  │  └ delivery                   Verified: the plaintext, its Delivery, its head (parsed once)
//!  ├ dedup       Dedup             one run a message; retries join it or get its reply again
//!  └ handler     MessageService    plaintext → message, reply → response
//!     ├ message, xml               the typed message
//!     ├ your handler               message → anything that is IntoReply
//!     └ reply, response            the reply's XML, addressed to the sender
//!  ← kept by dedup for retries, sealed by verify, 200
//! ```
//!
//! `observe` logs and counts on the way, and `simulator` is WeChat's side of the wire. Imports go down this list and
//! never up.
//!
//! These hold on the way:
//!
//! - Nothing unverified is parsed, remembered or run. The inner layers take only [`Verified`] bodies,
//!   which only [`VerifySignatureLayer`] makes, so the compiler checks the layers' order.
//! - The layers are always ready. An unverified request or a duplicate never holds a permit of a limit
//!   further inside.
//! - A rejection is a response, never an error. Its reason is in the response's extensions and in the
//!   log, never in the body.
//! - All deadlines count from the arrival of the request's head.
//! - State lives in the layer: all services that one layer makes share it.
//!
//! # Parts by themselves
//!
//! Each layer works alone. [`VerifySignatureLayer`] goes around any service that takes [`Verified`] as
//! its request body, such as an axum router whose handlers extract `Bytes`. [`callback`] makes the
//! same checks without Tower. [`xml`] is a serde format of its own, and reads the types of [`message`]:
//! `xml::from_str::<VoiceMessage>(body)`. With `default-features = false`, only these two and [`reply`] are built, on at
//! most 11 other crates.
//!
//! # Features
//!
//! `layers` alone is on by default. Features add; turning one on never changes what another does, but for one thing: with
//! `json`, a push in JSON has a head, and dedup knows it by its MsgId. Nodes that share a store need the same features.
//!
//! - `json`: pushes in WeChat's JSON format, and the bodies of the customer-service API.
//! - `layers` (default): the Tower layers, and the checks that they make.
//! - `metrics`: counters and times of deliveries and runs through the `metrics` crate, with the names in
//!   `tower_wechat::metrics`.
//! - `redis`: `dedup::RedisStore`, for several nodes.
//! - `simulator`: WeChat's side of the wire, for tests and local development.
//! - `tracing`: spans and events through the `tracing` crate, see [below](#spans-and-events). Without it the crate
//!   logs nothing.
//!
//! # Spans and events
//!
//! With the feature `tracing`, each request to the verifying layer has a span `delivery` within the server's own span, and
//! each run has a span `run`, which contains the handler's spans and events. A run goes on when the delivery that started
//! it is over, and other deliveries wait for it too. So its span is a root that follows from that delivery's span. All
//! deliveries and runs of one message, on whichever node, have the same `message_key`, the [`Key`](dedup::Key) in
//! hexadecimal.
//!
//! | field | of | value |
//! |---|---|---|
//! | `account` | both | the account's [name](Account::with_name) |
//! | `msg_type`, `event`, `msg_id` | both | as in the message, if it looks like a name or an id |
//! | `message_key` | both | the message's key; none for a delivery that never came to dedup |
//! | `outcome` | `delivery` | `rejected`, `url_verified`, `run`, `joined`, `kept_reply`, `done`, `acknowledged`, `turned_away`, `passed`, `failed` or `hung_up` |
//! | `rejection` | `delivery` | the [`RejectionKind`](verify::RejectionKind) |
//! | `status` | `delivery` | the response's |
//! | `number` | `run` | the [`RunNumber`](dedup::RunNumber) |
//! | `result` | `run` | `answered`, `failed`, `timed_out`, `panicked`, `lost_lease` or `cut` |
//! | `duration_seconds` | both | from its beginning to its end |
//!
//! Spans are at the level `INFO`. Events have these levels:
//!
//! - `ERROR` needs attention: a lost reply, an unreadable body.
//! - `WARN` may recover by itself: a failed run, an unavailable store. So does a rejection after a signature held, which
//!   a wrong setting causes.
//! - `DEBUG` is normal: slow handlers, and rejections of requests that anyone may have sent.
//!
//! No field holds contents, a secret or an OpenID. The text of an error stands in events alone. It is your handler's or
//! the store's own, and is logged as it is.
//!
//! # Before it goes live
//!
//! 1. **Mode.** Choose 安全模式 (safe mode) in the console, and [`Account::encrypted`]. Plain mode does not protect
//!    the contents of a message. [`with_previous_token`](Account::with_previous_token) and
//!    [`with_previous_aes_key`](Account::with_previous_aes_key) change a token or a key without a gap.
//! 2. **Proxy.** The URL is on port 80 or 443, over TLS. The proxy passes path, query and body on
//!    unchanged, waits for 7 s or more, hangs up when WeChat does, and never repeats a POST by itself
//!    ([`dedup`] has the nginx directives). Its log leaves out the query, which is as good as a signature for
//!    [five minutes](VerifySignatureLayer::with_timestamp_tolerance). The server or the proxy bounds the time that a
//!    client takes for the head of a request.
//! 3. **Clock.** A timestamp of more than five minutes from this machine's clock is rejected: keep the clock
//!    synchronised. If all deliveries are rejected with [`Timestamp`](callback::ErrorKind::Timestamp), it is not.
//! 4. **Several nodes.** WeChat's retries reach any of them. Give them one store
//!    ([`DedupLayer::shared`]), a Redis with `noeviction` and a prefix of its own for each deployment. Otherwise a
//!    retry on another node runs the message again.
//! 5. **The handler.** It has about 14 s for an answer that the user sees as the reply, and
//!    [60 s](dedup::DedupBuilder::with_run_timeout) in all. It may run again after a crash, so fence work that must not
//!    happen twice with the message's id and the [`RunNumber`](dedup::RunNumber).
//! 6. **Late replies.** Decide how they reach the user: [`with_late_reply`](dedup::DedupBuilder::with_late_reply) and the
//!    customer-service API, or a [`with_fallback`](dedup::DedupBuilder::with_fallback) that asks the user to write again.
//! 7. **Limits.** [`dedup`] lists its bounds and what happens there. A body has
//!    [64 KiB and 2 s](VerifySignatureLayer::with_body_limit), an inner service's response 1 MiB. A limit on concurrency
//!    belongs behind [`DedupLayer`], where duplicates take no permit of it.
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
//! 9. **Monitoring.** Watch for errors in the log: replies that WeChat would refuse, bodies that cannot be read, messages
//!    whose runs have all failed, lost replies. Watch the warnings for an unavailable store and for signed callbacks that
//!    are rejected.
//! 10. **A test.** The [`simulator`](crate#features) delivers to the finished stack as WeChat does, and says what the user
//!     would see.
//!
//! # Threat model
//!
//! - **Anyone on the internet** may send requests. Until the signature holds, a request costs a hash and a bounded read of
//!   the query. Only then is the body read, within its limit and time. WeCom signs nothing
//!   but ciphertexts, so for its accounts the body is read first.
//! - **An observer of a delivery** may replay it until its timestamp is too old; dedup treats it as
//!   a retry. In plain mode the signed query does not cover the body: the observer may send any message with
//!   it. An encrypted account accepts nothing but what the key's holder has encrypted for it. Serve the
//!   URL over TLS, and keep query strings out of logs that others read.
//! - **A user** chooses the text in a message, and WeChat does not escape it. The text cannot replace another
//!   field, unless that field stands between two texts of the user, as the app id of a shared mini-program page does. It
//!   may add a field that is otherwise absent ([`xml`] says how).
//! - **Logs, metrics and errors** hold no tokens, no signatures and no contents. Labels are names of your accounts, never
//!   a stranger's choice. An [`xml::Error`] shown whole
//!   quotes at most 32 characters of its input; the log gets its kind, offset and path alone.

#[cfg(feature = "layers")]
pub mod account;
#[cfg(feature = "layers")]
mod body;
#[cfg(feature = "layers")]
pub mod callback;
#[cfg(feature = "layers")]
pub mod dedup;
#[cfg(feature = "layers")]
mod delivery;
#[cfg(feature = "layers")]
pub mod handler;
pub mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "layers")]
mod observe;
pub mod reply;
#[cfg(feature = "layers")]
mod response;
#[cfg(feature = "simulator")]
pub mod simulator;
mod timestamp;
#[cfg(feature = "layers")]
pub mod verify;
pub mod xml;

#[cfg(feature = "layers")]
pub use self::{
    account::Account,
    dedup::DedupLayer,
    delivery::{Delivery, Verified, VerifiedBody},
    handler::{MessageService, message_fn},
    response::ResponseBody,
    verify::VerifySignatureLayer,
};
pub use self::{message::Message, reply::Reply, timestamp::Timestamp};

#[cfg(all(doctest, feature = "simulator"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(doctest, feature = "simulator"))]
#[doc = include_str!("../README.zh-CN.md")]
mod readme_in_chinese {}
