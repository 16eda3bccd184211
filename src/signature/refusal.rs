use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::envelope;

/// Why a request was refused.
///
/// [`VerifySignature`](super::VerifySignature) puts it into the extensions of every refusing
/// response, for layers around it; the client sees the status alone.
#[derive(Debug, Clone)]
pub struct Refusal {
    kind: RefusalKind,
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind) -> Self {
        Self { kind }
    }

    /// What was wrong.
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            RefusalKind::UnknownAccount => StatusCode::NOT_FOUND,
            RefusalKind::Method => StatusCode::METHOD_NOT_ALLOWED,
            RefusalKind::Signature | RefusalKind::Stale => StatusCode::FORBIDDEN,
            RefusalKind::Parameters
            | RefusalKind::Echostr
            | RefusalKind::BodyEmpty
            | RefusalKind::BodyUnreadable
            | RefusalKind::Envelope(_) => StatusCode::BAD_REQUEST,
            RefusalKind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RefusalKind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The response that answers it. `observe` finds it there, tells and counts it.
    pub(super) fn answer(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = self.status();
        if self.kind == RefusalKind::Method {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// A signature that is wrong is one, wherever it was found out.
impl From<envelope::Error> for Refusal {
    fn from(error: envelope::Error) -> Self {
        Self::new(match error.kind() {
            envelope::ErrorKind::Signature => RefusalKind::Signature,
            envelope::ErrorKind::Parameters => RefusalKind::Parameters,
            kind => RefusalKind::Envelope(kind),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RefusalKind::UnknownAccount => "expected a known account's callback, found another",
            RefusalKind::Method => "expected GET or POST, found another method",
            RefusalKind::Parameters => {
                "expected a callback's query, found a parameter missing, malformed or repeated"
            }
            RefusalKind::Signature => "expected a signature made with the account's token",
            RefusalKind::Stale => "expected a timestamp near the present time",
            RefusalKind::Echostr => "expected an echostr of 1 to 256 visible ASCII characters",
            RefusalKind::BodyEmpty => "expected a message in the body, found nothing",
            RefusalKind::BodyTooLarge => "expected a body within the limit, found a larger one",
            RefusalKind::BodyTimeout => "expected the whole body in time",
            RefusalKind::BodyUnreadable => "expected a whole body, found it broken off",
            RefusalKind::Envelope(_) => "expected a body that the account's key opens",
        })
    }
}

impl std::error::Error for Refusal {}

/// The kinds of [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// There is no account at this URL: 404.
    UnknownAccount,
    /// Neither GET nor POST: 405.
    Method,
    /// One of the query's signed parameters is missing, malformed or given twice, or the query is
    /// longer than 4096 bytes: 400.
    Parameters,
    /// None of the account's tokens makes this signature: 403.
    ///
    /// Not from WeChat, or the token differs from the console's.
    Signature,
    /// The timestamp is too far from this server's clock: 403.
    ///
    /// An old delivery sent again by somebody, or a clock that is wrong.
    Stale,
    /// A verified GET without an echostr of 1 to 256 visible ASCII characters: 400.
    Echostr,
    /// A verified POST without a body: 400.
    BodyEmpty,
    /// The body is larger than the limit: 413.
    BodyTooLarge,
    /// The whole body was not there in time: 408.
    BodyTimeout,
    /// The body broke off: 400.
    BodyUnreadable,
    /// The body of an encrypted account cannot be opened, for this reason: 400, whichever it is.
    Envelope(envelope::ErrorKind),
}
