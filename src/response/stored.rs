//! The response that is kept for the retries of a message.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;

use super::{Content, ResponseBody, Whole};
use crate::{
    body::{ReadBody, ReadError},
    key::{Key, Wanted},
    reply::{self, Reply},
};

/// The response of a message's run, kept for every delivery of the message.
///
/// It has the parts of a response that WeChat reads: status, Content-Type and body. All other headers, trailers and
/// extensions are dropped. Clones share the body.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    status: StatusCode,
    content_type: Option<ContentType>,
    /// Not `Bytes`: they may be a slice, which keeps a whole buffer.
    body: Arc<[u8]>,
    behind: Behind,
}

/// The values of our own responses take no memory.
#[derive(Clone, PartialEq, Eq)]
enum ContentType {
    Own(&'static HeaderValue),
    Other(Arc<HeaderValue>),
}

impl ContentType {
    fn new(value: HeaderValue) -> Self {
        match OWN.iter().find(|own| **own == value) {
            Some(own) => Self::Own(own),
            // A copy: what a client has read is a slice of its buffer.
            None => Self::Other(
                HeaderValue::from_bytes(value.as_bytes())
                    .unwrap_or(value)
                    .into(),
            ),
        }
    }
}

static OWN: [HeaderValue; 3] = [
    HeaderValue::from_static(reply::XML),
    HeaderValue::from_static(reply::JSON),
    HeaderValue::from_static(reply::PLAIN),
];

/// What stands behind the body.
#[derive(Clone, PartialEq, Eq)]
enum Behind {
    /// What the body says.
    Body,
    /// This reply.
    Whole(Arc<Whole>),
    /// A part that was kept for the user's next message, which has taken it out of the mailbox.
    Mailbox(Box<Taken>),
}

/// A part that a message has taken out of the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The message that it answers.
    pub(crate) question: Key,
    /// Its number among the parts of the answer.
    pub(crate) number: u32,
    /// Who has taken it.
    pub(crate) owner: [u8; 16],
}

impl StoredResponse {
    /// Makes a response of these parts. The body is copied.
    pub fn new(
        status: StatusCode,
        content_type: Option<HeaderValue>,
        body: impl AsRef<[u8]>,
    ) -> Self {
        Self::sharing(status, content_type, body.as_ref().into())
    }

    fn sharing(status: StatusCode, content_type: Option<HeaderValue>, body: Arc<[u8]>) -> Self {
        Self {
            status,
            content_type: content_type.map(ContentType::new),
            body,
            behind: Behind::Body,
        }
    }

    /// Keeps a response of our own.
    pub(crate) fn of_own(response: &Response<ResponseBody>) -> Self {
        let body = response.body();
        let content_type = response.headers().get(CONTENT_TYPE).cloned();
        let bytes = match &body.content {
            Content::Shared(bytes) => Arc::clone(bytes),
            Content::Bytes(bytes) => Arc::from(&**bytes),
        };
        Self {
            behind: body.whole.clone().map_or(Behind::Body, Behind::Whole),
            ..Self::sharing(response.status(), content_type, bytes)
        }
    }

    /// Keeps a response of the inner service, whose body is read to its end.
    pub(crate) fn of<B>(
        response: Response<B>,
    ) -> impl Future<Output = Result<Self, ReadError<B::Error>>>
    where
        B: Body + 'static,
    {
        // A service may answer with any body; one that a `MessageService` made is not read, and carries the reply.
        let any: &dyn Any = &response;
        let own = any.downcast_ref::<Response<ResponseBody>>();
        let own = own.map(Self::of_own);
        let (head, body) = response.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).cloned();
        async move {
            if let Some(own) = own {
                return Ok(own);
            }
            let body = ReadBody::of_response(body).await?;
            Ok(Self::new(head.status, content_type, body))
        }
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
        self.content_type.as_ref().map(|value| match value {
            ContentType::Own(value) => *value,
            ContentType::Other(value) => value,
        })
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns what belongs to the response and is not in its body, in a form that only this crate reads. `None` for most
    /// responses. A store keeps it beside the body, at most as long as the body.
    pub fn attachment(&self) -> Option<Bytes> {
        match &self.behind {
            Behind::Body => None,
            Behind::Whole(whole) => whole.encode(self.is_json()).map(Bytes::from),
            Behind::Mailbox(taken) => {
                let (question, number) = (taken.question.as_bytes(), taken.number.to_be_bytes());
                Some([MAILBOX, question, &number, &taken.owner].concat().into())
            }
        }
    }

