//! Reads the body, calls the inner service, and seals its response.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::{decision::Opener, rejection::Rejection};
use crate::{
    account::Account,
    body::ReadBody,
    call::{Call, taken},
    callback::{Sealer, seal_reply},
    delivery::{Delivery, Verified},
    observe, reply,
    response::{self, ResponseBody},
};

pin_project! {
    /// The response future of [`VerifySignature`](super::VerifySignature).
    ///
    /// `F` is the inner service's future.
    pub struct ResponseFuture<S, F, B, RB> {
        #[pin]
        state: State<S, F, B, RB>,
        observed: observe::DeliveryGuard,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, B, RB> {
        /// The layer answers without the inner service.
        Ready { response: Option<Response<ResponseBody>> },
        Read {
            #[pin]
            body: ReadBody<B>,
            pending: Option<Pending<S>>,
        },
        Call {
            #[pin]
            call: Call<S, F, Request<Verified>>,
            finish: Option<Finish>,
        },
        /// The inner service has answered, and the body of its response is read.
        Collect {
            #[pin]
            body: ReadBody<RB>,
            head: Option<Parts>,
            finish: Option<Finish>,
        },
    }
}

/// The parts of a delivery that wait for its body.
pub(super) struct Pending<S> {
    pub(super) head: request::Parts,
    pub(super) delivery: Delivery,
    pub(super) opener: Opener,
    pub(super) inner: S,
}

impl<S> Pending<S> {
    /// Opens the body. Returns the request for the inner service, that service, and the [`Finish`] for its response; `None`
    /// if the layer answers the request with `success`.
    fn open(
        mut self,
        body: Bytes,
        observed: &observe::DeliveryGuard,
    ) -> Result<Option<(Request<Verified>, S, Finish)>, Rejection> {
        let Some(opened) = self.opener.open(body, &mut self.delivery)? else {
            observed.record_probe();
            return Ok(None);
        };
        if opened.has_replaced_bytes() {
            observe::plaintext_lossy(self.delivery.account());
        }
        let (plaintext, head, sealer) = opened.into_parts();
        let finish = Finish {
            account: self.opener.account,
            sealer,
        };
        let verified = Verified::new(plaintext, head, self.delivery, observed.trace());
        observed.record_verified(|| verified.head());
        let request = Request::from_parts(self.head, verified);
        Ok(Some((request, self.inner, finish)))
    }
}

/// Finishes the inner service's response: seals it if the message was encrypted.
struct Finish {
    account: Account,
    sealer: Option<Sealer>,
}

impl Finish {
    fn finish(
        self,
        response: Response<ResponseBody>,
        observed: &observe::DeliveryGuard,
    ) -> Response<ResponseBody> {
        observed.record_inner_answer(match response.status() {
            StatusCode::OK if reply::is_silent(response.body().as_bytes()) => {
                observe::Answer::Silent
            }
            StatusCode::OK => observe::Answer::Reply,
            status => observe::Answer::Status(status.as_u16()),
        });
        let Some(sealer) = self.sealer else {
            return response.map(ResponseBody::without_reply);
        };
        let (mut head, body) = response.into_parts();
        // Seals whatever the status is: no answer to an encrypted message may leave in plaintext.
        match seal_reply(Some(&sealer), body.to_bytes()) {
            Ok(answer) => {
                if let Some(content_type) = answer.content_type() {
                    let content_type = HeaderValue::from_static(content_type);
                    head.headers.insert(header::CONTENT_TYPE, content_type);
                    head.headers.remove(header::CONTENT_LENGTH);
                }
                Response::from_parts(head, ResponseBody::new(answer.into_body()))
            }
            Err(error) => {
                observe::reply_not_sealed(self.account.name(), error);
                response::failure()
            }
        }
    }
}

impl<S, F, B, RB> ResponseFuture<S, F, B, RB> {
    pub(super) fn ready(
        response: Response<ResponseBody>,
        observed: observe::DeliveryGuard,
    ) -> Self {
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
        observed: observe::DeliveryGuard,
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

impl<S, B, RB> Future for ResponseFuture<S, S::Future, B, RB>
where
    S: Service<Request<Verified>, Response = Response<RB>>,
    B: Body,
    RB: Body<Error: fmt::Display> + 'static,
{
    type Output = Result<Response<ResponseBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let state = this.state;
        this.observed.poll(|observed| state.poll(cx, observed))
    }
}

impl<S, B, RB> State<S, S::Future, B, RB>
where
    S: Service<Request<Verified>, Response = Response<RB>>,
    B: Body,
    RB: Body<Error: fmt::Display> + 'static,
{
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        observed: &observe::DeliveryGuard,
    ) -> Poll<Result<Response<ResponseBody>, S::Error>> {
        loop {
            let next = match self.as_mut().project() {
                StateProjection::Ready { response } => {
                    return Poll::Ready(Ok(taken(response)));
                }
                StateProjection::Read { body, pending } => {
                    let body = ready!(body.poll(cx));
                    let pending = taken(pending);
                    match body
                        .map_err(|error| pending.opener.reject(error))
                        .and_then(|body| pending.open(body, observed))
                    {
                        Ok(Some((request, inner, finish))) => State::Call {
                            call: Call::new(inner, request),
                            finish: Some(finish),
                        },
                        Ok(None) => State::Ready {
                            response: Some(response::success()),
                        },
                        Err(rejection) => State::Ready {
                            response: Some(rejection.into_response(observed)),
                        },
                    }
                }
                StateProjection::Call { call, finish } => {
                    let response = match response::into_own(ready!(call.poll(cx))?) {
                        Ok(own) => {
                            return Poll::Ready(Ok(taken(finish).finish(own, observed)));
                        }
                        Err(response) => response,
                    };
                    let (head, body) = response.into_parts();
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
                        Ok(body) => {
                            let body = ResponseBody::new(body);
                            finish.finish(Response::from_parts(head, body), observed)
                        }
                        Err(error) => {
                            observe::response_unreadable(finish.account.name(), &error);
                            response::failure()
                        }
                    }));
                }
            };
            self.set(next);
        }
    }
}

impl<S, F, B, RB> fmt::Debug for ResponseFuture<S, F, B, RB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
