//! The innermost service: turns a verified delivery into a typed message, and the handler's reply into the response.
//!
//! [`MessageService`] reads the plaintext into a typed message `M`. It calls the handler with an `http::Request<M>`
//! that has the URI, headers and extensions of the delivery. The handler returns any type that implements
//! [`IntoReply`](crate::reply::IntoReply). The service sends the reply to the sender of the message, as the passive reply.
//!
//! # A function as the handler
//!
//! [`message_fn`] makes the whole service from an async function. The type of the argument decides which messages the
//! function gets: a function of [`VoiceMessage`](crate::message::VoiceMessage) gets only voice messages. All others are
//! acknowledged.
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
//! # A service as the handler
//!
//! Any `Service<Request<M>>` is a handler. It may have state, and Tower's layers around it. Pass a handler of
//! [`Message`](crate::Message) to [`MessageService::new`], and a handler of any other type that serde reads to
//! [`MessageService::for_type`]:
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
//!     /// Shared, since each message is handled by a new clone of the service.
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
//! # Outcomes
//!
//! | outcome | answer | log |
//! |---|---|---|
//! | the handler returns [`Reply::success`](crate::Reply::success) | 200 `success` | |
//! | it returns another reply | 200, the reply's XML | |
//! | it returns a [text of more than 2047 bytes](crate::reply#long-texts) | 200, the first part and a [marker](MessageService::with_cut_marker) | warning |
//! | it returns a reply that WeChat would refuse, or the message has no sender to reply to | 200 `success` | error |
//! | it returns an error | 500, empty | error |
//! | the handler's type is for other messages | 200 `success` | debug |
//! | a [`Message`](crate::Message) or an event does not fit its type | as any other outcome: the handler gets it as `Other` | warning |
//! | a push with an InfoType comes to a handler of [`Message`](crate::Message) | as any other outcome: the handler gets it as `Other` | debug |
//! | the body cannot be read | 200 `success` | error; calls [`on_decode_error`](MessageService::on_decode_error) |
//!
//! After a 500, [`DedupLayer`](crate::dedup::DedupLayer) runs the handler again. Without that layer, WeChat retries at
//! once, and may show the user that the service is out of order.
//!
//! If the reply cannot be sent, the answer is `success`. Another run would not help: the handler has done its work, and
//! would return the same reply.
//!
//! # Other types and decode errors
//!
//! A [`Message`](crate::Message) is read from nearly every body. What does not fit its type
//! [arrives as `Other`](crate::message#messages-that-do-not-fit-their-type), with all fields and the reason. The log has
//! a warning with the kind, offset and path of the reason, once for each message. The same holds for the own fields of an
//! [`EventMessage`](crate::message::EventMessage).
//!
//! A body that is not an `M` either *has another type* or is a *decode error*.
//!
//! The elements `MsgType`, `Event` and `InfoType`, directly under the root, name the type of a message. A body has
//! another type in two cases:
//!
//! - The text of one of these elements is an unknown variant for `M`. The crate's message types detect this. So does
//!   your own type, if it declares the element as an enum of unit variants.
//! - The body lacks the element that names `M`, and has another of the three instead. For example, a push of the open
//!   platform has an `InfoType` instead of a `MsgType`.
//!
//! Such a body is acknowledged:
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
//! Every other failure is a *decode error*: the body comes from WeChat, but is not a readable document, or does not fit `M`.
//! The body is acknowledged too: a retry would bring the same body, and an error status would make WeChat show the user the
//! fault text. The log gets only the kind, offset and path of the error, never contents. The hook
//! [`on_decode_error`](MessageService::on_decode_error) gets the whole body and the error:
//!
//! ```
//! use tower_wechat::{Message, message_fn};
//!
//! let service = message_fn(|_: Message| async {}).on_decode_error(|failure| {
//!     // Put it into a dead-letter queue, for example. Do not block: WeChat waits for the answer.
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
mod stream_fn;

pub use self::{
    decode_failure::DecodeFailure,
    future::ResponseFuture,
    message_fn::{MessageFn, MessageFnFuture, message_fn},
    service::MessageService,
    stream_fn::{StreamFn, StreamFnFuture, stream_fn},
};
pub use crate::partial::Partial;
