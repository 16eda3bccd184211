//! Log events through the `tracing` crate.

use tower::BoxError;
use tracing::{debug, error, warn};

use crate::{dedup::Failure, reply, signature::Refusal, xml};

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
pub(crate) fn message_given_up(account: &str, runs: u32) {
    error!(
        account,
        runs, "acknowledged a message without a run that succeeded"
    );
}

/// A delivery was answered 503, so that WeChat sends it again.
pub(crate) fn delivery_turned_away(account: &str, reason: &'static str) {
    warn!(account, reason, "turned a delivery away");
}
