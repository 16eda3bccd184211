//! The HTTP responses of the layers: from a reply, or the word `success`.

mod stored;

use std::{
    any::Any,
    borrow::Cow,
    convert::Infallible,
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};

pub use self::stored::StoredResponse;
pub(crate) use self::stored::Taken;
use crate::{
    body::RESPONSE_LIMIT,
    delivery::Verified,
    observe,
    reply::{self, Addressing, Rendered, Reply},
    timestamp::Timestamp,
};

/// The body of every response that the layers make: bytes that are all in memory.
#[derive(Clone, Default)]
pub struct ResponseBody {
    content: Content,
    whole: Option<Arc<Whole>>,
}

/// The bytes of a body that have not been read yet.
#[derive(Clone)]
enum Content {
    Bytes(Bytes),
    /// Those of a response that may be kept. One allocation: each further one would be a miss in the CPU's cache when it is
    /// freed, minutes later.
    Shared(Arc<[u8]>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Content {
    fn into_bytes(self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Shared(bytes) => Bytes::from_owner(bytes),
        }
    }
}

/// A reply, and what the passive reply does not show of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) reply: Reply,
    pub(crate) rest: Option<Reply>,
}

impl ResponseBody {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self {
            content: Content::Bytes(bytes),
            whole: None,
        }
    }

    fn sharing(bytes: Arc<[u8]>) -> Self {
        Self {
            content: Content::Shared(bytes),
            whole: None,
        }
    }

    /// Returns the bytes that have not been read yet.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.content {
            Content::Bytes(bytes) => bytes,
            Content::Shared(bytes) => bytes,
        }
    }

    /// Returns the bytes that have not been read yet, without copying them.
    pub fn to_bytes(&self) -> Bytes {
        self.content.clone().into_bytes()
    }

    /// Returns the typed reply behind the body, in a response of [`MessageService`](crate::MessageService).
    ///
    /// Layers around that service can read it here. [`Dedup`](crate::dedup::Dedup) keeps it for late replies.
    ///
    /// A layer that replaces the body, for example to compress it, loses the typed reply. If such a layer is between
    /// `Dedup` and `MessageService`, a late reply is read from the body, and what the body does not show is lost.
    pub fn reply(&self) -> Option<&Reply> {
        self.whole.as_ref().map(|whole| &whole.reply)
    }
}

/// Returns a response that this crate has made, or the response as it is. Its body has to be read if it may be too large.
pub(crate) fn into_own<B: 'static>(
    mut response: Response<B>,
) -> Result<Response<ResponseBody>, Response<B>> {
    let any: &mut dyn Any = &mut response;
    match any.downcast_mut::<Response<ResponseBody>>() {
        Some(own) if own.body().as_bytes().len() <= RESPONSE_LIMIT => Ok(mem::take(own)),
        _ => Err(response),
    }
}

impl ResponseBody {
    /// Drops the typed reply, which only layers around the handler read.
    pub(crate) fn without_reply(self) -> Self {
        Self {
            whole: None,
            ..self
        }
    }

    /// What the body does not show of the reply.
    pub(crate) fn rest(&self) -> Option<&Reply> {
        self.whole.as_ref()?.rest.as_ref()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let content = mem::take(&mut self.content);
        Poll::Ready(Some(Ok(Frame::data(content.into_bytes()))))
    }

    fn is_end_stream(&self) -> bool {
        self.as_bytes().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.as_bytes().len() as u64)
    }
}

/// Shows the length of the body, not its contents.
impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("len", &self.as_bytes().len())
            .finish_non_exhaustive()
    }
}

/// Makes the response that sends `reply` to the sender of `message`; `success` if the reply cannot be sent. A text that
/// is too long ends in `cut_marker`. The body carries what it does not show.
pub(crate) fn of_reply(
    reply: Reply,
    message: &Verified,
    cut_marker: &str,
) -> Response<ResponseBody> {
    match render(&reply, message, cut_marker) {
        Ok(mut rendered) => {
            let rest = rendered.take_rest();
            ok(rendered, Some(Arc::new(Whole { reply, rest })))
        }
        // Not a failure: another run would return the same reply, and the fault text in the chat would inform the
        // user instead of the developer.
        Err(error) => {
            message.trace().record_trouble(&error);
            observe::reply_dropped(message.delivery().account(), &error);
            success()
        }
    }
}

/// Makes the response that sends a reply that [need not be cut](Reply::check_whole).
pub(crate) fn of_whole_reply(reply: Reply, message: &Verified) -> Response<ResponseBody> {
    of_reply(reply, message, reply::CUT_MARKER)
}

fn render(reply: &Reply, message: &Verified, cut_marker: &str) -> Result<Rendered, reply::Error> {
    if reply.is_success() {
        return Ok(Rendered::success());
    }
    let head = message.head().map_err(|_| reply::Error::unaddressed())?;
    let addressing = Addressing::answering(head);
    reply.render_with_marker(&addressing, Timestamp::now(), cut_marker)
}

/// Makes the response that says this.
pub(crate) fn of_rendered(rendered: Rendered) -> Response<ResponseBody> {
    ok(rendered, None)
}

/// Makes the response that acknowledges a message; the user sees nothing.
pub(crate) fn success() -> Response<ResponseBody> {
    ok(Rendered::success(), None)
}

/// Makes a 200. WeChat treats every other status as a failure.
fn ok(rendered: Rendered, whole: Option<Arc<Whole>>) -> Response<ResponseBody> {
    let content_type = HeaderValue::from_static(rendered.content_type());
    let content = match rendered.into_body() {
        Cow::Borrowed(body) => Content::Bytes(Bytes::from_static(body.as_bytes())),
        Cow::Owned(body) => Content::Shared(body.into_bytes().into()),
    };
    let mut response = Response::new(ResponseBody { content, whole });
    *response.headers_mut() = headers_with(content_type);
    response
}

/// Makes the headers of a response, with room for two that a server adds, such as Content-Length. By default a map has room
/// for six, and a message makes two maps.
fn headers_with(content_type: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(CONTENT_TYPE, content_type);
    headers
}

/// Makes a 500. [`Dedup`](crate::dedup::Dedup) treats it as a failed run.
pub(crate) fn failure() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
