//! From a verified delivery to your handler, and back: [`MessageService`].
//!
//! The innermost layer of the stack. It reads the plaintext into a typed message, hands it to the
//! handler as `http::Request<M>` (with the URI, headers and extensions of the delivery), and sends
//! what the handler returns as the passive reply, addressed to the sender.
//!
//! # A function of the message
//!
//! [`message_fn`] makes the whole service from an async function. Its argument says what it is for:
//! a function of [`VoiceMessage`](crate::message::VoiceMessage) sees voice messages alone, and
//! everything else is acknowledged.
//!
//! ```
//! # use bytes::Bytes;
//! use http::Request;
//! use http_body_util::BodyExt;
//! use tower::{BoxError, ServiceExt};
//! use tower_wechat::{Reply, Verified, message::VoiceMessage, message_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = message_fn(|voice: VoiceMessage| async move {
//!     Ok::<_, BoxError>(match voice.recognition {
//!         Some(words) if !words.is_empty() => Reply::text(words),
//!         _ => Reply::success(),
//!     })
//! });
//!
//! // `VerifySignatureLayer` does this, in front.
//! let voice = Request::new(Verified::assume(
//!     "<xml><ToUserName>gh_account</ToUserName><FromUserName>openid</FromUserName>\
//!      <CreateTime>1700000000</CreateTime><MsgType>voice</MsgType><MediaId>m-1</MediaId>\
//!      <Format>amr</Format><MsgId>1</MsgId><Recognition>你好</Recognition></xml>",
//! ));
//! let response = service.clone().oneshot(voice).await?;
//! assert_eq!(response.headers()["content-type"], "application/xml");
//! let body = response.into_body().collect().await?.to_bytes();
//! assert!(body.starts_with(b"<xml><ToUserName><![CDATA[openid]]></ToUserName>"));
//!
//! let text = Request::new(Verified::assume(
//!     "<xml><ToUserName>gh_account</ToUserName><FromUserName>openid</FromUserName>\
//!      <CreateTime>1700000000</CreateTime><MsgType>text</MsgType><Content>hi</Content>\
//!      <MsgId>2</MsgId></xml>",
//! ));
//! let response = service.oneshot(text).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "success");
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
//!     future::{Ready, ready},
//!     sync::{Arc, atomic::{AtomicU64, Ordering}},
//!     task::{Context, Poll},
//! };
//!
//! use http::Request;
//! use tower::{BoxError, Service};
//! use tower_wechat::{Message, MessageService, Reply, signature::Delivery};
//!
//! #[derive(Clone, Default)]
//! struct Count {
//!     /// Shared: each message is handled by a clone of the service.
//!     voices: Arc<AtomicU64>,
//! }
//!
//! impl Service<Request<Message>> for Count {
//!     type Response = Reply;
//!     type Error = BoxError;
//!     type Future = Ready<Result<Reply, BoxError>>;
//!
//!     fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
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
//! | the body cannot be read | 200 `success` | error, and [`on_unreadable`](MessageService::on_unreadable) |
//!
//! A 500 makes [`DedupLayer`](crate::dedup::DedupLayer) run the handler again; without that layer
//! WeChat sends the message again at once, and may show the user that the service is out of order.
//! A reply that cannot be sent does neither: the handler has done its work, and would return the
//! same reply again.
//!
//! # Other types and unreadable bodies
//!
//! A body is *of another type* if reading it fails because the text of `MsgType`, `Event` or
//! `InfoType`, directly under the root, names no variant of the type's enum. The crate's own message
//! types are made so, and yours are with a unit enum for that field. So is a body without the element that
//! tells your type from others, if it has another of the three: the open platform's `InfoType` in place of a
//! `MsgType`, say.
//!
//! ```
//! # use http::Request;
//! # use http_body_util::BodyExt;
//! use serde::Deserialize;
//! # use tower::{BoxError, ServiceExt};
//! # use tower_wechat::{Reply, Verified, message_fn};
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
//! let service = message_fn(|face: Face| async move {
//!     Ok::<_, BoxError>(Reply::text(face.pic_url))
//! })
//! .on_unreadable(|_| panic!("another type is not unreadable"));
//!
//! let text = Verified::assume("<xml><MsgType>text</MsgType><Content>hi</Content></xml>");
//! let response = service.oneshot(Request::new(text)).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "success");
//! # Ok(())
//! # }
//! ```
//!
//! Every other failure is *unreadable*: it has been signed with your token, so it comes from WeChat
//! and the type does not fit what WeChat sends. WeChat cannot mend that by sending it again, and
//! any other answer than `success` shows the user a fault. The log gets the error's kind, offset and
//! path, never contents; [`on_unreadable`](MessageService::on_unreadable) gets everything:
//!
//! ```
//! use tower::BoxError;
//! use tower_wechat::{Message, Reply, message_fn};
//!
//! let service = message_fn(|_: Message| async { Ok::<_, BoxError>(Reply::success()) })
//!     .on_unreadable(|unreadable| {
//!         // Into a dead-letter queue, say. It runs in the delivery's time: do not block.
//!         eprintln!(
//!             "{} bytes for account {:?}: {}",
//!             unreadable.body().len(),
//!             unreadable.account(),
//!             unreadable.error(),
//!         );
//!     });
//! # let _ = service;
//! ```

mod future;
mod message_fn;
mod service;
mod unreadable;

pub(crate) use self::future::answer;
pub use future::ResponseFuture;
pub use message_fn::{MessageFn, message_fn};
pub use service::MessageService;
pub use unreadable::Unreadable;
