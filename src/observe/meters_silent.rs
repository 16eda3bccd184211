//! The twin of `meters.rs` for builds with the `tracing` feature alone: the same functions, doing nothing.

use std::{sync::Arc, time::Duration};

use crate::{dedup::LateCause, signature::RefusalKind};

pub(super) fn callback_refused(_account: &str, _kind: RefusalKind) {}

pub(super) fn reply_is_late(_account: &str, _cause: LateCause) {}

pub(super) fn store_failed(_operation: &'static str, _cause: &'static str) {}

pub(super) fn delivery_began() {}

pub(super) fn delivery_ended(_account: Arc<str>, _outcome: &'static str, _duration: Duration) {}

pub(super) fn joined(_account: Arc<str>) {}

pub(super) fn kept_reply(_account: Arc<str>) {}

pub(super) fn hung_up(_account: Arc<str>) {}

pub(super) fn run_began() {}

pub(super) fn run_ended(_account: Arc<str>, _result: &'static str, _duration: Duration) {}
