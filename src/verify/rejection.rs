//! Rejections, and the status and body of their responses.

use std::{error, fmt};

use http::{HeaderValue, Response, StatusCode, header};

use crate::{body::ReadError, callback, observe, response::ResponseBody};

/// The reason why a request was rejected.
///
/// [`VerifySignature`](super::VerifySignature) puts it into the extensions of each response that rejects a request, for
/// outer layers. The client sees only the status.
#[derive(Debug, Clone)]
pub struct Rejection {
    kind: RejectionKind,
    is_signed: bool,
}

impl Rejection {
    /// Makes the rejection of a request that anyone may have sent.
    pub(super) fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            is_signed: false,
        }
    }

    /// Sets whether a signature made with one of the account's tokens was valid.
    pub(super) fn signed(mut self, is_signed: bool) -> Self {
        self.is_signed = is_signed;
        self
    }

    /// Returns the kind of rejection.
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns whether a signature made with one of the account's tokens was valid.
    ///
    /// If it was, the request is from WeChat, or a copy of one from WeChat. Then a setting or a clock may be wrong, and
    /// the rejection is logged at WARN, or at ERROR if a setting rejects all deliveries. Otherwise anyone may have
    /// sent the request, and the rejection is logged at DEBUG. All are counted.
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            RejectionKind::UnknownAccount => StatusCode::NOT_FOUND,
            RejectionKind::AccountPanic => StatusCode::INTERNAL_SERVER_ERROR,
            RejectionKind::Method | RejectionKind::NotPost => StatusCode::METHOD_NOT_ALLOWED,
            RejectionKind::Address
            | RejectionKind::AddressUnknown
            | RejectionKind::Source
            | RejectionKind::Callback(
                callback::ErrorKind::Signature | callback::ErrorKind::Timestamp,
            ) => StatusCode::FORBIDDEN,
            RejectionKind::Callback(_)
            | RejectionKind::BodyEmpty
            | RejectionKind::BodyIncomplete => StatusCode::BAD_REQUEST,
            RejectionKind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RejectionKind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Logs and counts the rejection, and makes the response with it in the extensions.
    pub(super) fn into_response(self, observed: &observe::DeliveryGuard) -> Response<ResponseBody> {
        let severity = match self.is_signed {
            false => observe::Severity::Unsigned,
            true if self.kind.is_setting() => observe::Severity::Setting,
            true => observe::Severity::Signed,
        };
        observed.record_rejection(self.kind.name(), severity, &self);
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = self.status();
        let allowed = match self.kind {
            RejectionKind::Method => Some("GET, POST"),
            RejectionKind::NotPost => Some("POST"),
            _ => None,
        };
        if let Some(allowed) = allowed {
            let allowed = HeaderValue::from_static(allowed);
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<callback::Error> for Rejection {
    fn from(error: callback::Error) -> Self {
        Self::new(RejectionKind::Callback(error.kind())).signed(error.is_signed())
    }
}

impl<E> From<ReadError<E>> for Rejection {
    fn from(error: ReadError<E>) -> Self {
        Self::new(match error {
            ReadError::TooLarge => RejectionKind::BodyTooLarge,
            ReadError::Timeout => RejectionKind::BodyTimeout,
            ReadError::Body(_) => RejectionKind::BodyIncomplete,
        })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RejectionKind::UnknownAccount => "no known account has this URL",
            RejectionKind::AccountPanic => "the function that picks the account panicked",
            RejectionKind::Address => "the address is not on the allow-list",
            RejectionKind::AddressUnknown => {
                "the function of `with_allow_list` finds no address: let the server or the proxy pass it on"
            }
            RejectionKind::Source => "the header of WeChat's cloud hosting is missing",
            RejectionKind::Method => "no callback of WeChat: the method is neither GET nor POST",
            RejectionKind::NotPost => "the method is not POST: cloud hosting verifies no URL",
            RejectionKind::BodyEmpty => "the body is empty: something may have dropped it",
            RejectionKind::BodyTooLarge => "the body is larger than the limit",
            RejectionKind::BodyTimeout => "the whole body did not arrive in time",
            RejectionKind::BodyIncomplete => "the body ended too early",
            RejectionKind::Callback(kind) => kind.cause(self.is_signed),
        })
    }
}

impl error::Error for Rejection {}

/// The kinds of [`Rejection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The request has no account: 404.
    UnknownAccount,
    /// The function that picks the account panicked: 500.
    AccountPanic,
    /// The address is not on the [allow-list](super#an-allow-list): 403.
    Address,
    /// There is an [allow-list](super#an-allow-list), and the function that finds the address returned `None` or
    /// panicked: 403.
    AddressUnknown,
    /// The account is on [cloud hosting](crate::Account::insecure_cloud_hosting), and the request lacks the platform's
    /// header: 403.
    Source,
    /// The method is neither GET nor POST: 405.
    Method,
    /// The account is on [cloud hosting](crate::Account::insecure_cloud_hosting), and the method is not POST: 405.
    NotPost,
    /// A [check](crate::callback#checks) of the query or of the envelope failed: 403 for `Signature` and `Timestamp`,
    /// 400 for all others.
    Callback(callback::ErrorKind),
    /// A POST whose head passed the checks has an empty body: 400.
    BodyEmpty,
    /// The body is larger than the limit, or has more than 1024 frames without data: 413.
    BodyTooLarge,
    /// The whole body did not arrive in time: 408.
    BodyTimeout,
    /// Reading the body failed before its end: 400.
    BodyIncomplete,
}

impl RejectionKind {
    /// Returns whether WeChat's own deliveries are rejected for this reason until a setting is changed.
    fn is_setting(self) -> bool {
        match self {
            Self::AddressUnknown => true,
            Self::Callback(kind) => kind.is_setting(),
            _ => false,
        }
    }

    /// Returns the name of the kind in spans and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UnknownAccount => "unknown_account",
            Self::AccountPanic => "account_panic",
            Self::Address => "address",
            Self::AddressUnknown => "address_unknown",
            Self::Source => "source",
            Self::Method | Self::NotPost => "method",
            Self::BodyEmpty => "body_empty",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyIncomplete => "body_incomplete",
            Self::Callback(kind) => match kind {
                callback::ErrorKind::Parameters => "parameters",
                callback::ErrorKind::Signature => "signature",
                callback::ErrorKind::Timestamp => "timestamp",
                callback::ErrorKind::Echostr => "echostr",
                callback::ErrorKind::PlainAccount => "plain_account",
                callback::ErrorKind::EncryptedAccount => "encrypted_account",
                callback::ErrorKind::Document => "document",
                callback::ErrorKind::Ciphertext => "ciphertext",
                callback::ErrorKind::Padding => "padding",
                callback::ErrorKind::Length => "length",
                callback::ErrorKind::ReceiveId => "receive_id",
                callback::ErrorKind::Receiver => "receiver",
            },
        }
    }
}
