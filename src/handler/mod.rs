//! The innermost layer: a verified delivery becomes a typed message, and the handler's reply the response.
//!
//! [`MessageService`] reads the plaintext into a typed message, calls the handler with `http::Request<M>` (with the URI,
//! headers and extensions of the delivery), and sends what the handler returns as the passive reply, addressed to the
//! sender. A handler returns anything that is [`IntoReply`](crate::reply::IntoReply).
//!
//! # A function of the message
//!
//! [`message_fn`] makes the whole service of an async function. The type of its argument says what it is for: a function
//! of [`VoiceMessage`](crate::message::VoiceMessage) sees voice messages alone, and all others are acknowledged.
//!
//! ```
//! # use bytes::Bytes;
//! use http::Request;
//! use http_body_util::BodyExt;
//! use tower::{BoxError, ServiceExt};
//! use tower_wechat::{Delivery, Verified, message::VoiceMessage, message_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = message_fn(|voice: VoiceMessage| async move {
//!     // `None` shows the user nothing.
//!     voice.recognition.filter(|words| !words.is_empty())
//! });
//!
//! // `VerifySignatureLayer` does this in a real stack.
//! let verified = |xml: &'static str| {
//!     Request::new(Verified::insecure_assume(xml, Delivery::new("my-account")))
//! };
//! let voice = verified(
//!     "<xml><ToUserName>gh_account</ToUserName><FromUserName>openid</FromUserName>\
//!      <CreateTime>1700000000</CreateTime><MsgType>voice</MsgType><MediaId>m-1</MediaId>\
//!      <Format>amr</Format><MsgId>1</MsgId><Recognition>你好</Recognition></xml>",
//! );
//! let response = service.clone().oneshot(voice).await?;
//! assert_eq!(response.headers()["content-type"], "application/xml");
//! let body = response.into_body().collect().await?.to_bytes();
//! assert!(body.starts_with(b"<xml><ToUserName><![CDATA[openid]]></ToUserName>"));
//!
//! let text = verified(
//!     "<xml><ToUserName>gh_account</ToUserName><FromUserName>openid</FromUserName>\
//!      <CreateTime>1700000000</CreateTime><MsgType>text</MsgType><Content>hi</Content>\
//!      <MsgId>2</MsgId></xml>",
//! );
//! let response = service.oneshot(text).await?;
//! assert_eq!(response.body().as_bytes(), b"success");
//! # Ok(())
//! # }
//! ```
//!
//! # A service with state
//!
//! Any `Service<Request<M>>` is a handler, with Tower's own layers around it if need be.
//! [`MessageService::new`] is for [`Message`](crate::Message), [`MessageService::for_type`] for any
//! type that serde reads:
//!
//! ```
//! use std::{
//!     convert::Infallible,
//!     future::{Ready, ready},
//!     sync::{Arc, atomic::{AtomicU64, Ordering}},
//!     task::{Context, Poll},
//! };
//!
//! use http::Request;
//! use tower::Service;
//! use tower_wechat::{Delivery, Message, MessageService, Reply};
//!
//! #[derive(Clone, Default)]
//! struct Count {
//!     /// Shared: a clone of the service handles each message.
//!     voices: Arc<AtomicU64>,
//! }
//!
//! impl Service<Request<Message>> for Count {
//!     type Response = Reply;
//!     type Error = Infallible;
//!     type Future = Ready<Result<Reply, Infallible>>;
//!
//!     fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
//!         Poll::Ready(Ok(()))
//!     }
//!
//!     fn call(&mut self, request: Request<Message>) -> Self::Future {
//!         let account = request.extensions().get::<Delivery>().map(Delivery::account);
//!         # let _ = account;
//!         ready(Ok(match request.body() {
//!             Message::Voice(_) => {
//!                 let number = self.voices.fetch_add(1, Ordering::Relaxed) + 1;
//!                 Reply::text(format!("voice message no. {number}"))
//!             }
//!             _ => Reply::success(),
//!         }))
//!     }
//! }
//!
//! let service = MessageService::new(Count::default());
//! # let _ = service;
//! ```
//!
//! # What WeChat gets
//!
//! | outcome | answer | log |
//! |---|---|---|
//! | the handler returns [`Reply::success`](crate::Reply::success) | 200 `success` | |
//! | it returns another reply | 200, the reply's XML | |
//! | it returns a reply that WeChat would refuse, or the message has no sender to reply to | 200 `success` | error |
//! | it returns an error | 500, empty | error |
//! | the message is of another type than the handler's | 200 `success` | debug |
//! | the body cannot be read | 200 `success` | error, and [`on_decode_error`](MessageService::on_decode_error) |
//!
//! A 500 makes [`DedupLayer`](crate::dedup::DedupLayer) run the handler again. Without that layer
//! WeChat retries at once, and may show the user that the service is out of order.
//! A reply that cannot be sent causes neither: the handler has done its work, and would return the
//! same reply again.
//!
//! # Other types and decode errors
//!
//! A body is *of another type* if reading it fails because the text of `MsgType`, `Event` or
//! `InfoType`, directly under the root, names no variant of the type's enum. The crate's own message
//! types work in this way. Yours do with a unit enum for that field. A body without the element that
//! names your type is of another type as well, if it has another of the three: the open platform's `InfoType` in place
//! of a `MsgType`, say.
//!
//! ```
//! # use http::Request;
//! use serde::Deserialize;
//! # use tower::{BoxError, ServiceExt};
//! # use tower_wechat::{Delivery, Verified, message_fn};
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Face {
//!     # #[allow(dead_code)]
//!     msg_type: ImageType,
//!     pic_url: String,
//! }
//!
//! #[derive(Deserialize)]
//! enum ImageType {
//!     #[serde(rename = "image")]
//!     Image,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = message_fn(|face: Face| async move { face.pic_url })
//!     .on_decode_error(|_| panic!("another type is no decode error"));
//!
//! let text = Verified::insecure_assume(
//!     "<xml><MsgType>text</MsgType><Content>hi</Content></xml>",
//!     Delivery::new("my-account"),
//! );
//! let response = service.oneshot(Request::new(text)).await?;
//! assert_eq!(response.body().as_bytes(), b"success");
//! # Ok(())
//! # }
//! ```
//!
//! Every other failure is a *decode error*: the body was signed with your token, so it comes from WeChat, and the type
//! does not fit what WeChat sends. A retry would be the same body, and any
//! other answer than `success` shows the user a fault text. The log gets the error's kind, offset and
//! path, never contents. [`on_decode_error`](MessageService::on_decode_error) gets everything:
//!
//! ```
//! use tower_wechat::{Message, message_fn};
//!
//! let service = message_fn(|_: Message| async {}).on_decode_error(|failure| {
//!     // Into a dead-letter queue, say. It runs in the delivery's time: do not block.
//!     eprintln!(
//!         "{} bytes for account {:?}: {}",
//!         failure.body().as_bytes().len(),
//!         failure.delivery().account(),
//!         failure.error(),
//!     );
//! });
//! # let _ = service;
//! ```

mod decode_failure;
mod future;
mod message_fn;
mod service;

pub use self::{
    decode_failure::DecodeFailure,
    future::ResponseFuture,
    message_fn::{MessageFn, MessageFnFuture, message_fn},
    service::MessageService,
};
