use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::{BoxError, Service};

use super::{
    deliver::Delivery,
    state::Shared,
    store::{Alone, Store},
};
use crate::signature::Verified;

/// Runs the inner service once for each message, and gives every delivery of it the same response.
///
/// Made by [`DedupLayer`](super::DedupLayer). It is always ready: the inner service is asked for
/// readiness by the message's run, so that a duplicate never takes a permit of an inner limit.
pub struct Dedup<S, St = Alone> {
    inner: S,
    shared: Shared<St>,
}

impl<S, St> Dedup<S, St> {
    pub(super) fn new(inner: S, shared: Shared<St>) -> Self {
        Self { inner, shared }
    }
}

impl<S, St, B> Service<Request<Verified>> for Dedup<S, St>
where
    S: Service<Request<Verified>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    St: Store,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Verified>) -> ResponseFuture {
        let Self { inner, shared } = self.clone();
        ResponseFuture(Box::pin(async {
            Delivery::new(shared, request).answer(inner).await
        }))
    }
}

impl<S: Clone, St> Clone for Dedup<S, St> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
        }
    }
}

/// The response of [`Dedup`].
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>);

impl Future for ResponseFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl<S: fmt::Debug, St> fmt::Debug for Dedup<S, St> {
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
