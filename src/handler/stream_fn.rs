//! Makes a handler from an async function that writes its reply piece by piece.

use std::{
    any,
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Request;
use pin_project_lite::pin_project;
use tower::Service;

use super::MessageService;
use crate::{
    partial::Partial,
    reply::{HandlerError, IntoReply, Reply},
};

/// Makes a [`MessageService`] like [`message_fn`](super::message_fn), from an async function that also gets a [`Partial`]. The
/// function writes its text into the `Partial`, piece by piece.
///
/// Where WeCom polls the answer of a [smart bot](crate::message::smart_bot#streams), the member sees the partial text as it
/// grows. At the end, the function's reply replaces the partial text. If the function returns [`Reply::success`], the
/// partial text is the reply. So the same function answers the messages of any account.
///
/// ```
/// use tower_wechat::{handler::{Partial, stream_fn}, message::TextMessage};
///
/// let service = stream_fn(|text: TextMessage, partial: Partial| async move {
///     for word in text.content.split_inclusive(' ').rev() {
///         partial.push(word);
///     }
/// });
/// # let _ = service;
/// ```
pub fn stream_fn<F, M, Fut>(function: F) -> MessageService<StreamFn<F>, M>
where
    F: Fn(M, Partial) -> Fut,
    Fut: Future<Output: IntoReply>,
{
    MessageService::of_function(StreamFn(function))
}

/// The handler behind [`stream_fn`].
#[derive(Clone, Copy)]
pub struct StreamFn<F>(F);

impl<F, M, Fut> Service<Request<M>> for StreamFn<F>
where
    F: Fn(M, Partial) -> Fut,
    Fut: Future<Output: IntoReply>,
{
    type Response = Result<Reply, HandlerError>;
    type Error = Infallible;
    type Future = StreamFnFuture<Fut>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<M>) -> StreamFnFuture<Fut> {
        let partial = request.extensions().get::<Partial>();
        let partial = partial.cloned().unwrap_or_default();
        // An earlier run may have written to it.
        partial.set("");
        StreamFnFuture {
            function: (self.0)(request.into_body(), partial.clone()),
            partial,
        }
    }
}

impl<F> fmt::Debug for StreamFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamFn")
            .field(&format_args!("{}", any::type_name::<F>()))
            .finish()
    }
}

pin_project! {
    /// The response future of [`StreamFn`].
    #[derive(Debug)]
    pub struct StreamFnFuture<Fut> {
        #[pin]
        function: Fut,
        partial: Partial,
    }
}

impl<Fut: Future<Output: IntoReply>> Future for StreamFnFuture<Fut> {
    type Output = Result<Result<Reply, HandlerError>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let reply = ready!(this.function.poll(cx)).into_reply();
        Poll::Ready(Ok(reply.map(|reply| {
            let text = this.partial.text();
            if reply.is_success() && !text.trim().is_empty() {
                return Reply::text(text);
            }
            reply
        })))
    }
}
