//! Makes a handler from an async function.

use std::{
    any,
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::Request;
use pin_project_lite::pin_project;
use tower::Service;

use super::MessageService;
use crate::reply::IntoReply;

/// Makes a [`MessageService`] from an async function whose only argument is the message.
///
/// The type of the argument decides which messages the function gets. The function returns any type that implements
/// [`IntoReply`]. Each message is handled by a clone of `function`. Put state that the clones share into an `Arc`.
///
/// For a function that needs the request's extensions, pass a [`tower::service_fn`] of `Request<M>` to
/// [`MessageService::for_type`].
///
/// The fields of an event, such as [`Click`](crate::message::event::Click), do not say which event they belong to. For
/// events, take [`EventMessage`](crate::message::EventMessage) or [`Message`](crate::message::Message).
///
/// ```
/// use tower_wechat::{Message, Reply, message_fn};
///
/// let service = message_fn(|message: Message| async move {
///     match message {
///         Message::Voice(_) => Reply::text("heard you"),
///         _ => Reply::success(),
///     }
/// });
/// # let _ = service;
/// ```
///
/// If the function uses `?`, write a named function, so that its error has a type:
///
/// ```
/// use tower::BoxError;
/// use tower_wechat::{message::VoiceMessage, message_fn};
///
/// async fn answer(voice: VoiceMessage) -> Result<String, BoxError> {
///     let words = voice.recognition.ok_or("no words")?;
///     Ok(format!("you said {words}"))
/// }
///
/// let service = message_fn(answer);
/// # let _ = service;
/// ```
pub fn message_fn<F, M, Fut>(function: F) -> MessageService<MessageFn<F>, M>
where
    F: Fn(M) -> Fut,
    Fut: Future<Output: IntoReply>,
{
    MessageService::of_function(MessageFn(function))
}

/// The handler behind [`message_fn`].
#[derive(Clone, Copy)]
pub struct MessageFn<F>(F);

impl<F, M, Fut> Service<Request<M>> for MessageFn<F>
where
    F: Fn(M) -> Fut,
    Fut: Future<Output: IntoReply>,
{
    type Response = Fut::Output;
    type Error = Infallible;
    type Future = MessageFnFuture<Fut>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<M>) -> MessageFnFuture<Fut> {
        MessageFnFuture {
            function: (self.0)(request.into_body()),
        }
    }
}

impl<F> fmt::Debug for MessageFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageFn")
            .field(&format_args!("{}", any::type_name::<F>()))
            .finish()
    }
}

pin_project! {
    /// The response future of [`MessageFn`].
    #[derive(Debug)]
    pub struct MessageFnFuture<Fut> {
        #[pin]
        function: Fut,
    }
}

impl<Fut: Future> Future for MessageFnFuture<Fut> {
    type Output = Result<Fut::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().function.poll(cx).map(Ok)
    }
}
