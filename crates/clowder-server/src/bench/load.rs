//! A closed loop: so many workers, each with one operation under way, for a time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::WARM_UP;
use super::histogram::Histogram;

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// What the workers did while it counted.
pub(super) struct Measured {
    pub(super) latencies: Arc<Histogram>,
    pub(super) errors: u64,
    pub(super) time: Duration,
    /// How far the meter went, if there was one.
    pub(super) cpu: Option<Duration>,
}

/// One worker's operation; `false` is an error.
pub(super) trait Operation: Send + 'static {
    /// Do it once.
    fn once(&mut self) -> impl Future<Output = bool> + Send;
}

/// Run all workers for a warm-up and `time`, and give them back.
///
/// An operation counts if it began and ended while it counted.
///
/// # Errors
/// A worker panicked.
pub(super) async fn run<O: Operation>(workers: Vec<O>, time: Duration) -> Result<(Measured, Vec<O>)> {
    run_metered(workers, time, || None).await
}

/// The same, and `meter` is read when it begins to count and when that is over.
pub(super) async fn run_metered<O: Operation>(
    workers: Vec<O>,
    time: Duration,
    meter: impl Fn() -> Option<Duration>,
) -> Result<(Measured, Vec<O>)> {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let latencies = Arc::new(Histogram::new());
    let mut running = JoinSet::new();
    for worker in workers {
        running.spawn(work(worker, phase.clone(), latencies.clone()));
    }
    tokio::time::sleep(WARM_UP).await;
    phase.store(COUNTING, Ordering::Relaxed);
    let (start, cpu) = (Instant::now(), meter());
    tokio::time::sleep(time).await;
    phase.store(OVER, Ordering::Relaxed);
    let time = start.elapsed();
    let cpu = meter().zip(cpu).map(|(end, start)| end.saturating_sub(start));
    let mut measured = Measured { latencies, errors: 0, time, cpu };
    let mut workers = Vec::new();
    while let Some(done) = running.join_next().await {
        let (worker, errors) = done.context("a client failed")?;
        measured.errors += errors;
        workers.push(worker);
    }
    Ok((measured, workers))
}

async fn work<O: Operation>(mut operation: O, phase: Arc<AtomicU8>, latencies: Arc<Histogram>) -> (O, u64) {
    let mut errors = 0;
    loop {
        let began = phase.load(Ordering::Relaxed);
        if began == OVER {
            return (operation, errors);
        }
        let start = Instant::now();
        let succeeded = operation.once().await;
        let took = start.elapsed();
        if began != COUNTING {
            continue;
        }
        if !succeeded {
            errors += 1;
        } else if phase.load(Ordering::Relaxed) == COUNTING {
            latencies.record(took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct EveryThirdFails(u32);

    impl Operation for EveryThirdFails {
        async fn once(&mut self) -> bool {
            tokio::task::yield_now().await;
            self.0 += 1;
            !self.0.is_multiple_of(3)
        }
    }

    #[tokio::test]
    async fn successes_and_errors_are_counted_apart() {
        let workers = (0..4).map(|_| EveryThirdFails(0)).collect();
        let (measured, workers) = run(workers, Duration::from_millis(50)).await.unwrap();
        assert_eq!(workers.len(), 4);
        let (successes, errors) = (measured.latencies.count(), measured.errors);
        assert!(successes > 0 && errors > 0, "{successes} {errors}");
        // Two of three succeed; at the edges of the time each worker may be off by two.
        assert!(successes.abs_diff(errors * 2) <= 4 * 4, "{successes} {errors}");
        let done: u64 = workers.iter().map(|worker| u64::from(worker.0)).sum();
        assert!(successes + errors <= done);
    }
}
