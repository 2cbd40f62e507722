//! Latencies in buckets of bounded relative error, as HDR histograms have them.
//!
//! A value goes to the bucket of its leading bits: 64 buckets to each power of two, so a percentile is at most 1.6 %
//! too high and never too low. Recording is one increment without allocation or lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets for each power of two: 2^6.
const SUB_BITS: u32 = 6;
const SUB: usize = 1 << SUB_BITS;
/// Powers of two above the linear part; 2^40 ns are 18 minutes, longer ones count as that.
const POWERS: usize = 34;
const VALUE_MAX: u64 = (1 << 40) - 1;

/// Counts of durations. One for all senders: thousands of them, each with its own, would measure the caches.
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Histogram {
    /// Without entries.
    pub(crate) fn new() -> Self {
        Histogram { buckets: (0..SUB * (POWERS + 1)).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Count one.
    pub(crate) fn record(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(VALUE_MAX).min(VALUE_MAX);
        self.buckets[bucket(ns)].fetch_add(1, Relaxed);
    }

    /// Number of entries.
    pub(crate) fn count(&self) -> u64 {
        self.counts().sum()
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed))
    }

    /// The value that `fraction` (0 to 1) of the entries do not exceed, in microseconds; 0 without entries.
    pub(crate) fn percentile_us(&self, fraction: f64) -> f64 {
        let all = self.count();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let rank = ((all as f64 * fraction).ceil() as u64).clamp(1, all.max(1));
        let mut seen = 0;
        for (index, count) in self.counts().enumerate() {
            seen += count;
            if seen >= rank {
                #[allow(clippy::cast_precision_loss)] // below 2^40
                return (upper(index) as f64 / 1000.0 * 10.0).round() / 10.0;
            }
        }
        0.0
    }
}

/// Where `ns` is counted.
fn bucket(ns: u64) -> usize {
    let power = (u64::BITS - ns.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let sub = usize::try_from(ns >> power).unwrap_or(usize::MAX);
    SUB * power as usize + sub
}

/// The largest value that is counted in `index`.
fn upper(index: usize) -> u64 {
    let power = (index / SUB).saturating_sub(1);
    let sub = (index - SUB * power) as u64;
    ((sub + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bucket_that_is_at_most_a_64th_wider() {
        let mut last = 0;
        for ns in (0..5000).chain((13..40).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1])) {
            let index = bucket(ns);
            let upper = upper(index);
            assert!(upper >= ns && upper - ns <= ns / 64, "{ns} counts as {upper}");
            assert!(index >= last, "{ns}: buckets are ordered");
            last = index;
        }
        assert!(bucket(VALUE_MAX) < SUB * (POWERS + 1));
    }

    #[test]
    fn percentiles() {
        let histogram = Histogram::new();
        assert_eq!(histogram.percentile_us(0.5), 0.0);
        (1..=1000).for_each(|us| histogram.record(Duration::from_micros(us)));
        let within = |fraction: f64, exact: f64| {
            let value = histogram.percentile_us(fraction);
            assert!(value >= exact && value <= exact * 1.016 + 0.1, "{fraction}: {value}");
        };
        within(0.5, 500.0);
        within(0.99, 990.0);
        within(0.999, 999.0);
        within(1.0, 1000.0);
        within(0.0, 1.0);
    }

    #[test]
    fn overlong_values_count_as_the_longest() {
        let histogram = Histogram::new();
        histogram.record(Duration::from_micros(10));
        histogram.record(Duration::from_secs(86_400));
        assert_eq!(histogram.count(), 2);
        assert!(histogram.percentile_us(1.0) > 1e9);
    }
}
