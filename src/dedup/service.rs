//! The Tower service: each delivery is answered by a waiter.

use std::{
    convert::Infallible,
    fmt,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::{node::Node, waiter::Waiter};
use crate::{
    call::taken,
    delivery::{Verified, VerifiedBody},
    response::ResponseBody,
};

/// Runs the inner service once for each message, and gives every delivery of it the same response.
///
/// [`DedupLayer`](super::DedupLayer) makes it. It is always ready: the message's run waits for the inner service's
/// readiness, so that a duplicate never takes a permit of an inner limit.
#[derive(Clone)]
pub struct Dedup<S> {
    inner: S,
    node: Arc<Node>,
}

impl<S> Dedup<S> {
    pub(super) fn new(inner: S, node: Arc<Node>) -> Self {
        Self { inner, node }
    }
}

impl<S, B, V> Service<Request<V>> for Dedup<S>
where
    V: VerifiedBody,
    S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: fmt::Display> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<V>) -> ResponseFuture<S> {
        let request = request.map(V::into_verified);
        let Self { inner, node } = self.clone();
        ResponseFuture(match node.streams.poll(&request, node.store.is_some()) {
            Some(response) => State::Answered(Some(response)),
            None => State::Arrived(Some((Waiter::new(node, request), inner))),
        })
    }
}

/// The response future of [`Dedup`].
pub struct ResponseFuture<S>(State<S>);

enum State<S> {
    /// The first poll looks at the table.
    Arrived(Option<(Waiter, S)>),
    /// In a box, so that a duplicate that is answered at once takes no memory for waiting.
    Waiting(BoxFuture<'static, Response<ResponseBody>>),
    Answered(Option<Response<ResponseBody>>),
}

/// Nothing in it is pinned but what lies in a box.
impl<S> Unpin for ResponseFuture<S> {}

impl<S, B> Future for ResponseFuture<S>
where
    S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: fmt::Display> + Send + 'static,
{
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match &mut self.0 {
                State::Arrived(arrived) => {
                    let (waiter, inner) = taken(arrived);
                    match waiter.admit(None, 0, &inner) {
                        ControlFlow::Break(response) => return Poll::Ready(Ok(response)),
                        ControlFlow::Continue(next) => {
                            let answer = async move { waiter.answer(next, 0, inner).await };
                            State::Waiting(Box::pin(answer))
                        }
                    }
                }
                State::Waiting(answer) => return answer.as_mut().poll(cx).map(Ok),
                State::Answered(response) => return Poll::Ready(Ok(taken(response))),
            };
            self.0 = next;
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Dedup<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for ResponseFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
