//! The reasons why WeChat does not accept an answer.

use std::{error, fmt, time::Duration};

use http::StatusCode;

use super::BoxError;
use crate::callback;

/// The reason why WeChat does not accept the answer to a delivery, or gets none.
///
/// Its message may quote the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    message: String,
}

impl Fault {
    /// Returns the kind of fault.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(super) fn unsent(error: &http::Error) -> Self {
        Self::new(
            FaultKind::Unsent,
            format!("expected a URI to send to: {error}"),
        )
    }

    pub(super) fn connection(error: impl Into<BoxError>) -> Self {
        let error = error.into();
        let mut message = error.to_string();
        // The message of hyper-util is only "client error (Connect)"; its sources contain the cause.
        let mut source = error.source();
        while let Some(error) = source {
            message = format!("{message}: {error}");
            source = error.source();
        }
        Self::new(FaultKind::Connection, message)
    }

    pub(super) fn hung_up(after: Duration) -> Self {
        let message = format!("expected an answer within {} s", after.as_secs());
        Self::new(FaultKind::HungUp, message)
    }

    pub(super) fn lost() -> Self {
        Self::new(FaultKind::Lost, "the answer was lost on its way")
    }

    pub(super) fn status(found: StatusCode) -> Self {
        let message = format!("expected status 200, found {}", found.as_u16());
        Self::new(FaultKind::Status, message)
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Malformed, message)
    }

    pub(super) fn addressing(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Addressing, message)
    }

    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Limit, message)
    }

    pub(super) fn envelope(error: callback::Error) -> Self {
        let message = format!("expected a reply that WeChat can open: {error}");
        Self::new(FaultKind::Envelope, message)
    }

    pub(super) fn echo() -> Self {
        Self::new(FaultKind::Echo, "expected the echostr and nothing else")
    }

    pub(super) fn refused() -> Self {
        Self::new(FaultKind::Refused, "expected the ErrCode 0")
    }

    pub(super) fn probe() -> Self {
        Self::new(FaultKind::Echo, "expected `success` or nothing")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Fault {}

/// The kinds of [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The request could not be made; see [`Push::request`](super::Push::request).
    Unsent,
    /// The service failed: there was no connection, or it broke.
    Connection,
    /// The whole answer did not arrive within 5 s.
    HungUp,
    /// The answer was lost on its way, because of [`lose_answers`](super::Push::lose_answers).
    Lost,
    /// The status is not 200.
    Status,
    /// The body is not empty, not `success`, and not the XML of a reply.
    Malformed,
    /// The reply does not go to the message's sender, or does not come from its receiver.
    Addressing,
    /// The reply is longer than WeChat accepts.
    Limit,
    /// The reply of an encrypted account is not encrypted, or not with the account's token and key.
    Envelope,
    /// The answer to a push of [payment](super::Push::retry_as_payment) has no ErrCode, or another one than 0.
    Refused,
    /// The answer to a URL verification is not the echostr, or that to the probe of cloud hosting not `success`.
    Echo,
}
