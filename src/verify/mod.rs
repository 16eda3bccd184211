//! Middleware that rejects callbacks that WeChat has not signed.
//!
//! [`VerifySignature`] answers WeChat's verification of the callback URL. It reads the body of a delivery, within
//! limits, and calls the inner service with a [`Request<Verified>`](crate::Verified). It answers all other requests
//! itself; the inner service never sees them.
//!
//! # Rules
//!
//! A request is rejected by the first rule that it breaks:
//!
//! 1. The request has an account ([`VerifySignatureLayer::from_fn`]), otherwise 404. If the function
//!    that picks it panics, 500.
//! 2. The request comes from an address on the [allow-list](self#an-allow-list), if there is one, otherwise 403.
//! 3. The method is `GET` or `POST`, otherwise 405.
//! 4. The query has each parameter at most once and in its only accepted form, otherwise 400.
//!    [`Query::parse`](crate::callback::Query::parse) lists the parameters. Others, such as `openid`, are ignored.
//! 5. `signature` is the SHA-1 of one of the account's tokens, `timestamp` and `nonce`, otherwise 403. If it is
//!    missing, 400. The comparison takes constant time. A WeCom request has no `signature`, and a `POST` to another
//!    encrypted account needs none if it has a `msg_signature`; rule 10 checks its ciphertext.
//! 6. `timestamp` is at most 300 s before or after the present
//!    ([`with_timestamp_tolerance`](VerifySignatureLayer::with_timestamp_tolerance)), otherwise 403. An encrypted `POST` with
//!    a `signature` passes for 25 hours if its message turns out to be one that WeChat
//!    [retries until it is answered](crate::dedup#pushes-that-are-retried-until-they-are-answered). Late retries may repeat
//!    the first timestamp.
//! 7. A `POST` to an encrypted account has a `msg_signature`, and its `encrypt_type`, if any, is `aes`, otherwise 400.
//! 8. A `GET` has an `echostr` of 1 to 256 visible ASCII characters, otherwise 400. The layer answers it with 200, the
//!    echostr, `text/plain` and `nosniff`. WeCom encrypts the echostr; the layer checks it as rule 10 does, and answers
//!    with the plaintext.
//! 9. A `POST` has a whole body that is not empty, otherwise 400. The body has at most 64 KiB
//!    ([`with_body_limit`](VerifySignatureLayer::with_body_limit)), and at most 1024 frames without data, otherwise
//!    413. It arrives within 2 s of the request's head
//!    ([`with_body_timeout`](VerifySignatureLayer::with_body_timeout)), otherwise 408.
//! 10. The body for an encrypted account passes the [checks of the envelope](crate::callback#checks), otherwise 400; 403
//!     if its `msg_signature` is wrong. The body for a plain account is not only a ciphertext, otherwise 400.
//!
//! An account on [cloud hosting](crate::Account::insecure_cloud_hosting) has other rules in place of 3 to 8 and 10: the
//! method is `POST`, otherwise 405; and the request has the platform's header, otherwise 403. A request with the console's
//! probe as its body is answered with 200 and `success`, with the header or without.
//!
//! Only signed bytes decide rule 10: nothing beside the ciphertext changes the answer to an encrypted account's delivery.
//! Bytes of a message that are not UTF-8 are replaced by U+FFFD in every mode, with a warning in the log.
//!
//! The body is not read before rule 9. A rejection has an empty body. Its reason is in the response's extensions, as a
//! [`Rejection`], and in the log.
//!
//! # Verified requests
//!
//! A verified request is passed to a clone of the inner service once that clone is ready. The layer itself is always
//! ready, so an unverified request never takes a permit of an inner limit. The request keeps its head. Its body
//! is [`Verified`](crate::Verified), and knows the [`Delivery`](crate::Delivery).
//!
//! The layer passes on the inner service's errors. It reads the inner service's response up to 1 MiB, without trailers.
//! If the response is longer or ends in an error, the layer answers with an empty 500 and logs an error. It seals the
//! answer to an encrypted delivery, unless the answer is empty or `success`.
//!
//! The inner service accepts [`Verified`](crate::Verified) as its only body, as
//! [`MessageService`](crate::MessageService) does. Or it accepts any body, as an axum `Router` does whose handlers
//! extract `Bytes`.
//!
//! # An allow-list
//!
//! [`with_allow_list`](VerifySignatureLayer::with_allow_list) rejects requests from other addresses than WeChat's before
//! all other checks. It is off by default. It protects plain mode most: an observer cannot replay a signed query from a
//! machine of its own. It replaces no signature.
//!
//! - **Behind a proxy, every request comes from the proxy's address.** Then WeChat's address is in a header that the proxy
//!   writes, such as `X-Real-IP`. Read a header that the proxy overwrites. A client can send such a header too, and most
//!   proxies only append to `X-Forwarded-For`: your proxies write its last entries, and the client may have written the first.
//! - **WeChat's addresses change.** WeChat asks servers to fetch them once a day. A list that is too old rejects
//!   deliveries. Then the log has a warning for each rejected delivery whose query has a valid signature. A WeCom query has
//!   no signature, so rejections of WeCom's deliveries are logged at `DEBUG`. All are counted as
//!   [`Address`](RejectionKind::Address).
//! - **An empty list allows every address**, with a warning in the log. So does a list that is not loaded yet.
//! - **A request without an address is rejected**, unless the list is empty. If it is signed, the log has an error: the
//!   server does not pass the address on.
//! - The list is WeChat's for Official Accounts and mini programs. WeCom has another one.
//!
//! The server says where a request comes from. On axum, `into_make_service_with_connect_info` puts it into the extensions:
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//!
//! use axum::extract::ConnectInfo;
//! use tower_wechat::{Account, VerifySignatureLayer, verify::AllowList};
//!
//! let list = AllowList::new();
//! let layer = VerifySignatureLayer::new(Account::plain("rosebud7")?).with_allow_list(list.clone(), |head| {
//!     let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
//!     Some(peer.ip())
//! });
//! # let _ = layer;
//! # Ok::<(), tower_wechat::account::Error>(())
//! ```
//!
//! A task refreshes the list. If WeChat gives none, the former one stays:
//!
//! ```
//! # #[cfg(feature = "api")]
//! # fn refresh(api: tower_wechat::Api, list: tower_wechat::verify::AllowList) {
//! # use std::time::Duration;
//! tokio::spawn(async move {
//!     loop {
//!         let fetched = api.callback_ips().await;
//!         // A failure is a warning in the log.
//!         let pause = if fetched.is_ok() { 24 * 60 } else { 1 };
//!         if let Ok(nets) = fetched {
//!             list.replace(nets);
//!         }
//!         tokio::time::sleep(Duration::from_mins(pause)).await;
//!     }
//! });
//! # }
//! ```
//!
//! # Where protection ends
//!
//! - **Plain mode does not sign the body.** Anyone who sees one signed query, on the wire or in an access log,
//!   can send any body with it. The only protection is TLS up to a machine that you trust.
//! - **A signed query is valid until its timestamp is too old.** WeChat's retries repeat it, so a repeated query cannot
//!   be rejected. A copy of an encrypted push about a payment is valid for 25 hours. Dedup treats it as a retry while the node
//!   or the store remembers the push. A restart forgets it, so let the handler recognize an order that it has dealt with.
//! - **The path, the host and all other parameters are not signed**, `openid` included. The holder of a signed
//!   query can use it with any of them.
//! - Timestamp and nonce are hashed without a separator. So a signature is also valid for the few other ways to split
//!   the same characters into a timestamp and a nonce. Such a timestamp is hardly ever near the present.
//! - The token is the secret. An attacker can find a short token by trial from a single signed query: use all
//!   32 characters.
//! - The layer limits neither the number of connections nor the time that a client takes for the head. Set these limits in
//!   the server ([servers that have them](crate::_guide::going_live)). A request takes at most the body limit in memory.
//!
//! The layer compares the timestamp with the system's clock. If that clock is wrong by more than the tolerance, all
//! deliveries are rejected with [`Timestamp`](crate::callback::ErrorKind::Timestamp).
//!
//! The future waits for late bodies with tokio's timer, so poll it in a tokio runtime.
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
//! // A stranger does not know it.
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
//! `.layer(VerifySignatureLayer::new(account))` around a router of your own. On a server that is not built on Tower,
//! use [`callback`](crate::callback).

mod allow_list;
mod cloud_hosting;
mod decision;
mod future;
mod layer;
mod rejection;
mod service;

pub use self::{
    allow_list::{AllowList, IpNet, ParseIpNetError},
    future::ResponseFuture,
    layer::VerifySignatureLayer,
    rejection::{Rejection, RejectionKind},
    service::VerifySignature,
};
