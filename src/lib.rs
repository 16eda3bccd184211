//! Receives the callbacks that WeChat (微信) sends for an Official Account, on any Tower-based server.
//!
//! WeChat sends a user's message to your URL as a `POST` and waits 5 seconds for the answer. Then it hangs up and sends
//! the message again, about three times in all. The layers of this crate check that a request is from WeChat. They run the
//! handler once for each message, and give every retry the same reply. The handler gets a typed message.
//!
//! ```no_run
//! use tower::ServiceBuilder;
//! use tower_wechat::{Account, DedupLayer, Message, Reply, VerifySignatureLayer, message_fn};
//! use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};
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
//! // Prints what goes wrong, and each delivery and run when it ends. It needs the feature `tracing`.
//! tracing_subscriber::fmt()
//!     .with_max_level(LevelFilter::DEBUG)
//!     .with_span_events(FmtSpan::CLOSE)
//!     .init();
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
//! # Where to read on
//!
//! The [guides](_guide) answer one question each, also [in Chinese](_guide::zh): [voice](_guide::voice),
//! [retries](_guide::retries), [late answers](_guide::late), [several nodes](_guide::nodes), [going live](_guide::going_live),
//! [testing](_guide::testing), [parts alone](_guide::parts), [without Tower](_guide::without_tower),
//! [migrating](_guide::migrating) from other SDKs, [a comparison](_guide::comparison) with them, and
//! [figures](_guide::figures).
//!
//! | module | what it does |
//! |---|---|
//! | [`account`] | Holds the console's values, and says which setting is wrong. |
//! | [`verify`] | Lets only requests through that WeChat has signed. |
//! | [`callback`] | Makes the same checks as pure functions, without Tower. |
//! | [`dedup`] | Runs the handler once for each message, and gives retries its reply. |
//! | [`late`] | Brings replies to the user that are late or too long. |
//! | [`handler`] | Calls the handler with a typed message, and renders its reply. |
//! | [`message`] | Has a type for each message and event that WeChat sends. |
//! | [`reply`] | Has the types of replies, and checks them against WeChat's limits. |
//! | [`xml`] | Reads and writes WeChat's dialect of XML, as a serde format. |
//! | `api` | Calls WeChat's API: access token, media, customer-service messages. |
//! | `recognize` | Gives voice messages their words. |
//! | `metrics` | Names the metrics, and alerts on them. |
//! | `simulator` | Acts as WeChat, in your tests. |
//!
//! # How a delivery flows
//!
//! A *delivery* is one HTTP request from WeChat. One message may come in several deliveries. A *run* is one
//! execution of the handler. A `POST` passes through each module once:
//!
//! ```text
//! POST /wechat?signature&timestamp&nonce[&encrypt_type=aes&msg_signature]
//!  │
//!  ├ verify      VerifySignature   picks the account, reads the bounded body
//!  │  ├ account                    the token and the key to check with
//!  │  ├ callback                   query, signature, envelope: pure checks
//!  │  └ delivery                   Verified: the plaintext, its Delivery, its head (parsed once)
//!  ├ dedup       Dedup             one run for each message; retries join it or get its reply
//!  │  └ late                       a reply that is too late or too long goes to the user in another way
//!  └ handler     MessageService    plaintext → message, reply → response
//!     ├ message, xml               the typed message
//!     ├ recognize                  a voice message gets its words, if you add the layer
//!     ├ your handler               message → anything that implements IntoReply
//!     └ reply, response            the reply's XML, addressed to the sender
//!  ← dedup keeps the response for retries, verify encrypts it: 200
//! ```
//!
//! `observe` logs and counts along the way. `simulator` is WeChat's side of the wire. `api` calls WeChat's API. A module
//! imports only modules below it in this diagram.
//!
//! The layers guarantee:
//!
//! - Nothing unverified is parsed, remembered or run. The inner layers take only [`Verified`] bodies, which
//!   [`VerifySignatureLayer`] makes. So the compiler checks the order of the layers.
//! - The layers are always ready. An unverified request or a duplicate never takes a permit of an inner limit.
//! - A rejection is a response, never an error. Its reason is in the response's extensions and in the
//!   log, never in the body.
//! - All deadlines count from the arrival of the request's head.
//! - State lives in the layer. All services that one layer makes share it.
//!
//! # Features
//!
//! Only `layers` is on by default. Without it, only [`xml`], [`message`] and [`reply`] are built, on at most 11 other
//! crates. A feature adds to the crate and does not change another feature, with one exception: `json` makes dedup
//! identify a JSON message by its MsgId instead of its whole body. So nodes that share a store need the same features.
//!
//! - `api`: calls to WeChat's API, over an HTTP client of your choice: the access token, media files and recordings,
//!   customer-service messages. `tower_wechat::api` has an example. `tower_wechat::late::CustomerService` sends late and long
//!   replies. `tower_wechat::recognize` has voice messages recognized before the handler sees them.
//! - `json`: pushes in WeChat's JSON format, and request bodies for the customer-service API.
//! - `layers` (default): the Tower layers and the checks that they make.
//! - `metrics`: counts and durations of deliveries and runs, through the `metrics` crate. `tower_wechat::metrics` lists
//!   the names.
//! - `redis`: `dedup::RedisStore` and `late::mailbox::RedisMailbox`, which share deduplication state and late replies
//!   between nodes.
//! - `simulator`: WeChat's side of the wire, pushes and API, for tests and local development. It turns on `api`.
//! - `tracing`: [spans and events](#spans-and-events) through the `tracing` crate. Without it the crate logs nothing.
//!
//! # Spans and events
//!
//! With the feature `tracing`, each request to the verifying layer has a span `delivery` inside the server's own span.
//! Each run has a span `run`, which contains the handler's spans and events. A run can outlive the delivery that
//! started it, and other deliveries wait for it too. So its span is a root span. The span of the first run follows from that
//! of the delivery.
//!
//! All deliveries and runs of one message have the same `message_key` on all nodes. It is the message's
//! [`Key`](dedup::Key) in hexadecimal.
//!
//! | field | of | value |
//! |---|---|---|
//! | `account` | both | the account's [name](Account::with_name) |
//! | `msg_type`, `event`, `msg_id` | both | as in the message, if it has 1 to 64 characters, all of them ASCII letters, digits or `_` |
//! | `message_key` | both | the message's key; empty if the delivery never reached dedup |
//! | `outcome` | `delivery` | `rejected`, `url_verified`, `run`, `joined`, `kept_reply`, `done`, `acknowledged`, `polled`, `turned_away`, `passed`, `failed` or `hung_up` |
//! | `rejection` | `delivery` | the [`RejectionKind`](verify::RejectionKind) in snake case |
//! | `status` | `delivery` | the response's status |
//! | `number` | `run` | the [`RunNumber`](dedup::RunNumber) |
//! | `result` | `run` | `answered`, `failed`, `timed_out`, `panicked`, `lost_lease` or `cut` |
//! | `duration_seconds` | both | from start to end |
//!
//! A late reply has events with its `message_key`: why it is late, and where its parts have gone.
//!
//! Each call of an `Api` has a span `api_call` inside the caller's span, with the fields `app_id` and `call`. The fetch of an
//! access token has its own, inside the span of the call that needs it first. A recognition has a span `recognize` with the
//! field `account`, around its call.
//!
//! Spans are at the level `INFO`. Events have these levels:
//!
//! - `ERROR` needs attention: an error that the handler returns, a message whose runs have all failed, a lost reply, an
//!   unreadable body, and a mode, an EncodingAESKey or an app id that is not the console's.
//! - `WARN` may recover by itself: one failed run, an unavailable store. It also reports a message that does not fit its
//!   type, bytes that are not UTF-8, and a request that is rejected after its signature was valid.
//! - `INFO` shows that all is well: WeChat has verified the URL, a message has been answered with a reply or without one,
//!   an unavailable store is available again.
//! - `DEBUG` is normal: slow handlers, and rejected requests that anyone may have sent.
//!
//! No field holds message contents, a secret or an OpenID. Only events contain the text of an error. It comes from your
//! handler, the inner service, the recognizer or the store, and is logged as it is. The text of a failed call to WeChat's
//! API is logged without token, secret and OpenID. The path of a decode error consists of element names. A text that leaves
//! its section can invent such a name, so a few of a user's words may stand there ([`xml`] says how).
//!
//! # Threat model
//!
//! - **Anyone on the internet** may send requests. Until its signature is valid, a request costs a bounded read of the
//!   query and a hash for each token. Only then is the body read, within its limits of size and time. A push to an
//!   encrypted account may have no signature but that of its ciphertext, as WeCom's always do. Then the body is read
//!   first, and costs at most ten hashes for each token, linear in its size.
//! - **An observer of a delivery** may replay it until its timestamp is too old. Dedup treats the copy as a retry. In
//!   plain mode the signature does not cover the body, so the observer may send any message with the captured query. An
//!   encrypted account accepts only what a holder of the key has encrypted for it, and nothing beside the ciphertext
//!   decides anything. Serve the URL over TLS, and keep query strings out of logs that others can read.
//! - **A user** chooses the text in a message, and WeChat does not escape it. The text arrives as typed; it adds, hides
//!   and replaces no field. A message that allows two readings is rejected as a decode error. In a message of a type
//!   whose typed fields are not known, two such texts can hide or replace the fields between them ([`xml`] lists what
//!   is not protected).
//! - **Logs, metrics and the crate's errors** contain no tokens, signatures or message contents, with one exception:
//!   the message of an [`xml::Error`] quotes at most 32 characters of its input. The log gets only its kind, offset and
//!   path. Metrics are labelled with the names of your accounts; a stranger cannot make one up.

