//! Counters, gauges and histograms through the `metrics` crate; [`metrics`](crate::metrics) documents them.

use std::{sync::Arc, time::Duration};

use metrics::{counter, gauge, histogram};

use crate::{
    dedup::LateCause,
    envelope,
    metrics::{
        DELIVERIES, DELIVERIES_OPEN, DELIVERY_DURATION, HANDLER_DURATION, HANG_UPS, JOINS,
        KEPT_REPLIES, LATE_REPLIES, REFUSALS, RUNS, RUNS_OPEN, STORE_ERRORS,
    },
    signature::RefusalKind,
};

pub(super) fn callback_refused(account: &str, kind: RefusalKind) {
    counter!(REFUSALS, "account" => account.to_owned(), "kind" => refusal(kind)).increment(1);
}

pub(super) fn reply_is_late(account: &str, cause: LateCause) {
    let cause = match cause {
        LateCause::Acknowledged => "acknowledged",
        LateCause::Unfetched => "unfetched",
        LateCause::Failed => "failed",
    };
    counter!(LATE_REPLIES, "account" => account.to_owned(), "cause" => cause).increment(1);
}

pub(super) fn store_failed(operation: &'static str, cause: &'static str) {
    counter!(STORE_ERRORS, "operation" => operation, "cause" => cause).increment(1);
}

pub(super) fn delivery_began() {
    gauge!(DELIVERIES_OPEN).increment(1);
}

pub(super) fn delivery_ended(account: Arc<str>, outcome: &'static str, duration: Duration) {
    gauge!(DELIVERIES_OPEN).decrement(1);
    histogram!(DELIVERY_DURATION, "account" => Arc::clone(&account)).record(duration);
    counter!(DELIVERIES, "account" => account, "outcome" => outcome).increment(1);
}

pub(super) fn joined(account: Arc<str>) {
    counter!(JOINS, "account" => account).increment(1);
}

pub(super) fn kept_reply(account: Arc<str>) {
    counter!(KEPT_REPLIES, "account" => account).increment(1);
}

pub(super) fn hung_up(account: Arc<str>) {
    counter!(HANG_UPS, "account" => account).increment(1);
}

pub(super) fn run_began() {
    gauge!(RUNS_OPEN).increment(1);
}

pub(super) fn run_ended(account: Arc<str>, result: &'static str, duration: Duration) {
    gauge!(RUNS_OPEN).decrement(1);
    histogram!(HANDLER_DURATION, "account" => Arc::clone(&account)).record(duration);
    counter!(RUNS, "account" => account, "result" => result).increment(1);
}

fn refusal(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::UnknownAccount => "unknown_account",
        RefusalKind::Method => "method",
        RefusalKind::Parameters => "parameters",
        RefusalKind::Signature => "signature",
        RefusalKind::Stale => "stale",
        RefusalKind::Echostr => "echostr",
        RefusalKind::BodyEmpty => "body_empty",
        RefusalKind::BodyTooLarge => "body_too_large",
        RefusalKind::BodyTimeout => "body_timeout",
        RefusalKind::BodyUnreadable => "body_unreadable",
        RefusalKind::Envelope(kind) => match kind {
            envelope::ErrorKind::NotEncrypted => "envelope_not_encrypted",
            envelope::ErrorKind::Parameters => "envelope_parameters",
            envelope::ErrorKind::Document => "envelope_document",
            envelope::ErrorKind::Signature => "envelope_signature",
            envelope::ErrorKind::Ciphertext => "envelope_ciphertext",
            envelope::ErrorKind::Padding => "envelope_padding",
            envelope::ErrorKind::Length => "envelope_length",
            envelope::ErrorKind::ReceiveId => "envelope_receive_id",
            envelope::ErrorKind::Utf8 => "envelope_utf8",
            envelope::ErrorKind::Receiver => "envelope_receiver",
            envelope::ErrorKind::Echostr => "envelope_echostr",
            envelope::ErrorKind::TooLong => "envelope_too_long",
            envelope::ErrorKind::Random => "envelope_random",
        },
    }
}
