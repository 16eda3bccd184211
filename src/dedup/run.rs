//! One message's runs: a task that no delivery's end can stop.

use std::{fmt, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::time;
use tower::{BoxError, Service, ServiceExt};

use super::{Key, outcome::Outcome, state::Shared, table::Owner};
use crate::{
    observe,
    signature::{Delivery, Verified},
};

/// Which run of its message this is. It stands in the extensions of the request that the inner service
/// gets, for handlers that fence their own writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    number: u32,
}

impl Run {
    /// 1 for the first run; each repetition after a failure has the next number.
    pub fn number(self) -> u32 {
        self.number
    }
}

/// A message that has been claimed. Dropped before its runs are over, it gives the message back.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) shared: Shared,
    pub(super) key: Key,
    pub(super) owner: Owner,
}

impl Claimed {
    /// Runs the message until a run succeeds or there have been enough, and completes it.
    pub(super) async fn run<S, B>(self, inner: S, request: Request<Verified>)
    where
        S: Service<Request<Verified>, Response = Response<B>> + Clone,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>>,
    {
        let delivery = request.extensions().get::<Delivery>().cloned();
        let account = delivery.as_ref().map_or("", Delivery::account);
        let settings = self.shared.settings();
        let mut delays = settings.retry_delays.iter();
        let mut number = 1;
        let outcome = loop {
            let mut request = request.clone();
            request.extensions_mut().insert(Run { number });
            let failure = match attempt(inner.clone(), request, settings.run_timeout).await {
                Ok(outcome) => break outcome,
                Err(failure) => failure,
            };
            observe::run_failed(account, number, &failure);
            let Some(delay) = delays.next() else {
                observe::message_given_up(account, number);
                break Outcome::success();
            };
            time::sleep(*delay).await;
            number += 1;
        };
        // A delivery can be sent again until its timestamp is refused: up to `freshness` ahead of the
        // clock at first, and as much behind it at last.
        let freshness = delivery.map_or(Duration::ZERO, |delivery| delivery.freshness());
        self.shared
            .complete(self.key, self.owner, outcome, freshness.saturating_mul(2));
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // Of a message that has been completed there is nothing to release.
        self.shared.release(self.key, self.owner);
    }
}

/// Why a run counts as failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Error(BoxError),
    Status(StatusCode),
    Panic,
    Timeout,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Status(status) => write!(f, "the service answered {status}"),
            Self::Panic => f.write_str("the service panicked"),
            Self::Timeout => f.write_str("the service took too long"),
        }
    }
}

async fn attempt<S, B>(
    inner: S,
    request: Request<Verified>,
    timeout: Duration,
) -> Result<Outcome, Failure>
where
    S: Service<Request<Verified>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body<Error: Into<BoxError>>,
{
    let run = async {
        let response = inner.oneshot(request).await.map_err(Into::into)?;
        Outcome::of(response).await
    };
    // What a panic leaves behind is the service's own concern: its next run is a clone's.
    let run = AssertUnwindSafe(run).catch_unwind();
    match time::timeout(timeout, run).await {
        Ok(Ok(Ok(outcome))) if outcome.is_failure() => Err(Failure::Status(outcome.status())),
        Ok(Ok(Ok(outcome))) => Ok(outcome),
        Ok(Ok(Err(error))) => Err(Failure::Error(error)),
        Ok(Err(_panic)) => Err(Failure::Panic),
        Err(_elapsed) => Err(Failure::Timeout),
    }
}
