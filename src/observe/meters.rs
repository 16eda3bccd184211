//! Updates the counters, gauges and histograms. The module `metrics` documents their names and labels.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::labels::label;

/// Whether a recorder keeps what is counted. It may be installed at any time.
pub(super) fn is_recorded() -> bool {
    #[cfg(feature = "metrics")]
    let is_recorded = super::recorder::is_recorded();
    #[cfg(not(feature = "metrics"))]
    let is_recorded = false;
    is_recorded
}

/// The begin of a delivery or of a run.
pub(super) struct Begun {
    /// `None` if nobody asks for the duration: reading a clock takes longer than the rest of an observer.
    at: Option<Instant>,
    /// Whether its end is counted too.
    is_counted: bool,
}

impl Begun {
    fn now(is_traced: bool) -> Self {
        let is_counted = is_recorded();
        Self {
            at: (is_counted || is_traced).then(Instant::now),
            is_counted,
        }
    }

    pub(super) fn is_counted(&self) -> bool {
        self.is_counted
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.at.map_or(Duration::ZERO, |at| at.elapsed())
    }
}

/// Begins the counters of an account at zero.
pub(crate) fn account_is_served(account: &str) {
    for outcome in OUTCOMES {
        meter!(
            counter!(DELIVERIES, "account" => label(account), "outcome" => outcome).increment(0)
        );
    }
    rejections_are_counted(account);
    meter!(counter!(JOINS, "account" => label(account)).increment(0));
    meter!(counter!(KEPT_REPLIES, "account" => label(account)).increment(0));
    meter!(counter!(HANG_UPS, "account" => label(account)).increment(0));
    for result in RESULTS {
        meter!(counter!(RUNS, "account" => label(account), "result" => result).increment(0));
    }
    for cause in CAUSES {
        meter!(counter!(LATE_REPLIES, "account" => label(account), "cause" => cause).increment(0));
    }
    for way in WAYS {
        meter!(counter!(LATE_PARTS, "account" => label(account), "way" => way).increment(0));
    }
    meter!(counter!(UNCONFIRMED_REPLIES, "account" => label(account)).increment(0));
    meter!(counter!(DIFFERING_RETRIES, "account" => label(account)).increment(0));
}

/// Begins the counters of requests whose account is not known, or not proven, at zero.
pub(crate) fn accounts_are_picked() {
    meter!(counter!(DELIVERIES, "account" => "", "outcome" => "rejected").increment(0));
    rejections_are_counted("");
}

fn rejections_are_counted(account: &str) {
    for kind in KINDS {
        meter!(counter!(REJECTIONS, "account" => label(account), "kind" => kind).increment(0));
    }
}

/// Begins what has no account at zero.
#[cfg(feature = "metrics")]
pub(crate) fn node_is_observed() {
    meter!(gauge!(DELIVERIES_OPEN).increment(0));
    meter!(gauge!(RUNS_OPEN).increment(0));
    for operation in OPERATIONS {
        for cause in ["error", "timeout"] {
            meter!(counter!(STORE_ERRORS, "operation" => operation, "cause" => cause).increment(0));
        }
    }
}

// The values of the labels. Each change of a counter checks its own, so that none begins with its first event.

const OUTCOMES: [&str; 12] = [
    "rejected",
    "url_verified",
    "passed",
    "run",
    "joined",
    "kept_reply",
    "done",
    "acknowledged",
    "polled",
    "turned_away",
    "failed",
    "hung_up",
];

const KINDS: [&str; 22] = [
    "unknown_account",
    "account_panic",
    "address",
    "address_unknown",
    "source",
    "method",
    "body_empty",
    "body_too_large",
    "body_timeout",
    "body_incomplete",
    "parameters",
    "signature",
    "timestamp",
    "echostr",
    "plain_account",
    "encrypted_account",
    "document",
    "ciphertext",
    "padding",
    "length",
    "receive_id",
    "receiver",
];

const RESULTS: [&str; 6] = [
    "answered",
    "failed",
    "timed_out",
    "panicked",
    "lost_lease",
    "cut",
];

const CAUSES: [&str; 6] = [
    "acknowledged",
    "unfetched",
    "rest",
    "whole",
    "queued",
    "failed",
];

const WAYS: [&str; 11] = [
    "customer_service",
    "response_url",
    "unknown",
    "dropped",
    "kept",
    "fetched",
    "evicted",
    "unsubscribed",
    "stream",
    "function",
    "lost",
];

const OPERATIONS: [&str; 15] = [
    "claim",
    "renew",
    "complete",
    "publish",
    "acknowledge",
    "release",
    "mailbox_peek",
    "mailbox_expect",
    "mailbox_renew",
    "mailbox_put",
    "mailbox_close",
    "mailbox_take",
    "mailbox_settle",
    "mailbox_give_back",
    "mailbox_clear",
];

pub(super) fn callback_rejected(account: &str, kind: &'static str) {
    debug_assert!(KINDS.contains(&kind), "{kind}");
    meter!(counter!(REJECTIONS, "account" => label(account), "kind" => kind).increment(1));
}

pub(super) fn reply_is_late(account: &str, cause: &'static str) {
    debug_assert!(CAUSES.contains(&cause), "{cause}");
    meter!(counter!(LATE_REPLIES, "account" => label(account), "cause" => cause).increment(1));
}

pub(super) fn parts_went(account: &str, way: &'static str, parts: usize) {
    debug_assert!(WAYS.contains(&way), "{way}");
    meter!(counter!(LATE_PARTS, "account" => label(account), "way" => way).increment(parts as u64));
}

pub(super) fn reply_unconfirmed(account: &str) {
    meter!(counter!(UNCONFIRMED_REPLIES, "account" => label(account)).increment(1));
}

pub(super) fn retry_differs(account: &str) {
    meter!(counter!(DIFFERING_RETRIES, "account" => label(account)).increment(1));
}

pub(super) fn store_failed(operation: &'static str, cause: &'static str) {
    debug_assert!(OPERATIONS.contains(&operation), "{operation}");
    meter!(counter!(STORE_ERRORS, "operation" => operation, "cause" => cause).increment(1));
}

pub(super) fn delivery_began(is_traced: bool) -> Begun {
    let begun = Begun::now(is_traced);
    if begun.is_counted {
        meter!(gauge!(DELIVERIES_OPEN).increment(1));
    }
    begun
}

pub(super) fn delivery_ended(account: &Arc<str>, outcome: &'static str, duration: Duration) {
    debug_assert!(OUTCOMES.contains(&outcome), "{outcome}");
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

pub(super) fn run_began(is_traced: bool) -> Begun {
    let begun = Begun::now(is_traced);
    if begun.is_counted {
        meter!(gauge!(RUNS_OPEN).increment(1));
    }
    begun
}

pub(super) fn run_ended(account: &Arc<str>, result: &'static str, duration: Duration) {
    debug_assert!(RESULTS.contains(&result), "{result}");
    meter!(gauge!(RUNS_OPEN).decrement(1));
    meter!(histogram!(HANDLER_DURATION, "account" => label(account)).record(duration));
    meter!(counter!(RUNS, "account" => label(account), "result" => result).increment(1));
}
