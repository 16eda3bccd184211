//! The twin of `events.rs` for builds without the `tracing` feature: the same functions, doing nothing.

use crate::signature::Refusal;

pub(crate) fn callback_refused(_refusal: &Refusal, _account: &str) {}

pub(crate) fn response_broken_off(_account: &str) {}
