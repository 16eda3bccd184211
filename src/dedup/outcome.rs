use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::BoxError;

use crate::Reply;

/// What a message's run came to: the response that every delivery of the message gets.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
    /// What the body says, where our own handler made it.
    reply: Option<Arc<Reply>>,
}

impl Outcome {
    /// An outcome with what WeChat reads of a response.
    pub fn new(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Self {
        Self {
            status,
            content_type,
            body,
            reply: None,
        }
    }

    /// Keeps a response of our own.
    pub(super) fn of_full(response: Response<Full<Bytes>>) -> Self {
        // A `Full` neither waits nor fails.
        Self::of(response)
            .now_or_never()
            .and_then(Result::ok)
            .unwrap_or_else(Self::success)
    }

    /// Keeps what WeChat reads of a response.
    pub(super) async fn of<B>(response: Response<B>) -> Result<Self, BoxError>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(Into::into)?.to_bytes();
        Ok(Self {
            status: head.status,
            content_type: head.headers.get(CONTENT_TYPE).cloned(),
            // As a copy: a slice would keep the whole buffer that it is of.
            body: Bytes::copy_from_slice(&body),
            reply: head.extensions.get().cloned(),
        })
    }

    /// `success`: the user sees nothing.
    pub fn success() -> Self {
        Self {
            status: StatusCode::OK,
            content_type: Some(HeaderValue::from_static("text/plain")),
            body: Bytes::from_static(b"success"),
            reply: None,
        }
    }

    /// The response's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The response's Content-Type.
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.as_ref()
    }

    /// The response's body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub(super) fn reply(&self) -> Option<&Reply> {
        self.reply.as_deref()
    }

    /// Whether a delivery that gets it shows the user nothing.
    pub(super) fn is_silent(&self) -> bool {
        self.status == StatusCode::OK && matches!(&*self.body, b"" | b"success")
    }

    /// Whether the service says that it has failed, so that another run may do better.
    pub(super) fn is_failure(&self) -> bool {
        self.status.is_server_error()
    }

    /// What keeping it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.body.len()
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        if let Some(content_type) = self.content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        response
    }
}

/// Without the body, which is what a user is told.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
