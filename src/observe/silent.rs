//! The twin of `events.rs` for builds without the `tracing` feature: the same functions, doing nothing.

use std::time::Duration;

use tower::BoxError;

use crate::{
    dedup::{Key, LateCause},
    envelope, reply,
    signature::Refusal,
    xml,
};

pub(crate) fn callback_refused(_account: &str, _refusal: &Refusal) {}

pub(crate) fn response_broken_off(_account: &str, _error: &BoxError) {}

pub(crate) fn another_type(_account: &str, _path: &str) {}

pub(crate) fn unreadable(_account: &str, _error: &xml::Error) {}

pub(crate) fn handler_failed(_account: &str, _error: &BoxError) {}

pub(crate) fn reply_dropped(_account: &str, _error: &reply::Error) {}

pub(crate) fn message_given_up(_account: &str, _key: Key, _runs: u32) {}

pub(crate) fn lease_lost(_account: &str, _key: Key) {}

pub(crate) fn reply_is_late(_account: &str, _key: Key, _cause: LateCause) {}

pub(crate) fn reply_is_lost(_account: &str, _key: Key, _cause: LateCause) {}

pub(crate) fn late_reply_failed(_account: &str, _key: Key, _reason: &'static str) {}

pub(crate) fn store_failed(_operation: &'static str, _is_known: bool, _error: &BoxError) {}

pub(crate) fn store_silent(_operation: &'static str, _is_known: bool, _timeout: Duration) {}

pub(crate) fn store_back() {}

pub(crate) fn reply_not_sealed(_account: &str, _error: envelope::Error) {}
