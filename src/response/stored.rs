//! The response that is kept for the retries of a message.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;

use super::ResponseBody;
use crate::{
    body::{ReadBody, ReadError},
    reply::{self, Reply},
};

/// The response of a message's run, kept for every delivery of the message.
///
/// It has the parts of a response that WeChat reads: status, Content-Type and body. All other headers, trailers and
/// extensions are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
    /// The reply that the body says, where a handler on this node made it.
    reply: Option<Arc<Reply>>,
}

impl StoredResponse {
    /// Makes a response of these parts.
    pub fn new(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Self {
        Self {
            status,
            content_type,
            body,
            reply: None,
        }
    }

    /// Keeps a response of our own.
    pub(crate) fn of_own(response: &Response<ResponseBody>) -> Self {
        let body = response.body();
        Self {
            status: response.status(),
            content_type: response.headers().get(CONTENT_TYPE).cloned(),
            body: body.to_bytes(),
            reply: body.reply().cloned(),
        }
    }

    /// Keeps a response of the inner service, whose body is read to its end.
    pub(crate) async fn of<B>(response: Response<B>) -> Result<Self, ReadError<B::Error>>
    where
        B: Body + 'static,
    {
        // A service may answer with any body; one that a `MessageService` made is not read, and carries the reply.
        let any: &dyn Any = &response;
        if let Some(own) = any.downcast_ref::<Response<ResponseBody>>() {
            return Ok(Self::of_own(own));
        }
        let (head, body) = response.into_parts();
        let body = ReadBody::of_response(body).await?;
        Ok(Self {
            status: head.status,
            content_type: head.headers.get(CONTENT_TYPE).cloned(),
            // A copy: a slice would keep the whole buffer that it is a part of.
            body: Bytes::copy_from_slice(&body),
            reply: None,
        })
    }

    /// Makes the response `success`: the user sees nothing.
    pub fn success() -> Self {
        Self::of_own(&super::success())
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the Content-Type.
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.as_ref()
    }

    /// Returns the body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn reply(&self) -> Option<&Reply> {
        self.reply.as_deref()
    }

    /// Whether a delivery that gets it shows the user nothing.
    pub(crate) fn is_silent(&self) -> bool {
        self.status == StatusCode::OK && reply::is_silent(&self.body)
    }

    /// Whether the service says that it has failed, so that another run may succeed.
    pub(crate) fn is_failure(&self) -> bool {
        self.status.is_server_error()
    }

    /// The memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + self.content_type.as_ref().map_or(0, HeaderValue::len)
    }

    /// Forgets the typed reply, which only a late reply needs.
    pub(crate) fn without_reply(mut self) -> Self {
        self.reply = None;
        self
    }

    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::new(self.body));
        *response.status_mut() = self.status;
        if let Some(content_type) = self.content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        response
    }
}

/// Without the body, which is a user's.
impl fmt::Debug for StoredResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredResponse")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
