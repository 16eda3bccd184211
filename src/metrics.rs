//! The names and labels of the crate's metrics, through the [`metrics`](https://docs.rs/metrics) crate.
//!
//! With any of its exporters installed, there are:
//!
//! | name | type | labels | meaning |
//! |---|---|---|---|
//! | `tower_wechat_deliveries_total` | counter | `account`, `outcome` | finished requests to [`VerifySignature`](crate::verify::VerifySignature) |
//! | `tower_wechat_delivery_duration_seconds` | histogram | `account` | how long they took |
//! | `tower_wechat_deliveries_open` | gauge | | unfinished requests |
//! | `tower_wechat_rejections_total` | counter | `account`, `kind` | rejected requests |
//! | `tower_wechat_joins_total` | counter | `account` | deliveries that waited for a run which another delivery had started |
//! | `tower_wechat_kept_replies_total` | counter | `account` | deliveries that got the reply of a finished run |
//! | `tower_wechat_hang_ups_total` | counter | `account` | deliveries left unanswered until WeChat hung up; WeChat raises an alarm at 30 in 5 minutes |
//! | `tower_wechat_runs_total` | counter | `account`, `result` | finished runs |
//! | `tower_wechat_handler_duration_seconds` | histogram | `account` | how long they took |
//! | `tower_wechat_runs_open` | gauge | | unfinished runs |
//! | `tower_wechat_late_replies_total` | counter | `account`, `cause` | replies that were not the answer to a delivery, and acknowledged messages without a reply because all runs failed |
//! | `tower_wechat_store_errors_total` | counter | `operation`, `cause` | failed operations of the store |
//!
//! Labels:
//!
//! - `account`: the account's [name](crate::Account::with_name). See [below](#who-chooses-an-account-label).
//! - `outcome`: `rejected`; `url_verified`; `run`: the delivery started a run and got its reply; `joined`; `kept_reply`;
//!   `done`: the message was over and no reply was left; `acknowledged`: the message ran on; `turned_away` with 503;
//!   `passed`: there is no dedup behind the check; `failed`: an inner service failed, or its answer could not be read
//!   or sealed; `hung_up`: the client went away before it was answered.
//! - `kind`: the [`RejectionKind`](crate::verify::RejectionKind) or [`ErrorKind`](crate::callback::ErrorKind) in snake case,
//!   such as `body_too_large` or `signature`.
//! - `result`: `answered`, `failed`, `timed_out`, `panicked`, `lost_lease`, or `cut` when the node shut down.
//! - `cause` of a late reply: `acknowledged`, `unfetched` or `failed`, see [`LateCause`](crate::dedup::LateCause).
//! - `operation`: `claim`, `renew`, `complete`, `publish`, `acknowledge` or `release`. Its `cause` is `error` or
//!   `timeout`.
//!
//! Exporters choose the buckets of histograms. Buckets around 5 s, when WeChat hangs up, are the most useful.
//!
//! # Who chooses an account label
//!
//! Each new label is a new time series, so a stranger must not be able to make one up:
//!
//! - A layer for one account labels everything with its name.
//! - A layer that picks the account by the request uses the name only once a signature holds. Before that the label is
//!   empty.
//! - The original id of an [authorizer](crate::Account::authorizer) is a label only once a message to it has been
//!   opened. Before that the component's name is.
//!
//! WeChat signs no path. With names made from the path, anyone who has a signed query can still send it to other paths
//! and create a series for each, so [name](crate::Account::with_name) accounts from a list of your own.
//!
//! ```
//! // With an exporter installed, or before.
//! tower_wechat::metrics::describe();
//! ```

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Describes each metric to the installed recorder. Exporters show the descriptions beside the names.
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
    (DELIVERIES, Unit::Count, "Finished deliveries."),
    (REJECTIONS, Unit::Count, "Rejected requests."),
    (
        JOINS,
        Unit::Count,
        "Deliveries that waited for the run of another.",
    ),
    (
        KEPT_REPLIES,
        Unit::Count,
        "Deliveries that got the reply of a finished run.",
    ),
    (
        HANG_UPS,
        Unit::Count,
        "Deliveries left unanswered until WeChat hung up.",
    ),
    (RUNS, Unit::Count, "Finished runs of messages."),
    (
        LATE_REPLIES,
        Unit::Count,
        "Replies that were not the answer to a delivery.",
    ),
    (STORE_ERRORS, Unit::Count, "Failed operations of the store."),
];

const GAUGES: &[Description] = &[
    (DELIVERIES_OPEN, Unit::Count, "Unfinished deliveries."),
    (RUNS_OPEN, Unit::Count, "Unfinished runs of messages."),
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
pub(crate) const REJECTIONS: &str = "tower_wechat_rejections_total";
pub(crate) const JOINS: &str = "tower_wechat_joins_total";
pub(crate) const KEPT_REPLIES: &str = "tower_wechat_kept_replies_total";
pub(crate) const HANG_UPS: &str = "tower_wechat_hang_ups_total";
pub(crate) const RUNS: &str = "tower_wechat_runs_total";
pub(crate) const HANDLER_DURATION: &str = "tower_wechat_handler_duration_seconds";
pub(crate) const RUNS_OPEN: &str = "tower_wechat_runs_open";
pub(crate) const LATE_REPLIES: &str = "tower_wechat_late_replies_total";
pub(crate) const STORE_ERRORS: &str = "tower_wechat_store_errors_total";
