//! Updates the counters, gauges and histograms. The module `metrics` documents their names and labels.

use std::{sync::Arc, time::Duration};

use super::labels::label;

pub(super) fn callback_rejected(account: &str, kind: &'static str) {
    meter!(counter!(REJECTIONS, "account" => label(account), "kind" => kind).increment(1));
}

pub(super) fn reply_is_late(account: &str, cause: &'static str) {
    meter!(counter!(LATE_REPLIES, "account" => label(account), "cause" => cause).increment(1));
}

pub(super) fn parts_went(account: &str, way: &'static str, parts: usize) {
    meter!(counter!(LATE_PARTS, "account" => label(account), "way" => way).increment(parts as u64));
}

pub(super) fn reply_unconfirmed(account: &str) {
    meter!(counter!(UNCONFIRMED_REPLIES, "account" => label(account)).increment(1));
}

pub(super) fn store_failed(operation: &'static str, cause: &'static str) {
    meter!(counter!(STORE_ERRORS, "operation" => operation, "cause" => cause).increment(1));
}

pub(super) fn delivery_began() {
    meter!(gauge!(DELIVERIES_OPEN).increment(1));
}

pub(super) fn delivery_ended(account: &Arc<str>, outcome: &'static str, duration: Duration) {
    meter!(gauge!(DELIVERIES_OPEN).decrement(1));
    meter!(histogram!(DELIVERY_DURATION, "account" => label(account)).record(duration));
    meter!(counter!(DELIVERIES, "account" => label(account), "outcome" => outcome).increment(1));
}

pub(super) fn joined(account: &Arc<str>) {
    meter!(counter!(JOINS, "account" => label(account)).increment(1));
}

pub(super) fn kept_reply(account: &Arc<str>) {
    meter!(counter!(KEPT_REPLIES, "account" => label(account)).increment(1));
}

pub(super) fn hung_up(account: &Arc<str>) {
    meter!(counter!(HANG_UPS, "account" => label(account)).increment(1));
}

pub(super) fn run_began() {
    meter!(gauge!(RUNS_OPEN).increment(1));
}

pub(super) fn run_ended(account: &Arc<str>, result: &'static str, duration: Duration) {
    meter!(gauge!(RUNS_OPEN).decrement(1));
    meter!(histogram!(HANDLER_DURATION, "account" => label(account)).record(duration));
    meter!(counter!(RUNS, "account" => label(account), "result" => result).increment(1));
}
