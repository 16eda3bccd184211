//! Middleware that refuses callbacks WeChat has not signed.
//!
//! [`VerifySignature`] answers WeChat's verification of the callback URL, reads the bounded body of a
//! delivery and calls the inner service with [`Request<Verified>`](Verified). Everything else it answers
//! itself, and the inner service does not learn of it.
//!
//! A request is decided in this order; the first rule it breaks is the answer:
//!
//! 1. There is an account for it ([`VerifySignatureLayer::with_accounts`]), or 404.
//! 2. Its method is `GET` or `POST`, or 405.
//! 3. Its query has each signed parameter at most once and in its one form, see [`Query::parse`], or
//!    400. Other parameters, such as `openid`, are ignored.
//! 4. `signature` is the SHA-1 of one of the account's tokens, `timestamp` and `nonce`, compared in
//!    constant time, or 403.
//! 5. `timestamp` is at most 300 s before or after the present
//!    ([`with_freshness`](VerifySignatureLayer::with_freshness)), or 403.
//! 6. An encrypted account's `POST` has a `msg_signature` and no `encrypt_type` but `aes`, or 400. WeCom's requests
//!    have no `signature`; theirs is checked with the ciphertext.
//! 7. A `GET` has an `echostr` of 1 to 256 visible ASCII characters, or 400. It is the answer: 200,
//!    `text/plain`, `nosniff`. WeCom's is encrypted, and what it decrypts to is the answer.
//! 8. A `POST` has a body, not empty and not broken off, or 400; of at most 64 KiB
//!    ([`with_body_limit`](VerifySignatureLayer::with_body_limit)), or 413; the whole of it there within
//!    2 s of the request's head ([`with_body_timeout`](VerifySignatureLayer::with_body_timeout)), or 408.
//! 9. The body of an encrypted account can be [opened](crate::envelope#what-is-checked-in-this-order): 403 if its
//!    `msg_signature` is wrong, 400 for whatever else is wrong with it.
//!
//! Not a byte of the body is read before rule 8. Refusals have an empty body; why a request was refused
//! stands in the response's extensions as a [`Refusal`], and with the account's name in the log, never
//! in the answer.
//!
//! What passes is given to a clone of the inner service once that is ready: the layer itself always is,
//! and who cannot sign takes no permit of an inner limit. The request keeps its head and gains a
//! [`Delivery`] in its extensions. The inner service's response is collected, without trailers, and an
//! error of its own is passed on. The answer to an encrypted delivery is sealed, unless it is empty or
//! `success`. If the body of its response breaks off, the answer is an empty 500.
//!
//! The inner service may be one for [`Verified`] alone, such as
//! [`MessageService`](crate::MessageService), or one for any body, such as an axum `Router` whose
//! handlers extract `Bytes`.
//!
//! # Where protection ends
//!
//! - **Plain mode does not sign the body.** Who sees one signed query, on the wire or in an access log,
//!   can send any body with it. TLS up to a machine you trust is the protection there is.
//! - **A signed query works until its timestamp is too old.** WeChat's own retries repeat it, so that it
//!   cannot be refused the second time.
//! - **The path, the host and all other parameters are not signed**, `openid` included. Who has a signed
//!   query can use it with any of them.
//! - Timestamp and nonce are hashed without a separator. A signature also holds for the few other ways
//!   to cut the same characters in two; their timestamps are hardly ever near the present, and the body
//!   is not covered anyway.
//! - The token is the secret, and a short one can be found by trial from a single signed query. Use all
//!   32 characters.
//! - The number of connections, and the time a client takes for the head, are the server's to bound. Per
//!   request at most the body limit is held in memory.
//!
//! The timestamp is compared with the system's clock: on a server whose clock is off by more than the
//! window, all deliveries are refused as [stale](RefusalKind::Stale).
//!
//! The future waits for late bodies with tokio's timer, so it must be polled in a tokio runtime.
//!
//! # Example
//!
//! ```
//! use std::{convert::Infallible, time::SystemTime};
//!
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_wechat::{
//!     Account, Verified, VerifySignatureLayer,
//!     account::Token,
//!     signature::{Refusal, RefusalKind, Signature},
//! };
//!
//! async fn handle(_: Request<Verified>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     Ok(Response::new(Full::from("success")))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(VerifySignatureLayer::new(Account::plain("rosebud7")?))
//!     .service_fn(handle);
//!
//! // WeChat knows the token.
//! let timestamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs().to_string();
//! let signature = Signature::new(&Token::new("rosebud7")?, &[&timestamp, "90817"]);
//! let uri = format!("/wechat?signature={signature}&timestamp={timestamp}&nonce=90817");
//! let body = "<xml><MsgType><![CDATA[text]]></MsgType></xml>";
//!
//! let response = service.clone().oneshot(Request::post(&uri).body(Full::<Bytes>::from(body))?).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! // Somebody else does not.
//! let uri = uri.replace("nonce=9", "nonce=8");
//! let response = service.oneshot(Request::post(&uri).body(Full::<Bytes>::from(body))?).await?;
//! assert_eq!(response.status(), StatusCode::FORBIDDEN);
//! let refusal: &Refusal = response.extensions().get().ok_or("no refusal")?;
//! assert_eq!(refusal.kind(), RefusalKind::Signature);
//! # Ok(())
//! # }
//! ```
//!
//! On axum the service is mounted with `route_service("/wechat", service)`; around a router of one's own
//! stands `.layer(VerifySignatureLayer::new(account))`. Servers that are not built on Tower decide by the
//! same rules with [`Query`].

mod body;
mod delivery;
mod digest;
mod future;
mod layer;
mod query;
mod refusal;
mod rules;
mod service;
mod verified;

pub use delivery::Delivery;
pub use digest::Signature;
pub use future::ResponseFuture;
pub use layer::VerifySignatureLayer;
pub use query::Query;
pub use refusal::{Refusal, RefusalKind};
pub use service::VerifySignature;
pub use verified::Verified;
