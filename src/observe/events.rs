//! Log events through the `tracing` crate.

use crate::signature::Refusal;

/// A request was answered with a refusal; `account` is empty where none is known or named.
pub(crate) fn callback_refused(refusal: &Refusal, account: &str) {
    tracing::warn!(kind = ?refusal.kind(), account, "refused a callback");
}

/// The body of the inner service's response ended in an error and was answered 500.
pub(crate) fn response_broken_off(account: &str) {
    tracing::error!(account, "the response's body broke off");
}
