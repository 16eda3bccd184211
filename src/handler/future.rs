//! Waits for the handler, and renders its reply as the response.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::service::Texts;
use crate::{
    call::Call,
    delivery::Verified,
    observe,
    reply::{HandlerError, IntoReply},
    response::{self, ResponseBody},
};

pin_project! {
    /// The response future of [`MessageService`](super::MessageService).
    ///
    /// `F` is the handler's future.
    pub struct ResponseFuture<H, F, M> {
        #[pin]
        state: State<H, F, M>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<H, F, M> {
        /// The handler does not get the message.
        Acknowledge,
        Handle {
            #[pin]
            call: Call<H, F, Request<M>>,
            // Its sender gets the reply.
            message: Verified,
            texts: Texts,
            // Whether `Dedup` sees the response, and sends what its body does not show.
            is_behind_dedup: bool,
        },
    }
}

impl<H, F, M> ResponseFuture<H, F, M> {
    pub(super) fn acknowledge() -> Self {
        Self {
            state: State::Acknowledge,
        }
    }

    pub(super) fn handle(
        handler: H,
        request: Request<M>,
        message: Verified,
        texts: Texts,
        is_behind_dedup: bool,
    ) -> Self {
        Self {
            state: State::Handle {
                call: Call::new(handler, request),
                message,
                texts,
                is_behind_dedup,
            },
        }
    }
}

impl<H, M> Future for ResponseFuture<H, H::Future, M>
where
    H: Service<Request<M>, Response: IntoReply, Error: fmt::Display>,
{
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project().state.project() {
            StateProject::Acknowledge => response::success(),
            StateProject::Handle {
                call,
                message,
                texts,
                is_behind_dedup,
            } => {
                let reply = match ready!(call.poll(cx)) {
                    Ok(value) => value.into_reply(),
                    Err(error) => Err(HandlerError::new(&error)),
                };
                match reply {
                    Ok(mut reply) => {
                        reply.add_footer(texts.footer());
                        let response = response::of_reply(reply, message, texts.cut_marker());
                        if !*is_behind_dedup && let Some(rest) = response.body().rest() {
                            let account = message.delivery().account();
                            observe::reply_cut(account, rest.count_parts());
                        }
                        response
                    }
                    Err(error) => {
                        message.trace().record_trouble(&error);
                        observe::handler_failed(message.delivery().account(), &error);
                        response::failure()
                    }
                }
            }
        }))
    }
}

impl<H, F, M> fmt::Debug for ResponseFuture<H, F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
