use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Service, util::Oneshot};

use crate::{
    delivery::Verified,
    observe,
    reply::{HandlerError, IntoReply},
    response::{self, ResponseBody},
};

pin_project! {
    /// The response future of [`MessageService`](super::MessageService).
    pub struct ResponseFuture<H, M>
    where
        H: Service<Request<M>>,
    {
        #[pin]
        state: State<H, M>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<H, M>
    where
        H: Service<Request<M>>,
    {
        /// The message is not for the handler.
        Acknowledge,
        Handle {
            #[pin]
            handler: Oneshot<H, Request<M>>,
            // The reply is addressed to its sender.
            message: Verified,
        },
    }
}

impl<H, M> ResponseFuture<H, M>
where
    H: Service<Request<M>>,
{
    pub(super) fn acknowledge() -> Self {
        Self {
            state: State::Acknowledge,
        }
    }

    pub(super) fn handle(handler: Oneshot<H, Request<M>>, message: Verified) -> Self {
        Self {
            state: State::Handle { handler, message },
        }
    }
}

impl<H, M> Future for ResponseFuture<H, M>
where
    H: Service<Request<M>, Response: IntoReply, Error: fmt::Display>,
{
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project().state.project() {
            StateProject::Acknowledge => response::success(),
            StateProject::Handle { handler, message } => {
                let reply = match ready!(handler.poll(cx)) {
                    Ok(value) => value.into_reply(),
                    Err(error) => Err(HandlerError::new(&error)),
                };
                match reply {
                    Ok(reply) => response::of_reply(reply, message),
                    Err(error) => {
                        observe::handler_failed(message.delivery().account(), &error);
                        response::failure()
                    }
                }
            }
        }))
    }
}

impl<H, M> fmt::Debug for ResponseFuture<H, M>
where
    H: Service<Request<M>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
