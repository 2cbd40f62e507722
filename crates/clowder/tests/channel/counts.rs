//! The metrics of one test. Only for tests on one thread: the recorder is that thread's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Install with `metrics::set_default_local_recorder` before the node starts.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<(String, String), Arc<AtomicU64>>>);

impl Counts {
    /// The value of a counter; `kind` is empty for one without that label.
    pub(crate) fn get(&self, name: &str, kind: &str) -> u64 {
        let counts = self.0.lock().unwrap();
        counts.get(&(name.to_owned(), kind.to_owned())).map_or(0, |count| count.load(Relaxed))
    }

    /// The value of a gauge.
    pub(crate) fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.get(name, ""))
    }

    fn handle(&self, key: &Key) -> Arc<AtomicU64> {
        let kind = key.labels().find(|label| label.key() == "kind").map_or("", metrics::Label::value);
        let mut counts = self.0.lock().unwrap();
        Arc::clone(counts.entry((key.name().to_owned(), kind.to_owned())).or_default())
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
