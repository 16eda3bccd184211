//! Middleware that rejects callbacks WeChat has not signed.
//!
//! [`VerifySignature`] answers WeChat's verification of the callback URL, reads the bounded body of a
//! delivery and calls the inner service with [`Request<Verified>`](crate::Verified). It answers all other requests
//! itself, and the inner service never sees them.
//!
//! The first rule that a request breaks decides the answer:
//!
//! 1. There is an account for it ([`VerifySignatureLayer::from_fn`]), or 404.
//! 2. Its method is `GET` or `POST`, or 405.
//! 3. Its query has each signed parameter at most once and in its one form, see
//!    [`Query::parse`](crate::callback::Query::parse), or 400. Other parameters, such as `openid`, are ignored.
//! 4. `signature` is the SHA-1 of one of the account's tokens, `timestamp` and `nonce`, compared in
//!    constant time, or 403.
//! 5. `timestamp` is at most 300 s before or after the present
//!    ([`with_timestamp_tolerance`](VerifySignatureLayer::with_timestamp_tolerance)), or 403.
//! 6. An encrypted account's `POST` has a `msg_signature` and no `encrypt_type` but `aes`, or 400. WeCom's requests
//!    have no `signature`; theirs is checked with the ciphertext.
//! 7. A `GET` has an `echostr` of 1 to 256 visible ASCII characters, or 400. It is sent back: 200,
//!    `text/plain`, `nosniff`. WeCom's is encrypted, and its plaintext is sent back.
//! 8. A `POST` has a whole body that is not empty, or 400; of at most 64 KiB
//!    ([`with_body_limit`](VerifySignatureLayer::with_body_limit)), or 413; within 2 s of the request's head
//!    ([`with_body_timeout`](VerifySignatureLayer::with_body_timeout)), or 408.
//! 9. The body of an encrypted account passes the [checks of the envelope](crate::callback#checks): 403 if its
//!    `msg_signature` is wrong, 400 if any later check fails.
//!
//! The body is read at rule 8 and not before. A rejection has an empty body. Its reason is in the response's
//! extensions as a [`Rejection`] and in the log, never in the answer.
//!
//! A verified request is passed to a clone of the inner service once that clone is ready. The layer itself is always
//! ready, so unsigned requests never consume a permit of an inner limit. The request keeps its head and gains a
//! [`Delivery`](crate::Delivery) in its extensions. The inner service's errors are passed on. Its response is collected,
//! without trailers, up to 1 MiB; if its body is longer or ends in an error, the answer is an empty 500 and the log has
//! an error. The answer to an encrypted delivery is sealed, unless it is empty or `success`.
//!
//! The inner service takes [`Verified`](crate::Verified) alone, such as [`MessageService`](crate::MessageService), or
//! any body, such as an axum `Router` whose handlers extract `Bytes`.
//!
//! # Where protection ends
//!
//! - **Plain mode does not sign the body.** Anyone who sees one signed query, on the wire or in an access log,
//!   can send any body with it. The only protection is TLS up to a machine you trust.
//! - **A signed query works until its timestamp is too old.** WeChat's own retries repeat it, so it
//!   cannot be rejected the second time.
//! - **The path, the host and all other parameters are not signed**, `openid` included. The holder of a signed
//!   query can use it with any of them.
//! - Timestamp and nonce are hashed without a separator. A signature also holds for the few other ways
//!   to cut the same characters in two. Their timestamps are hardly ever near the present, and the body
//!   is not covered anyway.
//! - The token is the secret. A short one can be found by trial from a single signed query: use all
//!   32 characters.
//! - The server bounds the number of connections, and the time a client takes for the head. Each
//!   request holds at most the body limit in memory.
//!
//! The timestamp is compared with the system's clock. On a server whose clock is off by more than the
//! tolerance, all deliveries are rejected with [`Timestamp`](crate::callback::ErrorKind::Timestamp).
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
//!     callback::{ErrorKind, Signature},
//!     verify::{Rejection, RejectionKind},
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
//! let signature = Signature::sign(&Token::new("rosebud7")?, [&*timestamp, "90817"]);
//! let uri = format!("/wechat?signature={signature}&timestamp={timestamp}&nonce=90817");
//! let body = "<xml><MsgType><![CDATA[text]]></MsgType></xml>";
//!
//! let response = service.clone().oneshot(Request::post(&uri).body(Full::<Bytes>::from(body))?).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! // A stranger does not.
//! let uri = uri.replace("nonce=9", "nonce=8");
//! let response = service.oneshot(Request::post(&uri).body(Full::<Bytes>::from(body))?).await?;
//! assert_eq!(response.status(), StatusCode::FORBIDDEN);
//! let rejection: &Rejection = response.extensions().get().ok_or("no rejection")?;
//! assert_eq!(rejection.kind(), RejectionKind::Callback(ErrorKind::Signature));
//! # Ok(())
//! # }
//! ```
//!
//! On axum, mount the service with `route_service("/wechat", service)`, or put
//! `.layer(VerifySignatureLayer::new(account))` around a router of your own. A server that is not built on Tower uses
//! [`callback`](crate::callback).

mod decision;
mod future;
mod layer;
mod rejection;
mod service;

pub use self::{
    future::ResponseFuture,
    layer::VerifySignatureLayer,
    rejection::{Rejection, RejectionKind},
    service::VerifySignature,
};
