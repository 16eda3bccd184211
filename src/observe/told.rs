//! Single events that both halves are told of.

use std::time::Duration;

use tower::BoxError;

use super::{events, meters};
use crate::{
    dedup::{Key, LateCause},
    signature::Refusal,
};

/// A request was answered with a refusal; `account` is empty where none is known or named.
pub(crate) fn callback_refused(account: &str, refusal: &Refusal) {
    events::callback_refused(account, refusal);
    meters::callback_refused(account, refusal.kind());
}

/// A reply goes another way than to a delivery, or there is none.
pub(crate) fn reply_is_late(account: &str, key: Key, cause: LateCause) {
    events::reply_is_late(account, key, cause);
    meters::reply_is_late(account, cause);
}

/// An operation of the store failed, of which it `is_known` that it is away.
pub(crate) fn store_failed(operation: &'static str, is_known: bool, error: &BoxError) {
    events::store_failed(operation, is_known, error);
    meters::store_failed(operation, "error");
}

/// An operation of the store took too long, likewise.
pub(crate) fn store_silent(operation: &'static str, is_known: bool, timeout: Duration) {
    events::store_silent(operation, is_known, timeout);
    meters::store_failed(operation, "timeout");
}
