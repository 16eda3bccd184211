use std::{
    any, fmt,
    task::{Context, Poll},
};

use http::Request;
use tower::Service;

use super::MessageService;

/// A [`MessageService`] for an async function of the message alone.
///
/// The type of its argument says which messages it is for, and any function that returns
/// `Result<impl Into<Reply>, impl Into<BoxError>>` will do. Each message is handled by a clone of
/// `function`; what the clones share stands in an `Arc`. A function that needs the delivery's
/// extensions is a [`tower::service_fn`] of `Request<M>` in [`MessageService::for_type`].
///
/// ```
/// use std::convert::Infallible;
///
/// use tower_wechat::{Message, Reply, message_fn};
///
/// let service = message_fn(|message: Message| async move {
///     Ok::<_, Infallible>(match message {
///         Message::Voice(_) => Reply::text("heard you"),
///         _ => Reply::success(),
///     })
/// });
/// # let _ = service;
/// ```
pub fn message_fn<F, M, Fut, R, E>(function: F) -> MessageService<MessageFn<F>, M>
where
    F: Fn(M) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    MessageService::for_type(MessageFn(function))
}

/// The handler behind [`message_fn`].
#[derive(Clone, Copy)]
pub struct MessageFn<F>(F);

impl<F, M, Fut, R, E> Service<Request<M>> for MessageFn<F>
where
    F: Fn(M) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    type Response = R;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<M>) -> Fut {
        (self.0)(request.into_body())
    }
}

impl<F> fmt::Debug for MessageFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageFn")
            .field(&format_args!("{}", any::type_name::<F>()))
            .finish()
    }
}
