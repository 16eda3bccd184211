use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request, response};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::Collect};
use pin_project_lite::pin_project;
use tower::{BoxError, Service, ServiceExt, util::Oneshot};

use crate::{
    envelope::Sealer,
    observe,
    signature::{Delivery, Refusal, Verified, body::ReadBody, rules::Encrypted},
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
        observed: observe::Delivery,
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
            answer: Option<Answer>,
        },
        /// The inner service has answered; its body is read.
        Collect {
            #[pin]
            body: Collect<RB>,
            head: Option<response::Parts>,
            answer: Option<Answer>,
        },
    }
}

/// What waits for the body.
pub(super) struct Pending<S> {
    pub(super) head: request::Parts,
    pub(super) delivery: Delivery,
    pub(super) encrypted: Option<Encrypted>,
    pub(super) inner: S,
}

impl<S> Pending<S> {
    /// The request for the inner service, and what seals the answer to it.
    fn verified(
        self,
        body: Bytes,
        observed: &observe::Delivery,
    ) -> Result<(Request<Verified>, S, Option<Sealer>), Refusal> {
        let (plaintext, sealer) = match &self.encrypted {
            None => (body, None),
            Some(encrypted) => {
                let (plaintext, sealer) = encrypted.open(&body)?.into_parts();
                (plaintext, Some(sealer))
            }
        };
        let mut head = self.head;
        head.extensions.insert(self.delivery);
        observed.is_verified(&plaintext, &mut head.extensions);
        let request = Request::from_parts(head, Verified::assume(plaintext));
        Ok((request, self.inner, sealer))
    }
}

/// What waits for the inner service's answer.
struct Answer {
    account: Arc<str>,
    sealer: Option<Sealer>,
}

impl Answer {
    fn finish(self, mut head: response::Parts, body: Bytes) -> Response<Full<Bytes>> {
        let Some(sealer) = self.sealer else {
            return Response::from_parts(head, Full::new(body));
        };
        // Whatever the status: nothing that was said under encryption leaves without it.
        match sealer.seal(&body) {
            Ok(answer) => {
                if answer.as_bytes() != body {
                    let content_type = HeaderValue::from_static(sealer.content_type());
                    head.headers.insert(header::CONTENT_TYPE, content_type);
                    head.headers.remove(header::CONTENT_LENGTH);
                }
                Response::from_parts(head, Full::from(answer))
            }
            Err(error) => {
                observe::reply_not_sealed(&self.account, error);
                failure()
            }
        }
    }
}

fn failure() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

impl<S, B, RB> ResponseFuture<S, B, RB>
where
    S: Service<Request<Verified>>,
    RB: Body,
{
    pub(super) fn answer(response: Response<Full<Bytes>>, observed: observe::Delivery) -> Self {
        Self {
            state: State::Answer {
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
    RB: Body<Error: Into<BoxError>>,
{
    type Output = Result<Response<Full<Bytes>>, S::Error>;

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
    RB: Body<Error: Into<BoxError>>,
{
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        observed: &observe::Delivery,
    ) -> Poll<Result<Response<Full<Bytes>>, S::Error>> {
        loop {
            let next = match self.as_mut().project() {
                StateProjection::Answer { response } => {
                    return Poll::Ready(Ok(taken(response)));
                }
                StateProjection::Read { body, pending } => {
                    let body = ready!(body.poll(cx));
                    let pending = taken(pending);
                    let account = Arc::clone(&pending.delivery.account);
                    match body
                        .map_err(Refusal::new)
                        .and_then(|body| pending.verified(body, observed))
                    {
                        Ok((request, inner, sealer)) => State::Call {
                            response: inner.oneshot(request),
                            answer: Some(Answer { account, sealer }),
                        },
                        Err(refusal) => State::Answer {
                            response: Some(refusal.answer()),
                        },
                    }
                }
                StateProjection::Call { response, answer } => {
                    let (head, body) = ready!(response.poll(cx))?.into_parts();
                    State::Collect {
                        body: body.collect(),
                        head: Some(head),
                        answer: answer.take(),
                    }
                }
                StateProjection::Collect { body, head, answer } => {
                    let body = ready!(body.poll(cx));
                    let (head, answer) = (taken(head), taken(answer));
                    return Poll::Ready(Ok(match body {
                        Ok(body) => answer.finish(head, body.to_bytes()),
                        Err(error) => {
                            observe::response_broken_off(&answer.account, &error.into());
                            failure()
                        }
                    }));
                }
            };
            self.set(next);
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
