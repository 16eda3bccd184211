//! What the crate counts and times, through the [`metrics`](https://docs.rs/metrics) crate.
//!
//! Install any of its exporters, and these are there:
//!
//! | name | type | labels | what it says |
//! |---|---|---|---|
//! | `tower_wechat_deliveries_total` | counter | `account`, `outcome` | requests to [`VerifySignature`](crate::signature::VerifySignature) that are over |
//! | `tower_wechat_delivery_duration_seconds` | histogram | `account` | how long they took |
//! | `tower_wechat_deliveries_open` | gauge | | requests that are not over |
//! | `tower_wechat_refusals_total` | counter | `account`, `kind` | requests that were refused |
//! | `tower_wechat_joins_total` | counter | `account` | deliveries that waited for a run which another delivery had started |
//! | `tower_wechat_kept_replies_total` | counter | `account` | deliveries that got the reply of a run that was over |
//! | `tower_wechat_hang_ups_total` | counter | `account` | deliveries that WeChat was left to hang up on, of which it counts 30 in 5 minutes before it raises an alarm |
//! | `tower_wechat_runs_total` | counter | `account`, `result` | runs that are over |
//! | `tower_wechat_handler_duration_seconds` | histogram | `account` | how long they took |
//! | `tower_wechat_runs_open` | gauge | | runs that are not over |
//! | `tower_wechat_late_replies_total` | counter | `account`, `cause` | replies that went another way than to a delivery, and messages that were acknowledged and failed |
//! | `tower_wechat_store_errors_total` | counter | `operation`, `cause` | operations of the store that failed |
//!
//! No label holds what a stranger or a user chose, so their number is bounded:
//!
//! - `account`: the account's [name](crate::Account::with_name); empty where none is known.
//! - `outcome`: `refused`; `url_verified`; `run`, where the delivery made the message run and got its reply; `joined`;
//!   `kept_reply`; `done`, where the message was over and no reply was left; `acknowledged`, where the message ran
//!   on; `turned_away` with 503; `passed`, where there is no dedup behind the check; `failed`, where an inner service
//!   failed or its answer could not be read or sealed; `hung_up`, where the client went away before it was answered.
//! - `kind`: that of the [`RefusalKind`](crate::signature::RefusalKind), in the case of `body_too_large`; one of an envelope begins with
//!   `envelope_`.
//! - `result`: `answered`, `failed`, `timed_out`, `panicked`, `lost_lease`, or `cut` when the node shut down.
//! - `cause` of a late reply: `acknowledged`, `unfetched` or `failed`, as [`LateCause`](crate::dedup::LateCause) says.
//! - `operation`: `claim`, `renew`, `complete`, `publish`, `acknowledge` or `release`; its `cause` is `error` or
//!   `timeout`.
//!
//! What an exporter does with histograms is its own; buckets around 5 s, when WeChat hangs up, tell most.
//!
//! ```
//! // With an exporter installed, or before.
//! tower_wechat::metrics::describe();
//! ```

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Tells the installed recorder what each metric is; exporters show it beside the name.
pub fn describe() {
    for (name, unit, description) in COUNTERS {
        describe_counter!(*name, *unit, *description);
    }
    for (name, unit, description) in GAUGES {
        describe_gauge!(*name, *unit, *description);
    }
    for (name, unit, description) in HISTOGRAMS {
        describe_histogram!(*name, *unit, *description);
    }
}

type Description = (&'static str, Unit, &'static str);

const COUNTERS: &[Description] = &[
    (DELIVERIES, Unit::Count, "Deliveries that are over."),
    (REFUSALS, Unit::Count, "Requests that were refused."),
    (
        JOINS,
        Unit::Count,
        "Deliveries that waited for the run of another.",
    ),
    (
        KEPT_REPLIES,
        Unit::Count,
        "Deliveries that got the reply of a run that was over.",
    ),
    (
        HANG_UPS,
        Unit::Count,
        "Deliveries that WeChat was left to hang up on.",
    ),
    (RUNS, Unit::Count, "Runs of messages that are over."),
    (
        LATE_REPLIES,
        Unit::Count,
        "Replies that went another way than to a delivery.",
    ),
    (
        STORE_ERRORS,
        Unit::Count,
        "Operations of the store that failed.",
    ),
];

const GAUGES: &[Description] = &[
    (
        DELIVERIES_OPEN,
        Unit::Count,
        "Deliveries that are not over.",
    ),
    (
        RUNS_OPEN,
        Unit::Count,
        "Runs of messages that are not over.",
    ),
];

const HISTOGRAMS: &[Description] = &[
    (
        DELIVERY_DURATION,
        Unit::Seconds,
        "How long deliveries took.",
    ),
    (HANDLER_DURATION, Unit::Seconds, "How long runs took."),
];

pub(crate) const DELIVERIES: &str = "tower_wechat_deliveries_total";
pub(crate) const DELIVERY_DURATION: &str = "tower_wechat_delivery_duration_seconds";
pub(crate) const DELIVERIES_OPEN: &str = "tower_wechat_deliveries_open";
pub(crate) const REFUSALS: &str = "tower_wechat_refusals_total";
pub(crate) const JOINS: &str = "tower_wechat_joins_total";
pub(crate) const KEPT_REPLIES: &str = "tower_wechat_kept_replies_total";
pub(crate) const HANG_UPS: &str = "tower_wechat_hang_ups_total";
pub(crate) const RUNS: &str = "tower_wechat_runs_total";
pub(crate) const HANDLER_DURATION: &str = "tower_wechat_handler_duration_seconds";
pub(crate) const RUNS_OPEN: &str = "tower_wechat_runs_open";
pub(crate) const LATE_REPLIES: &str = "tower_wechat_late_replies_total";
pub(crate) const STORE_ERRORS: &str = "tower_wechat_store_errors_total";
