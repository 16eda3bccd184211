//! Calls a service that may not be ready yet.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower::Service;

pin_project! {
    /// Waits until a service is ready, then calls it with a request. `F` is the service's future.
    ///
    /// This is tower's `Oneshot` as a type without bounds. With `Oneshot`, the response futures that contain it would
    /// need the bounds of their services.
    #[project = CallProjection]
    pub(crate) enum Call<S, F, R> {
        Wait { service: S, request: Option<R> },
        Respond { #[pin] response: F },
    }
}

impl<S, F, R> Call<S, F, R> {
    pub(crate) fn new(service: S, request: R) -> Self {
        Self::Wait {
            service,
            request: Some(request),
        }
    }

    /// Returns the request, until the service has been called with it.
    #[cfg(feature = "api")]
    pub(crate) fn request_mut(self: Pin<&mut Self>) -> Option<&mut R> {
        match self.project() {
            CallProjection::Wait { request, .. } => request.as_mut(),
            CallProjection::Respond { .. } => None,
        }
    }
}

/// Takes the value that a state of a future holds until the state ends.
#[expect(
    clippy::panic,
    reason = "a future's contract: not to be polled again after its end or a panic"
)]
pub(crate) fn taken<T>(held: &mut Option<T>) -> T {
    match held.take() {
        Some(held) => held,
        None => panic!("a future was polled after its end"),
    }
}

impl<S, R> Future for Call<S, S::Future, R>
where
    S: Service<R>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let response = match self.as_mut().project() {
                CallProjection::Wait { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    service.call(taken(request))
                }
                CallProjection::Respond { response } => return response.poll(cx),
            };
            self.set(Self::Respond { response });
        }
    }
}
