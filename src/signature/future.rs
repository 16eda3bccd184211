use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request, response};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::Collect};
use pin_project_lite::pin_project;
use tower::{BoxError, Service, ServiceExt, util::Oneshot};

use crate::{
    observe,
    signature::{Delivery, Refusal, Verified, body::ReadBody},
};

pin_project! {
    /// The response of [`VerifySignature`](super::VerifySignature).
    pub struct ResponseFuture<S, B, RB>
    where
        S: Service<Request<Verified>>,
        RB: Body,
    {
        #[pin]
        state: State<S, B, RB>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, RB>
    where
        S: Service<Request<Verified>>,
        RB: Body,
    {
        /// Decided by the head alone.
        Answer { response: Option<Response<Full<Bytes>>> },
        Read {
            #[pin]
            body: ReadBody<B>,
            pending: Option<Pending<S>>,
        },
        Call {
            #[pin]
            response: Oneshot<S, Request<Verified>>,
            account: Arc<str>,
        },
        /// The inner service has answered; its body is read.
        Collect {
            #[pin]
            body: Collect<RB>,
            head: Option<response::Parts>,
            account: Arc<str>,
        },
    }
}

/// What waits for the body.
struct Pending<S> {
    head: request::Parts,
    delivery: Delivery,
    inner: S,
}

impl<S, B, RB> ResponseFuture<S, B, RB>
where
    S: Service<Request<Verified>>,
    RB: Body,
{
    pub(super) fn answer(response: Response<Full<Bytes>>) -> Self {
        Self {
            state: State::Answer {
                response: Some(response),
            },
        }
    }

    pub(super) fn read(
        body: ReadBody<B>,
        head: request::Parts,
        delivery: Delivery,
        inner: S,
    ) -> Self {
        Self {
            state: State::Read {
                body,
                pending: Some(Pending {
                    head,
                    delivery,
                    inner,
                }),
            },
        }
    }
}

impl<S, B, RB> Future for ResponseFuture<S, B, RB>
where
    S: Service<Request<Verified>, Response = Response<RB>>,
    B: Body,
    RB: Body<Error: Into<BoxError>>,
{
    type Output = Result<Response<Full<Bytes>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            let next = match state.as_mut().project() {
                StateProjection::Answer { response } => {
                    return Poll::Ready(Ok(taken(response)));
                }
                StateProjection::Read { body, pending } => {
                    let body = ready!(body.poll(cx));
                    let Pending {
                        mut head,
                        delivery,
                        inner,
                    } = taken(pending);
                    let account = Arc::clone(&delivery.account);
                    match body {
                        Ok(plaintext) => {
                            head.extensions.insert(delivery);
                            let body = Verified::assume(plaintext);
                            State::Call {
                                response: inner.oneshot(Request::from_parts(head, body)),
                                account,
                            }
                        }
                        Err(kind) => State::Answer {
                            response: Some(Refusal::new(kind).answer(&account)),
                        },
                    }
                }
                StateProjection::Call { response, account } => {
                    let (head, body) = ready!(response.poll(cx))?.into_parts();
                    State::Collect {
                        body: body.collect(),
                        head: Some(head),
                        account: Arc::clone(account),
                    }
                }
                StateProjection::Collect {
                    body,
                    head,
                    account,
                } => {
                    let body = ready!(body.poll(cx));
                    let head = taken(head);
                    return Poll::Ready(Ok(match body {
                        Ok(body) => Response::from_parts(head, Full::new(body.to_bytes())),
                        Err(error) => {
                            observe::response_broken_off(account, &error.into());
                            let mut response = Response::new(Full::default());
                            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                            response
                        }
                    }));
                }
            };
            state.set(next);
        }
    }
}

/// Takes what a state holds until it is over.
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
    RB: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
