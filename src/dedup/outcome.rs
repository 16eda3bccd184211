use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::BoxError;

/// What a message's run came to: the response that every delivery of the message gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

impl Outcome {
    /// Keeps what WeChat reads of a response.
    pub(super) async fn of<B>(response: Response<B>) -> Result<Self, BoxError>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let (head, body) = response.into_parts();
        Ok(Self {
            status: head.status,
            content_type: head.headers.get(CONTENT_TYPE).cloned(),
            body: body.collect().await.map_err(Into::into)?.to_bytes(),
        })
    }

    /// `success`: the user sees nothing.
    pub(super) fn success() -> Self {
        Self {
            status: StatusCode::OK,
            content_type: Some(HeaderValue::from_static("text/plain")),
            body: Bytes::from_static(b"success"),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
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
