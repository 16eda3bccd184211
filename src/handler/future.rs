use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower::BoxError;

use crate::{
    Reply, observe,
    reply::{self, Addressing},
    signature::Delivery,
};

pin_project! {
    /// The future of [`MessageService`](super::MessageService): the handler's, and then the answer.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<F> {
        /// The message was not for the handler.
        Acknowledged,
        Handled {
            #[pin]
            handler: F,
            inbound: Inbound,
        },
    }
}

/// What is kept of a delivery while its handler runs.
pub(super) struct Inbound {
    /// For the reply's addressing: the handler owns the message.
    pub(super) plaintext: Bytes,
    pub(super) delivery: Option<Delivery>,
}

impl Inbound {
    pub(super) fn account(&self) -> &str {
        self.delivery.as_ref().map_or("", Delivery::account)
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn acknowledged() -> Self {
        Self {
            state: State::Acknowledged,
        }
    }

    pub(super) fn handled(handler: F, inbound: Inbound) -> Self {
        Self {
            state: State::Handled { handler, inbound },
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: Into<Reply>,
    E: Into<BoxError>,
{
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project().state.project() {
            StateProject::Acknowledged => success(),
            StateProject::Handled { handler, inbound } => match ready!(handler.poll(cx)) {
                Ok(reply) => {
                    let reply = reply.into();
                    let mut response = answer(&reply, &inbound.plaintext, inbound.account());
                    // For dedup, which may have to send it another way.
                    response.extensions_mut().insert(Arc::new(reply));
                    response
                }
                Err(error) => {
                    observe::handler_failed(inbound.account(), &error.into());
                    failure()
                }
            },
        }))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// The response that sends `reply` to the sender of the message `plaintext`.
pub(crate) fn answer(reply: &Reply, plaintext: &[u8], account: &str) -> Response<Full<Bytes>> {
    match render(reply, plaintext) {
        Ok(None) => success(),
        Ok(Some(xml)) => ok("application/xml", xml.into()),
        // Running the handler again would not make the reply any better, and a fault in the user's
        // chat tells the wrong person.
        Err(error) => {
            observe::reply_dropped(account, &error);
            success()
        }
    }
}

fn render(reply: &Reply, plaintext: &[u8]) -> Result<Option<String>, reply::Error> {
    if reply.is_success() {
        return Ok(None);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let create_time = now.map_or(0, |since| since.as_secs());
    reply.to_xml(&Addressing::answering(plaintext)?, create_time)
}

fn success() -> Response<Full<Bytes>> {
    ok("text/plain", Bytes::from_static(b"success"))
}

/// A 200: WeChat takes every other status for a failure.
fn ok(content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn failure() -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
