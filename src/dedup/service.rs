use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION};
use http_body::Body;
use http_body_util::Full;
use tokio::{
    sync::watch,
    time::{self, Instant},
};
use tower::{BoxError, Service};

use super::{outcome::Outcome, run::Claimed, state::Shared, table::Claim};
use crate::{
    observe,
    signature::{Delivery, Verified},
};

/// Runs the inner service once for each message, and gives every delivery of it the same response.
///
/// Made by [`DedupLayer`](super::DedupLayer). It is always ready: the inner service is asked for
/// readiness by the message's run, so that a duplicate never takes a permit of an inner limit.
#[derive(Clone)]
pub struct Dedup<S> {
    inner: S,
    shared: Shared,
}

impl<S> Dedup<S> {
    pub(super) fn new(inner: S, shared: Shared) -> Self {
        Self { inner, shared }
    }
}

impl<S, B> Service<Request<Verified>> for Dedup<S>
where
    S: Service<Request<Verified>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Verified>) -> ResponseFuture {
        let Self { inner, shared } = self.clone();
        ResponseFuture(Box::pin(deliver(shared, inner, request)))
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

/// Answers one delivery. Dropping this future stops nothing: the run is a task of its own.
async fn deliver<S, B>(
    shared: Shared,
    inner: S,
    request: Request<Verified>,
) -> Response<Full<Bytes>>
where
    S: Service<Request<Verified>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let key = (shared.settings().key)(&request);
    let arrival = match request.extensions().get::<Delivery>() {
        Some(delivery) => Instant::from_std(delivery.arrival()),
        None => Instant::now(),
    };
    loop {
        let room = shared.room();
        let waiting = match shared.claim(key) {
            Claim::Replied(outcome) => return outcome.into_response(),
            Claim::Done => return Outcome::success().into_response(),
            Claim::Join(outcome) => outcome,
            Claim::Run(owner, outcome) => {
                let claimed = Claimed {
                    shared: shared.clone(),
                    key,
                    owner,
                };
                tokio::spawn(claimed.run(inner.clone(), request.clone()));
                outcome
            }
            Claim::Full => match time::timeout_at(arrival + ROOM_WAIT, room).await {
                Ok(()) => continue,
                Err(_elapsed) => return turn_away(&request, "no room for another message"),
            },
        };
        match time::timeout_at(arrival + OUTCOME_WAIT, outcome(waiting)).await {
            Ok(Some(outcome)) => return outcome.into_response(),
            // The run was lost, as when its task is dropped: the message is vacant again.
            Ok(None) => {}
            Err(_elapsed) => return turn_away(&request, "no outcome yet"),
        }
    }
}

/// The outcome, once there is one; `None` if the run was lost.
async fn outcome(mut waiting: watch::Receiver<Option<Outcome>>) -> Option<Outcome> {
    let outcome = waiting.wait_for(Option::is_some).await.ok()?;
    outcome.clone()
}

/// A failure in WeChat's eyes, so that it delivers the message again. The connection is closed since
/// WeChat has given up on it by now.
fn turn_away(request: &Request<Verified>, reason: &'static str) -> Response<Full<Bytes>> {
    let delivery = request.extensions().get::<Delivery>();
    observe::delivery_turned_away(delivery.map_or("", Delivery::account), reason);
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
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

/// From a delivery's arrival: WeChat hangs up after 5 s, so what is answered then is lost.
const ROOM_WAIT: Duration = Duration::from_millis(4500);

/// From a delivery's arrival: WeChat has hung up, and if it has not, it is not WeChat.
const OUTCOME_WAIT: Duration = Duration::from_secs(6);
