//! Tests: metrics are off if nothing records them, and on for any recorder.

use std::sync::Arc;

use metrics::{
    Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, NoopRecorder, Recorder,
    SharedString, Unit, with_local_recorder,
};

use super::is_recorded;

/// A recorder of gauges, which keeps their values outside of itself.
struct Sizeless;

/// A recorder that keeps no gauge.
struct Sized(#[expect(dead_code, reason = "it has a size")] u8);

struct Kept;

impl GaugeFn for Kept {
    fn increment(&self, _value: f64) {}
    fn decrement(&self, _value: f64) {}
    fn set(&self, _value: f64) {}
}

macro_rules! recorder {
    ($recorder:ty, $gauge:expr) => {
        impl Recorder for $recorder {
            fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
            fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
            fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
            fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
                Counter::noop()
            }
            fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
                $gauge
            }
            fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
                Histogram::noop()
            }
        }
    };
}

recorder!(Sizeless, Gauge::from_arc(Arc::new(Kept)));
recorder!(Sized, Gauge::noop());

#[test]
fn what_keeps_nothing_needs_no_metrics() {
    assert!(!is_recorded());
    assert!(!with_local_recorder(&NoopRecorder, is_recorded));
}

#[test]
fn a_recorder_may_be_without_a_size_or_without_this_gauge() {
    assert!(with_local_recorder(&Sizeless, is_recorded));
    assert!(with_local_recorder(&Sized(0), is_recorded));
}
