//! Counters, gauges and histograms. The module `metrics` documents their names and labels.

use std::{sync::Arc, time::Duration};

use crate::{dedup::LateCause, envelope, signature::RefusalKind};

pub(super) fn callback_rejected(account: &str, kind: RefusalKind) {
    meter!(
        counter!(REJECTIONS, "account" => account.to_owned(), "kind" => rejection(kind))
            .increment(1)
    );
}

pub(super) fn reply_is_late(account: &str, cause: LateCause) {
    let cause = match cause {
        LateCause::Acknowledged => "acknowledged",
        LateCause::Unfetched => "unfetched",
        LateCause::Failed => "failed",
    };
    meter!(counter!(LATE_REPLIES, "account" => account.to_owned(), "cause" => cause).increment(1));
}

pub(super) fn store_failed(operation: &'static str, cause: &'static str) {
    meter!(counter!(STORE_ERRORS, "operation" => operation, "cause" => cause).increment(1));
}

pub(super) fn delivery_began() {
    meter!(gauge!(DELIVERIES_OPEN).increment(1));
}

pub(super) fn delivery_ended(account: &Arc<str>, outcome: &'static str, duration: Duration) {
    meter!(gauge!(DELIVERIES_OPEN).decrement(1));
    meter!(histogram!(DELIVERY_DURATION, "account" => Arc::clone(account)).record(duration));
    meter!(
        counter!(DELIVERIES, "account" => Arc::clone(account), "outcome" => outcome).increment(1)
    );
}

pub(super) fn joined(account: &Arc<str>) {
    meter!(counter!(JOINS, "account" => Arc::clone(account)).increment(1));
}

pub(super) fn kept_reply(account: &Arc<str>) {
    meter!(counter!(KEPT_REPLIES, "account" => Arc::clone(account)).increment(1));
}

pub(super) fn hung_up(account: &Arc<str>) {
    meter!(counter!(HANG_UPS, "account" => Arc::clone(account)).increment(1));
}

pub(super) fn run_began() {
    meter!(gauge!(RUNS_OPEN).increment(1));
}

pub(super) fn run_ended(account: &Arc<str>, result: &'static str, duration: Duration) {
    meter!(gauge!(RUNS_OPEN).decrement(1));
    meter!(histogram!(HANDLER_DURATION, "account" => Arc::clone(account)).record(duration));
    meter!(counter!(RUNS, "account" => Arc::clone(account), "result" => result).increment(1));
}

fn rejection(kind: RefusalKind) -> &'static str {
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
