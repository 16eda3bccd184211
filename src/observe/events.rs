//! Log events through the `tracing` crate.

use std::time::Duration;

use tower::BoxError;
use tracing::{debug, error, info, warn};

use crate::{
    dedup::{Failure, Key, LateCause},
    envelope, reply,
    signature::Refusal,
    xml,
};

/// A request was answered with a refusal; `account` is empty where none is known or named.
pub(crate) fn callback_refused(account: &str, refusal: &Refusal) {
    warn!(account, kind = ?refusal.kind(), "refused a callback");
}

/// The body of the inner service's response ended in an error, whose text is the service's own.
pub(crate) fn response_broken_off(account: &str, error: &BoxError) {
    error!(account, %error, "cannot read the body of the response");
}

/// A verified body of another type than the handler's has been acknowledged.
pub(crate) fn another_type(account: &str, path: &str) {
    debug!(account, path, "acknowledged a message of another type");
}

/// A verified body that the handler's type does not fit has been acknowledged.
///
/// The error's message may quote the contents, so it stays out.
pub(crate) fn unreadable(account: &str, error: &xml::Error) {
    error!(
        account,
        kind = ?error.kind(),
        offset = error.offset(),
        path = error.path(),
        "cannot read a verified body"
    );
}

/// A handler returned an error; its text is the handler's own.
pub(crate) fn handler_failed(account: &str, error: &BoxError) {
    error!(account, %error, "the handler failed");
}

/// A handler returned a reply that cannot be sent.
pub(crate) fn reply_dropped(account: &str, error: &reply::Error) {
    error!(account, kind = ?error.kind(), %error, "acknowledged instead of sending the reply");
}

/// A run of a message failed; `number` is the run's. An error's text is the inner service's own.
pub(crate) fn run_failed(account: &str, number: u32, failure: &Failure) {
    warn!(account, number, %failure, "a run failed");
}

/// A message has been acknowledged although each of its `runs` failed.
pub(crate) fn message_given_up(account: &str, key: Key, runs: u32) {
    error!(
        account,
        message_key = %key,
        runs, "acknowledged a message without a run that succeeded"
    );
}

/// A delivery was answered 503, so that WeChat sends it again.
pub(crate) fn delivery_turned_away(account: &str, reason: &'static str) {
    warn!(account, reason, "turned a delivery away");
}

/// Another node has taken a message whose run took too long to renew its lease, or the store has.
pub(crate) fn lease_lost(account: &str, key: Key) {
    warn!(account, message_key = %key, "lost the lease of a message");
}

/// WeChat was left to hang up on a delivery, as it is when the reply is for a later one.
pub(crate) fn hung_up(account: &str) {
    debug!(account, "a delivery ended without an answer in time");
}

/// A reply, or the news that there is none, goes another way than to a delivery.
pub(crate) fn reply_is_late(account: &str, key: Key, cause: LateCause) {
    debug!(account, message_key = %key, ?cause, "a reply is late");
}

/// A reply came too late, and there is no hook to take it.
pub(crate) fn reply_is_lost(account: &str, key: Key, cause: LateCause) {
    error!(
        account,
        message_key = %key,
        ?cause,
        "a reply is lost: there is no hook for late replies"
    );
}

/// The hook for late replies did not do its work.
pub(crate) fn late_reply_failed(account: &str, key: Key, reason: &'static str) {
    error!(account, message_key = %key, reason, "the hook for late replies failed");
}

/// An operation of the store failed; the error's text is the store's own. While it is known to be away, its
/// failures come by the message, and are no news.
pub(crate) fn store_failed(operation: &'static str, is_known: bool, error: &BoxError) {
    if is_known {
        debug!(operation, %error, "the store failed");
    } else {
        warn!(operation, %error, "the store failed");
    }
}

/// An operation of the store took too long.
pub(crate) fn store_silent(operation: &'static str, is_known: bool, timeout: Duration) {
    if is_known {
        debug!(operation, ?timeout, "the store did not answer in time");
    } else {
        warn!(operation, ?timeout, "the store did not answer in time");
    }
}

/// The store works again.
pub(crate) fn store_back() {
    info!("the store is back");
}

/// A reply could not be encrypted.
pub(crate) fn reply_not_sealed(account: &str, error: envelope::Error) {
    error!(account, kind = ?error.kind(), "cannot seal the reply");
}