// On docs.rs, each item names the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "layers")]
pub mod account;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "layers")]
mod body;
#[cfg(feature = "layers")]
mod breaker;
#[cfg(feature = "layers")]
mod call;
#[cfg(feature = "layers")]
pub mod callback;
#[cfg(feature = "simulator")]
mod contract;
#[cfg(feature = "layers")]
pub mod dedup;
#[cfg(feature = "layers")]
mod delivery;
#[cfg(feature = "layers")]
pub mod handler;
#[cfg(feature = "layers")]
mod key;
#[cfg(feature = "layers")]
pub mod late;
pub mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "layers")]
mod observe;
#[cfg(feature = "layers")]
mod partial;
#[cfg(feature = "api")]
pub mod recognize;
#[cfg(feature = "redis")]
mod redis;
pub mod reply;
#[cfg(feature = "layers")]
mod response;
#[cfg(feature = "layers")]
mod run_number;
#[cfg(feature = "simulator")]
pub mod simulator;
mod timestamp;
#[cfg(feature = "layers")]
mod user_fn;
#[cfg(feature = "layers")]
pub mod verify;
pub mod xml;

// Only docs need it. Its examples need all of these features.
#[cfg(all(doc, any(not(doctest), all(feature = "redis", feature = "simulator"))))]
pub mod _guide;

#[cfg(feature = "layers")]
pub use self::{
    account::Account,
    dedup::DedupLayer,
    delivery::{Delivery, Verified, VerifiedBody},
    handler::{MessageService, message_fn},
    response::ResponseBody,
    verify::VerifySignatureLayer,
};
#[cfg(feature = "api")]
pub use self::{api::Api, recognize::RecognizeLayer};
pub use self::{message::Message, reply::Reply, timestamp::Timestamp};

#[cfg(all(doctest, feature = "redis", feature = "simulator"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(doctest, feature = "redis", feature = "simulator"))]
#[doc = include_str!("../README.zh-CN.md")]
mod readme_in_chinese {}
