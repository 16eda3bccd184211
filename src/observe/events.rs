//! Log events. Some of them are counted, too.

use std::{fmt, time::Duration};

use super::meters;
use crate::{callback::SealError, reply, xml};

/// The key of a message, in hexadecimal.
#[derive(Clone, Copy)]
pub(crate) struct MessageKey(pub(crate) [u8; 20]);

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A request was rejected. `account` is empty if none is known or its name may be a stranger's choice.
///
/// Before a signature `is_signed`, anyone may have sent the request: scanners must not fill the log.
pub(super) fn callback_rejected(account: &str, kind: &'static str, is_signed: bool) {
    if is_signed {
        event!(WARN, account, kind, "rejected a signed callback");
    } else {
        event!(DEBUG, account, kind, "rejected an unsigned callback");
    }
    meters::callback_rejected(account, kind);
}

/// The body of the inner service's response is too long or ended in an error, whose text is the service's own.
pub(crate) fn response_unreadable(account: &str, error: &dyn fmt::Display) {
    event!(ERROR, account, %error, "cannot read the body of the response");
}

/// A verified body of another type than the handler's has been acknowledged.
pub(crate) fn another_type(account: &str, path: &str) {
    event!(
        DEBUG,
        account,
        path,
        "acknowledged a message of another type"
    );
}

/// A verified body has been acknowledged that the handler's type does not fit.
///
/// The error's message may quote the contents, so it stays out.
pub(crate) fn decode_failed(account: &str, error: &xml::Error) {
    event!(
        ERROR,
        account,
        kind = ?error.kind(),
        offset = error.offset(),
        path = error.path(),
        "cannot read a verified body"
    );
}

/// A handler returned an error, whose text is the handler's own.
pub(crate) fn handler_failed(account: &str, error: &reply::HandlerError) {
    event!(ERROR, account, %error, "the handler failed");
}

/// A handler returned a reply that cannot be sent.
pub(crate) fn reply_dropped(account: &str, error: &reply::Error) {
    event!(
        ERROR,
        account,
        kind = ?error.kind(),
        %error,
        "acknowledged instead of sending the reply"
    );
}

/// A run of a message failed. An error's text is the inner service's own.
pub(super) fn run_failed(account: &str, number: u32, failure: &dyn fmt::Display) {
    event!(WARN, account, number, %failure, "a run failed");
}

/// A message has been acknowledged although each of its `runs` failed.
pub(crate) fn message_given_up(account: &str, key: MessageKey, runs: u32) {
    event!(
        ERROR,
        account,
        message_key = %key,
        runs,
        "acknowledged a message without a run that succeeded"
    );
}

/// A delivery was answered 503, so that WeChat sends it again.
pub(super) fn delivery_turned_away(account: &str, reason: &'static str) {
    event!(WARN, account, reason, "turned a delivery away");
}

/// Another node or the store has taken a message, whose lease was not renewed in time.
pub(crate) fn lease_lost(account: &str, key: MessageKey) {
    event!(WARN, account, message_key = %key, "lost the lease of a message");
}

/// A delivery was left unanswered until WeChat hung up, so that WeChat sends it again.
pub(super) fn hung_up(account: &str) {
    event!(DEBUG, account, "a delivery ended without an answer in time");
}

/// A reply is not sent as the answer to a delivery, or a message that was acknowledged has no reply.
pub(crate) fn reply_is_late(account: &str, key: MessageKey, cause: &'static str) {
    event!(DEBUG, account, message_key = %key, cause, "a reply is late");
    meters::reply_is_late(account, cause);
}

/// A reply came too late, and there is no hook for late replies.
pub(crate) fn reply_is_lost(account: &str, key: MessageKey, cause: &'static str) {
    event!(
        ERROR,
        account,
        message_key = %key,
        cause,
        "a reply is lost: there is no hook for late replies"
    );
}

/// The hook for late replies failed.
pub(crate) fn late_reply_failed(account: &str, key: MessageKey, reason: &'static str) {
    event!(
        ERROR,
        account,
        message_key = %key,
        reason,
        "the hook for late replies failed"
    );
}

/// An operation of the store failed; the error's text is the store's own.
///
/// While the store `is_known` to be unavailable, every message fails like this, and none of them is news.
pub(crate) fn store_failed(operation: &'static str, is_known: bool, error: &dyn fmt::Display) {
    if is_known {
        event!(DEBUG, operation, %error, "the store failed");
    } else {
        event!(WARN, operation, %error, "the store failed");
    }
    meters::store_failed(operation, "error");
}

/// An operation of the store took too long; for `is_known` see [`store_failed`].
pub(crate) fn store_silent(operation: &'static str, is_known: bool, timeout: Duration) {
    if is_known {
        event!(
            DEBUG,
            operation,
            ?timeout,
            "the store did not answer in time"
        );
    } else {
        event!(
            WARN,
            operation,
            ?timeout,
            "the store did not answer in time"
        );
    }
    meters::store_failed(operation, "timeout");
}

/// The store works again.
pub(crate) fn store_back() {
    event!(INFO, "the store is back");
}

/// A reply could not be encrypted.
pub(crate) fn reply_not_sealed(account: &str, error: SealError) {
    event!(ERROR, account, kind = ?error.kind(), "cannot seal the reply");
}
