//! The Tower service: each delivery is answered by a waiter.

use std::{
    convert::Infallible,
    fmt, future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::{node::Node, waiter::Waiter};
use crate::{
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
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<V>) -> ResponseFuture {
        let request = request.map(V::into_verified);
        let Self { inner, node } = self.clone();
        if let Some(response) = node.streams.poll(&request, node.store.is_some()) {
            return ResponseFuture(Box::pin(future::ready(response)));
        }
        let waiter = Waiter::new(node, request);
        ResponseFuture(Box::pin(async move { waiter.answer_after(0, inner).await }))
    }
}

/// The response future of [`Dedup`].
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>);

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl<S: fmt::Debug> fmt::Debug for Dedup<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