    /// Adds what [`attachment`](Self::attachment) has returned. What the crate cannot read is left out.
    #[must_use]
    pub fn with_attachment(mut self, attachment: &[u8]) -> Self {
        let whole = || Whole::decode(attachment).map(|whole| Behind::Whole(Arc::new(whole)));
        let taken = Taken::decode(attachment).map(|taken| Behind::Mailbox(Box::new(taken)));
        self.behind = taken.or_else(whole).unwrap_or(Behind::Body);
        self
    }

    /// Marks it as a part that was taken out of the mailbox.
    pub(crate) fn out_of_mailbox(mut self, taken: Taken) -> Self {
        self.behind = Behind::Mailbox(Box::new(taken));
        self
    }

    /// The part that it is.
    pub(crate) fn taken(&self) -> Option<Taken> {
        match &self.behind {
            Behind::Mailbox(taken) => Some(**taken),
            Behind::Body | Behind::Whole(_) => None,
        }
    }

    fn is_json(&self) -> bool {
        let content_type = self.content_type();
        content_type.is_some_and(|it| it == "application/json")
    }

    /// The reply. `None` if the body says none that a user could see.
    pub(crate) fn reply(&self) -> Option<Reply> {
        match &self.behind {
            Behind::Whole(whole) if whole.reply.is_custom() => None,
            Behind::Whole(whole) => Some(whole.reply.clone()),
            Behind::Body | Behind::Mailbox(_) => Reply::read_body(self.body()),
        }
    }

    /// What a delivery that gets it does not show of the reply.
    pub(crate) fn rest(&self) -> Option<&Reply> {
        match &self.behind {
            Behind::Whole(whole) => whole.rest.as_ref(),
            Behind::Body | Behind::Mailbox(_) => None,
        }
    }

    /// Whether a delivery that gets it shows the user nothing.
    pub(crate) fn is_silent(&self) -> bool {
        self.status() == StatusCode::OK && reply::is_silent(self.body())
    }

    /// Whether it ends the retries of a push that wants this answer.
    pub(crate) fn is_wanted(&self, wants: Wanted) -> bool {
        self.status() == StatusCode::OK
            && match reply::err_code(self.body()) {
                Some(code) => code == 0,
                None => wants == Wanted::Any,
            }
    }

    /// Whether the service says that it has failed, so that another run may succeed.
    pub(crate) fn is_failure(&self) -> bool {
        self.status().is_server_error()
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        let behind = match &self.behind {
            Behind::Body | Behind::Mailbox(_) => 0,
            Behind::Whole(whole) => {
                let rest = whole.rest.as_ref().map_or(0, Reply::text_len);
                whole.reply.text_len() + rest
            }
        };
        let content_type = self.content_type();
        self.body().len() + content_type.map_or(0, HeaderValue::len) + behind
    }

    /// Forgets all but what a delivery gets, and where it comes from: the message's task has the rest.
    pub(crate) fn without_reply(&self) -> Self {
        Self {
            status: self.status,
            content_type: self.content_type.clone(),
            body: Arc::clone(&self.body),
            behind: match &self.behind {
                Behind::Body | Behind::Whole(_) => Behind::Body,
                Behind::Mailbox(taken) => Behind::Mailbox(taken.clone()),
            },
        }
    }

    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        let content_type = self.content_type().cloned();
        let mut response = Response::new(ResponseBody::sharing(self.body));
        *response.status_mut() = self.status;
        if let Some(content_type) = content_type {
            *response.headers_mut() = super::headers_with(content_type);
        }
        response
    }
}

impl Whole {
    /// `None` if the body says it all. What a body in JSON says is not read.
    fn encode(&self, is_json: bool) -> Option<String> {
        if self.rest.is_none()
            && !self.reply.has_unwritten()
            && (!is_json || self.reply.is_custom())
        {
            return None;
        }
        // What has been rendered can be written.
        self.reply.encode(self.rest.as_ref()).ok()
    }

    fn decode(encoded: &[u8]) -> Option<Self> {
        let (reply, rest) = Reply::decode(str::from_utf8(encoded).ok()?).ok()?;
        Some(Self { reply, rest })
    }
}

impl Taken {
    fn decode(attachment: &[u8]) -> Option<Self> {
        let (question, rest) = attachment.strip_prefix(MAILBOX)?.split_first_chunk()?;
        let (number, owner) = rest.split_first_chunk()?;
        Some(Self {
            question: Key::from_bytes(*question),
            number: u32::from_be_bytes(*number),
            owner: owner.try_into().ok()?,
        })
    }
}

/// How the attachment of a response out of the mailbox begins.
const MAILBOX: &[u8] = b"mailbox";

/// Without the body, which is a user's.
impl fmt::Debug for StoredResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredResponse")
            .field("status", &self.status())
            .field("content_type", &self.content_type())
            .field("bytes", &self.body().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
