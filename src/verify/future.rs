use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, request, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Service, ServiceExt, util::Oneshot};

use super::{decision::Opener, rejection::Rejection};
use crate::{
    body::ReadBody,
    callback::{Sealer, seal_reply},
    delivery::{Delivery, Verified},
    observe,
    response::{self, ResponseBody},
};

pin_project! {
    /// The response future of [`VerifySignature`](super::VerifySignature).
    pub struct ResponseFuture<S, B, RB>
    where
        S: Service<Request<Verified>>,
    {
        #[pin]
        state: State<S, B, RB>,
        observed: observe::Delivery,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, RB>
    where
        S: Service<Request<Verified>>,
    {
        /// Decided without the inner service.
        Ready { response: Option<Response<ResponseBody>> },
        Read {
            #[pin]
            body: ReadBody<B>,
            pending: Option<Pending<S>>,
        },
        Call {
            #[pin]
            response: Oneshot<S, Request<Verified>>,
            finish: Option<Finish>,
        },
        /// The inner service has answered; its body is read.
        Collect {
            #[pin]
            body: ReadBody<RB>,
            head: Option<Parts>,
            finish: Option<Finish>,
        },
    }
}

/// What waits for the request's body.
pub(super) struct Pending<S> {
    pub(super) head: request::Parts,
    pub(super) delivery: Delivery,
    pub(super) opener: Opener,
    pub(super) inner: S,
}

impl<S> Pending<S> {
    /// Makes the request for the inner service, and what finishes the response to it.
    fn open(
        self,
        body: Bytes,
        observed: &observe::Delivery,
    ) -> Result<(Request<Verified>, S, Finish), Rejection> {
        let (plaintext, head, sealer) = self.opener.open(body)?.into_parts();
        let finish = Finish {
            account: Arc::clone(self.delivery.shared_account()),
            sealer,
        };
        let mut parts = self.head;
        parts.extensions.insert(self.delivery.clone());
        let verified = Verified::new(plaintext, head, self.delivery, observed.trace());
        observed.is_verified(|| verified.head());
        Ok((Request::from_parts(parts, verified), self.inner, finish))
    }
}

/// What finishes the inner service's response.
struct Finish {
    account: Arc<str>,
    sealer: Option<Sealer>,
}

impl Finish {
    fn finish(self, mut head: Parts, body: Bytes) -> Response<ResponseBody> {
        // Whatever the status: no answer to an encrypted message leaves unencrypted.
        match seal_reply(self.sealer.as_ref(), body) {
            Ok(answer) => {
                if let Some(content_type) = answer.content_type() {
                    let content_type = HeaderValue::from_static(content_type);
                    head.headers.insert(header::CONTENT_TYPE, content_type);
                    head.headers.remove(header::CONTENT_LENGTH);
                }
                Response::from_parts(head, ResponseBody::new(answer.into_body()))
            }
            Err(error) => {
                observe::reply_not_sealed(&self.account, error);
                response::failure()
            }
        }
    }
}

impl<S, B, RB> ResponseFuture<S, B, RB>
where
    S: Service<Request<Verified>>,
{
    pub(super) fn ready(response: Response<ResponseBody>, observed: observe::Delivery) -> Self {
        Self {
            state: State::Ready {
                response: Some(response),
            },
            observed,
        }
    }

    pub(super) fn read(
        body: ReadBody<B>,
        pending: Pending<S>,
        observed: observe::Delivery,
    ) -> Self {
        Self {
            state: State::Read {
                body,
                pending: Some(pending),
            },
            observed,
        }
    }
}

impl<S, B, RB> Future for ResponseFuture<S, B, RB>
where
    S: Service<Request<Verified>, Response = Response<RB>>,
    B: Body,
    RB: Body<Error: fmt::Display>,
{
    type Output = Result<Response<ResponseBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let state = this.state;
        this.observed.poll(|observed| state.poll(cx, observed))
    }
}

impl<S, B, RB> State<S, B, RB>
where
    S: Service<Request<Verified>, Response = Response<RB>>,
    B: Body,
    RB: Body<Error: fmt::Display>,
{
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        observed: &observe::Delivery,
    ) -> Poll<Result<Response<ResponseBody>, S::Error>> {
        loop {
            let next = match self.as_mut().project() {
                StateProjection::Ready { response } => {
                    return Poll::Ready(Ok(taken(response)));
                }
                StateProjection::Read { body, pending } => {
                    let body = ready!(body.poll(cx));
                    let pending = taken(pending);
                    let is_signed = pending.opener.is_signed;
                    match body
                        .map_err(|error| Rejection::from(error).signed(is_signed))
                        .and_then(|body| pending.open(body, observed))
                    {
                        Ok((request, inner, finish)) => State::Call {
                            response: inner.oneshot(request),
                            finish: Some(finish),
                        },
                        Err(rejection) => State::Ready {
                            response: Some(rejection.into_response(observed)),
                        },
                    }
                }
                StateProjection::Call { response, finish } => {
                    let (head, body) = ready!(response.poll(cx))?.into_parts();
                    State::Collect {
                        body: ReadBody::of_response(body),
                        head: Some(head),
                        finish: finish.take(),
                    }
                }
                StateProjection::Collect { body, head, finish } => {
                    let body = ready!(body.poll(cx));
                    let (head, finish) = (taken(head), taken(finish));
                    return Poll::Ready(Ok(match body {
                        Ok(body) => finish.finish(head, body),
                        Err(error) => {
                            observe::response_unreadable(&finish.account, &error);
                            response::failure()
                        }
                    }));
                }
            };
            self.set(next);
        }
    }
}

/// Takes the value that a state holds until it ends.
#[expect(clippy::panic, reason = "a future's contract: not to be polled again")]
fn taken<T>(held: &mut Option<T>) -> T {
    match held.take() {
        Some(held) => held,
        None => panic!("`ResponseFuture` polled after completion"),
    }
}

impl<S, B, RB> fmt::Debug for ResponseFuture<S, B, RB>
where
    S: Service<Request<Verified>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
