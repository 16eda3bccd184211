//! One run of the inner service.

use std::{fmt, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::time;
use tower::{BoxError, Service, ServiceExt};

use super::Outcome;
use crate::signature::Verified;

/// Which run of its message this is. It stands in the extensions of the request that the inner service
/// gets, for handlers that fence their own writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    number: u32,
}

impl Run {
    /// The first run by the `owner`th owner of the message, each of which may repeat its first one so many
    /// times.
    pub(super) fn first(owner: u32, repetitions: usize) -> Self {
        let runs = u32::try_from(repetitions)
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        Self {
            number: owner
                .saturating_sub(1)
                .saturating_mul(runs)
                .saturating_add(1),
        }
    }

    pub(super) fn next(self) -> Self {
        Self {
            number: self.number.saturating_add(1),
        }
    }

    /// 1 for the first run; each later one has a larger number, on whichever node it is. The numbers of a
    /// node that was lost are left out, however many of its runs there were.
    ///
    /// The store counts. A node that goes on without it begins with 1, and so does a store that has lost its data.
    pub fn number(self) -> u32 {
        self.number
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

pub(super) async fn attempt<S, B>(
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
    // The run is dropped inside, where a panic of its `Drop` is caught too. What a panic leaves behind is
    // the service's own concern: its next run is a clone's.
    let run = async { time::timeout(timeout, run).await };
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(Ok(Ok(outcome))) if outcome.is_failure() => Err(Failure::Status(outcome.status())),
        Ok(Ok(Ok(outcome))) => Ok(outcome),
        Ok(Ok(Err(error))) => Err(Failure::Error(error)),
        Ok(Err(_elapsed)) => Err(Failure::Timeout),
        Err(_panic) => Err(Failure::Panic),
    }
}
