//! What went through, under the names of Tomcat's statistics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Messages of one direction.
#[derive(Debug, Default)]
struct Direction {
    compressed: AtomicU64,
    uncompressed: AtomicU64,
    /// Bytes of bodies as the application knows them.
    size: AtomicU64,
    /// Bytes of compressed bodies on the wire.
    compressed_size: AtomicU64,
    /// Bytes of bodies left plain.
    uncompressed_size: AtomicU64,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Sent.
    Tx,
    /// Received.
    Rx,
}

/// The eleven numbers.
#[derive(Debug, Default)]
pub(super) struct Stats {
    /// All but the number of messages.
    enabled: bool,
    /// Messages between two reports; 0: none.
    interval: u64,
    count: AtomicU64,
    tx: Direction,
    rx: Direction,
    due: AtomicBool,
}

impl Stats {
    pub(super) fn new(enabled: bool, interval: u64) -> Stats {
        Stats { enabled, interval, ..Stats::default() }
    }

    /// A message went through. Only every `interval`th makes a report due.
    pub(super) fn passed(&self) {
        let count = self.count.fetch_add(1, Relaxed) + 1;
        if self.enabled && self.interval > 0 && count.is_multiple_of(self.interval) {
            self.due.store(true, Relaxed);
        }
    }

    /// A body of `plain` bytes, compressed to `compressed` ones, or not compressed.
    pub(super) fn body(&self, way: Way, plain: usize, compressed: Option<usize>) {
        if !self.enabled {
            return;
        }
        let direction = match way {
            Way::Tx => &self.tx,
            Way::Rx => &self.rx,
        };
        direction.size.fetch_add(plain as u64, Relaxed);
        let (messages, size, bytes) = match compressed {
            Some(compressed) => (&direction.compressed, &direction.compressed_size, compressed),
            None => (&direction.uncompressed, &direction.uncompressed_size, plain),
        };
        messages.fetch_add(1, Relaxed);
        size.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn counters(&self) -> Vec<(&'static str, u64)> {
        let (tx, rx) = (&self.tx, &self.rx);
        let all: [(&'static str, &AtomicU64); 11] = [
            ("count", &self.count),
            ("count_compressed_tx", &tx.compressed),
            ("count_uncompressed_tx", &tx.uncompressed),
            ("count_compressed_rx", &rx.compressed),
            ("count_uncompressed_rx", &rx.uncompressed),
            ("size_tx", &tx.size),
            ("size_rx", &rx.size),
            ("compressed_size_tx", &tx.compressed_size),
            ("compressed_size_rx", &rx.compressed_size),
            ("uncompressed_size_tx", &tx.uncompressed_size),
            ("uncompressed_size_rx", &rx.uncompressed_size),
        ];
        all.map(|(name, value)| (name, value.load(Relaxed))).to_vec()
    }

    /// The report, if one is due.
    pub(super) fn report(&self) -> Option<String> {
        if !self.due.swap(false, Relaxed) {
            return None;
        }
        let numbers = self.counters().into_iter().map(|(name, value)| format!("{name}={value}"));
        Some(numbers.collect::<Vec<_>>().join(" "))
    }
}
