use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::time::Instant;
use tower::{BoxError, Service};

use crate::{
    observe,
    signature::{
        Verified,
        body::ReadBody,
        future::{Pending, ResponseFuture},
        rules::{Decision, Rules},
    },
};

/// Calls the inner service with the deliveries that WeChat signed, and answers everything else itself.
///
/// Made by [`VerifySignatureLayer`](super::VerifySignatureLayer). It is always ready: the inner
/// service is asked for readiness when a delivery has passed the check, so that a client that cannot
/// sign never takes a permit of an inner limit.
#[derive(Clone)]
pub struct VerifySignature<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> VerifySignature<S> {
    pub(super) fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }
}

impl<S, B, RB> Service<Request<B>> for VerifySignature<S>
where
    S: Service<Request<Verified>, Response = Response<RB>> + Clone,
    B: Body,
    RB: Body<Error: Into<BoxError>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, RB>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let arrival = Instant::now();
        let observed = observe::Delivery::begin();
        let (head, body) = request.into_parts();
        let size = body.size_hint().lower();
        match observed.in_scope(|| self.rules.decide(&head, size, arrival, &observed)) {
            Decision::Answer(response) => ResponseFuture::answer(response, observed),
            Decision::Read(delivery, encrypted) => {
                // A time-out too long to be a point in time is none.
                let deadline = arrival.checked_add(self.rules.body_timeout);
                let body = ReadBody::new(body, self.rules.body_limit, deadline);
                let pending = Pending {
                    head,
                    delivery,
                    encrypted,
                    inner: self.inner.clone(),
                };
                ResponseFuture::read(body, pending, observed)
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for VerifySignature<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifySignature")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
