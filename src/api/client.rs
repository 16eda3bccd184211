//! The HTTP client of an `Api`: any Tower service, as one type.

use std::{
    convert::Infallible,
    error::Error,
    fmt, io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, timeout_at};
use tower::{BoxError, Service, ServiceExt};

use super::error::Cause;
use crate::body::{ReadBody, ReadError};

/// The body of every request that an [`Api`](super::Api) makes: bytes that are all in memory.
///
/// The body of the request for an access token contains the AppSecret. `Debug` shows no contents.
#[derive(Clone, Default)]
pub struct RequestBody(Bytes);

impl RequestBody {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes that have not been read yet.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes that have not been read yet, without copying them.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.0)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// Shows the length of the body, not its contents.
impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("len", &self.0.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub struct Client(Arc<Exchange>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Sends a request, and reads the whole answer.
type Exchange =
    dyn Fn(Request<RequestBody>, Limits) -> BoxFuture<'static, Result<Answer, Cause>> + Send + Sync;

pub(super) type Answer = Response<Bytes>;

#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Of the whole call.
    pub(super) timeout: Duration,
    /// Of the answer's body, in bytes.
    pub(super) size: usize,
}

/// An HTTP client that an [`Api`](super::Api) can use. The [module docs](super#the-http-client) have examples.
///
/// It is any Tower service from `http::Request<RequestBody>` to `http::Response` that is `Clone`, `Send`, `Sync` and
/// `'static`. The response may have any body. There are no other implementations.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no HTTP client for an `Api`",
    label = "expected a Tower service from `http::Request<RequestBody>` to `http::Response`",
    note = "it must be `Clone + Send + Sync + 'static`, its future `Send`, and its body `Send`"
)]
pub trait HttpClient: Sealed {}

impl<C: Sealed> HttpClient for C {}

/// What is behind an [`HttpClient`].
pub trait Sealed {
    fn into_client(self) -> Client;
}

impl<C, B> Sealed for C
where
    C: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
    B: Body<Error: Into<BoxError>> + Send + 'static,
{
    fn into_client(self) -> Client {
        let client = self;
        Client(Arc::new(move |request, limits| {
            let response = client.clone().oneshot(request);
            async move {
                let deadline = Instant::now() + limits.timeout;
                let (head, body) = match timeout_at(deadline, response).await {
                    Ok(Ok(response)) => response.into_parts(),
                    Ok(Err(error)) => return Err(failed(&error.into())),
                    Err(_elapsed) => return Err(Cause::Timeout(limits.timeout)),
                };
                match ReadBody::new(body, limits.size, Some(deadline)).await {
                    Ok(body) => Ok(Response::from_parts(head, body)),
                    Err(ReadError::TooLarge) => Err(Cause::TooLarge(limits.size)),
                    Err(ReadError::Timeout) => Err(Cause::Timeout(limits.timeout)),
                    Err(ReadError::Body(error)) => Err(Cause::Client(text(&error.into()))),
                }
            }
            .boxed()
        }))
    }
}

impl Client {
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
        limits: Limits,
    ) -> Result<Answer, Cause> {
        (self.0)(request, limits).await
    }
}

/// Tells a request that was sent from one that had no connection, as far as the sources of the error say so.
fn failed(error: &BoxError) -> Cause {
    let mut is_unreached = false;
    let mut source: Option<&(dyn Error + 'static)> = Some(&**error);
    for _ in 0..MAX_SOURCES {
        let Some(error) = source else { break };
        if let Some(error) = error.downcast_ref::<io::Error>()
            && UNREACHED.contains(&error.kind())
        {
            is_unreached = true;
        }
        source = error.source();
    }
    if is_unreached {
        Cause::Unreached(text(error))
    } else {
        Cause::Client(text(error))
    }
}

/// Returns the error's text with those of its sources. hyper-util's says "client error (Connect)", and only a source of
/// it says that the connection was refused.
fn text(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..MAX_SOURCES {
        let Some(error) = source else { break };
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = error.source();
    }
    text
}

const MAX_SOURCES: usize = 8;

/// The kinds of errors of a connection that has not come about.
const UNREACHED: [io::ErrorKind; 4] = [
    io::ErrorKind::ConnectionRefused,
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::NetworkUnreachable,
    io::ErrorKind::AddrNotAvailable,
];
