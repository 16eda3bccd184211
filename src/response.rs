//! The HTTP responses that the layers make.

use std::{
    borrow::Cow,
    convert::Infallible,
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};

use crate::{
    delivery::Verified,
    observe,
    reply::{self, Addressing, Rendered, Reply},
    timestamp::Timestamp,
};

/// The body of every response that the layers make: some bytes, all there.
#[derive(Clone, Default)]
pub struct ResponseBody {
    bytes: Bytes,
    reply: Option<Arc<Reply>>,
}

impl ResponseBody {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, reply: None }
    }

    /// Returns the bytes that have not been handed out as a frame.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes that have not been handed out as a frame, without copying them.
    pub fn to_bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Returns the reply that the body says, in the responses of [`MessageService`](crate::MessageService).
    ///
    /// Layers around it see the typed reply in this way. [`Dedup`](crate::dedup::Dedup) keeps it for late replies.
    pub fn reply(&self) -> Option<&Arc<Reply>> {
        self.reply.as_ref()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// Shows the length alone.
impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Makes the response that sends `reply` to the sender of `message`.
pub(crate) fn of_reply(reply: Reply, message: &Verified) -> Response<ResponseBody> {
    match render(&reply, message) {
        Ok(rendered) => {
            let content_type = rendered.content_type();
            let body = ResponseBody {
                bytes: match rendered.into_body() {
                    Cow::Borrowed(body) => Bytes::from_static(body.as_bytes()),
                    Cow::Owned(body) => Bytes::from(body),
                },
                reply: Some(Arc::new(reply)),
            };
            ok(content_type, body)
        }
        // Running the handler again would not improve the reply, and a fault text in the chat would tell the user
        // instead of the developer.
        Err(error) => {
            observe::reply_dropped(message.delivery().account(), &error);
            success()
        }
    }
}

fn render(reply: &Reply, message: &Verified) -> Result<Rendered, reply::Error> {
    let now = Timestamp::from(SystemTime::now());
    if reply.is_success() {
        return reply.render(&Addressing::new("", ""), now);
    }
    let head = message.head().map_err(|_| reply::Error::unaddressed())?;
    reply.render(&Addressing::answering(head), now)
}

/// Acknowledges a message; the user sees nothing.
pub(crate) fn success() -> Response<ResponseBody> {
    ok(
        "text/plain",
        ResponseBody::new(Bytes::from_static(b"success")),
    )
}

/// Makes a 200: WeChat takes every other status for a failure.
fn ok(content_type: &'static str, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Makes a 500, which [`Dedup`](crate::dedup::Dedup) takes for a failed run.
pub(crate) fn failure() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
