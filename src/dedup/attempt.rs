//! The runs of the inner service for one message: each with a time limit, and again after failures, as `layer` sets.

use std::{
    fmt, future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc, task::Poll, time::Duration,
};

use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use tokio::time;
use tower::Service;

use super::{
    finished::{Finished, Origin},
    node::Node,
    table::Task,
};
use crate::{
    delivery::Verified,
    observe::{self, RunFailure},
    response::{self, StoredResponse},
    run_number::RunNumber,
};

/// Why a run has failed.
#[derive(Debug)]
pub(super) struct Failure {
    result: &'static str,
    reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl RunFailure for Failure {
    fn result(&self) -> &'static str {
        self.result
    }
}

/// The inner service: what [`Dedup`](super::Dedup) asks of it.
pub(super) trait Inner:
    Service<Request<Verified>, Response = Response<Self::Body>, Error: fmt::Display, Future: Send>
    + Clone
    + Send
    + 'static
{
    type Body: Body<Data: Send, Error: fmt::Display> + Send + 'static;
}

impl<S, B> Inner for S
where
    S: Service<Request<Verified>, Response = Response<B>, Error: fmt::Display, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: fmt::Display> + Send + 'static,
{
    type Body = B;
}

/// Runs a message until a run succeeds or there have been enough.
pub(super) async fn runs(
    node: &Arc<Node>,
    task: &Arc<Task>,
    request: &Request<Verified>,
    observed: &observe::Runs,
    inner: &mut impl Inner,
    number: u32,
) -> Finished {
    let settings = &node.settings;
    let account = request.body().delivery().shared_account();
    let mut delays = settings.retry_delays.iter();
    let mut number = RunNumber::first(number, settings.retry_delays.len());
    loop {
        let head = || request.body().head();
        // Boxed apart: an allocator takes two small futures better than a large one.
        let inner = inner.clone();
        let run = Box::pin(async move {
            let run = attempt(inner, request, number, settings.run_timeout);
            observed.run(account, number.get(), head, pin!(run)).await
        });
        if let Ok(response) = run.await {
            return Finished::new(node, task, response, Origin::Run);
        }
        let Some(delay) = delays.next() else {
            observe::message_given_up(account, task.claim.key.observed(), number.get());
            let failure = settings.failure.as_ref().unwrap_or(&settings.fallback);
            let failure = response::of_whole_reply(failure.clone(), request.body());
            let failure = StoredResponse::of_own(&failure);
            return Finished::new(node, task, failure, Origin::FailedRun);
        };
        time::sleep(*delay).await;
        number = number.next();
    }
}

fn attempt(
    mut inner: impl Inner,
    request: &Request<Verified>,
    number: RunNumber,
    timeout: Duration,
) -> impl Future<Output = Result<StoredResponse, Failure>> + Send {
    let run = async move {
        // It is dropped in here, where a panic of its `Drop` is caught too. A panic leaves a broken service behind, but the
        // next run is a clone's.
        let mut run = pin!(async {
            let failed = |error| format!("{error:#}");
            let ready = poll_fn(|cx| inner.poll_ready(cx)).await;
            ready.map_err(failed)?;
            let response = inner.call(numbered(request, number)).await;
            let response = StoredResponse::of(response.map_err(failed)?).await;
            response.map_err(|error| format!("cannot read the body of the response: {error:#}"))
        });
        // A run that never waits needs no timer.
        if let Poll::Ready(ended) = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await {
            return Ok(ended);
        }
        time::timeout(timeout, run).await
    };
    AssertUnwindSafe(run).catch_unwind().map(|ended| {
        let (result, reason) = match ended {
            Ok(Ok(Ok(response))) if !response.is_failure() => return Ok(response),
            Ok(Ok(Ok(response))) => (
                "failed",
                format!("the service answered {}", response.status()),
            ),
            Ok(Ok(Err(error))) => ("failed", error),
            Ok(Err(_elapsed)) => ("timed_out", "the service took too long".to_owned()),
            Err(_panic) => ("panicked", "the service panicked".to_owned()),
        };
        Err(Failure { result, reason })
    })
}

/// The run's own copy of the request.
fn numbered(request: &Request<Verified>, number: RunNumber) -> Request<Verified> {
    request.clone().map(|body| body.with_run_number(number))
}
