//! The metrics: their names, units and descriptions, and whether a recorder keeps what is counted.

use std::cell::Cell;

use metrics::{
    IntoF64, Key, Level, Metadata, Unit, describe_counter, describe_gauge, describe_histogram,
};

/// Describes each metric to the installed recorder.
pub(crate) fn describe_metrics() {
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

/// Whether a recorder keeps what is counted.
///
/// Without one, the crate `metrics` hands out its own, which has no size, and whose gauges never ask for a value.
pub(super) fn is_recorded() -> bool {
    static GAUGE: Key = Key::from_static_name(DELIVERIES_OPEN);
    static METADATA: Metadata<'_> =
        Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    metrics::with_recorder(|recorder| {
        let is_asked_for = Cell::new(false);
        size_of_val(recorder) > 0 || {
            let gauge = recorder.register_gauge(&GAUGE, &METADATA);
            gauge.increment(Zero(&is_asked_for));
            is_asked_for.get()
        }
    })
}

/// Notes that it is asked for.
struct Zero<'a>(&'a Cell<bool>);

impl IntoF64 for Zero<'_> {
    fn into_f64(self) -> f64 {
        self.0.set(true);
        0.0
    }
}

type Description = (&'static str, Unit, &'static str);

const COUNTERS: &[Description] = &[
    (DELIVERIES, Unit::Count, "Finished deliveries."),
    (REJECTIONS, Unit::Count, "Rejected requests."),
    (
        JOINS,
        Unit::Count,
        "Deliveries that waited for a run that another delivery started.",
    ),
    (
        KEPT_REPLIES,
        Unit::Count,
        "Deliveries that got the reply of a finished run.",
    ),
    (
        DIFFERING_RETRIES,
        Unit::Count,
        "Deliveries with the key of a message that has another body.",
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
    (
        LATE_PARTS,
        Unit::Count,
        "Messages of late replies, by where they have gone.",
    ),
    (
        UNCONFIRMED_REPLIES,
        Unit::Count,
        "Late replies that another node may have given as well.",
    ),
    (STORE_ERRORS, Unit::Count, "Failed operations of the store."),
    (API_CALLS, Unit::Count, "Finished calls to WeChat's API."),
    (
        RECOGNITIONS,
        Unit::Count,
        "Finished recognitions of voice messages.",
    ),
];

const GAUGES: &[Description] = &[
    (DELIVERIES_OPEN, Unit::Count, "Unfinished deliveries."),
    (RUNS_OPEN, Unit::Count, "Unfinished runs of messages."),
];

const HISTOGRAMS: &[Description] = &[
    (DELIVERY_DURATION, Unit::Seconds, "Duration of deliveries."),
    (HANDLER_DURATION, Unit::Seconds, "Duration of runs."),
    (
        API_CALL_DURATION,
        Unit::Seconds,
        "Duration of calls to WeChat's API.",
    ),
    (
        RECOGNITION_DURATION,
        Unit::Seconds,
        "Duration of recognitions, with the fetch of the recording.",
    ),
    (
        RECORDING_BYTES,
        Unit::Bytes,
        "Size of the fetched recordings.",
    ),
];

pub(super) const DELIVERIES: &str = "tower_wechat_deliveries_total";
pub(super) const DELIVERY_DURATION: &str = "tower_wechat_delivery_duration_seconds";
pub(super) const DELIVERIES_OPEN: &str = "tower_wechat_deliveries_open";
pub(super) const REJECTIONS: &str = "tower_wechat_rejections_total";
pub(super) const JOINS: &str = "tower_wechat_joins_total";
pub(super) const KEPT_REPLIES: &str = "tower_wechat_kept_replies_total";
pub(super) const DIFFERING_RETRIES: &str = "tower_wechat_differing_retries_total";
pub(super) const HANG_UPS: &str = "tower_wechat_hang_ups_total";
pub(super) const RUNS: &str = "tower_wechat_runs_total";
pub(super) const HANDLER_DURATION: &str = "tower_wechat_handler_duration_seconds";
pub(super) const RUNS_OPEN: &str = "tower_wechat_runs_open";
pub(super) const LATE_REPLIES: &str = "tower_wechat_late_replies_total";
pub(super) const LATE_PARTS: &str = "tower_wechat_late_parts_total";
pub(super) const UNCONFIRMED_REPLIES: &str = "tower_wechat_unconfirmed_replies_total";
pub(super) const STORE_ERRORS: &str = "tower_wechat_store_errors_total";
pub(super) const API_CALLS: &str = "tower_wechat_api_calls_total";
pub(super) const API_CALL_DURATION: &str = "tower_wechat_api_call_duration_seconds";
pub(super) const RECOGNITIONS: &str = "tower_wechat_recognitions_total";
pub(super) const RECOGNITION_DURATION: &str = "tower_wechat_recognition_duration_seconds";
pub(super) const RECORDING_BYTES: &str = "tower_wechat_recording_bytes";

#[cfg(test)]
mod tests;
