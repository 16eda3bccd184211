//! A metrics recorder that remembers every value.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

#[derive(Clone, Default)]
pub(crate) struct Recorded {
    /// By the metric's name and labels.
    values: Arc<Mutex<BTreeMap<String, Vec<f64>>>>,
    begun: Arc<Mutex<BTreeSet<String>>>,
    names: Arc<Mutex<BTreeSet<String>>>,
    described: Arc<Mutex<BTreeSet<String>>>,
}

/// Records the metrics while `case` is played.
pub(crate) async fn recorded<F: Future<Output = ()>>(case: impl FnOnce() -> F) -> Recorded {
    let recorded = Recorded::default();
    let guard = metrics::set_default_local_recorder(&recorded);
    case().await;
    tokio::time::sleep(super::ALL_OVER).await;
    drop(guard);
    recorded
}

impl Recorded {
    /// A line for each metric: the sum of a counter or gauge, all values of a histogram. Counters that are zero are left
    /// out.
    pub(crate) fn lines(&self) -> Vec<String> {
        let values = self.values.lock().unwrap();
        let lines = values.iter().filter(|(name, values)| {
            !(name.split(' ').next().unwrap().ends_with("_total") && values[..] == [0.0])
        });
        lines
            .map(|(name, values)| format!("{name} {values:?}"))
            .collect()
    }

    /// The counters and gauges that were zero before they changed, if they have changed.
    pub(crate) fn begun(&self) -> BTreeSet<String> {
        self.begun.lock().unwrap().clone()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.names.lock().unwrap().clone()
    }

    pub(crate) fn described(&self) -> BTreeSet<String> {
        self.described.lock().unwrap().clone()
    }

    fn metric(&self, kind: &str, key: &Key) -> Arc<Metric> {
        let name = format!("{kind} {}", key.name());
        self.names.lock().unwrap().insert(name);
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let labels = labels.collect::<Vec<_>>().join(" ");
        let short = key
            .name()
            .strip_prefix("tower_wechat_")
            .expect("the prefix");
        Arc::new(Metric {
            name: format!("{short} {labels}").trim_end().to_owned(),
            of: self.clone(),
        })
    }
}

struct Metric {
    name: String,
    of: Recorded,
}

impl Metric {
    fn change(&self, change: impl FnOnce(&mut Vec<f64>)) {
        let mut values = self.of.values.lock().unwrap();
        change(values.entry(self.name.clone()).or_default());
    }

    fn add(&self, value: f64) {
        self.change(|values| {
            if values.is_empty() {
                if value == 0.0 {
                    self.of.begun.lock().unwrap().insert(self.name.clone());
                }
                values.push(0.0);
            }
            values[0] += value;
        });
    }
}

impl CounterFn for Metric {
    fn increment(&self, value: u64) {
        self.add(f64::from(u32::try_from(value).unwrap()));
    }

    fn absolute(&self, _: u64) {
        panic!("a count is counted");
    }
}

impl GaugeFn for Metric {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, _: f64) {
        panic!("several layers share a gauge");
    }
}

impl HistogramFn for Metric {
    fn record(&self, value: f64) {
        self.change(|values| values.push(value));
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        assert_eq!(unit, Some(Unit::Count));
        self.describe("counter", &name);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        assert_eq!(unit, Some(Unit::Count));
        self.describe("gauge", &name);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        let is_size = name.as_str().ends_with("_bytes");
        let expected = if is_size { Unit::Bytes } else { Unit::Seconds };
        assert_eq!(unit, Some(expected));
        self.describe("histogram", &name);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.metric("counter", key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.metric("gauge", key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.metric("histogram", key))
    }
}

impl Recorded {
    fn describe(&self, kind: &str, name: &KeyName) {
        let described = format!("{kind} {}", name.as_str());
        self.described.lock().unwrap().insert(described);
    }
}
