//! What the chain holds: given out when its time is over, or when its sender leaves.

use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

use clowder_proto::chain::{Context, Flush, Sink};
use clowder_proto::wire::MemberId;

use super::deliver::Batch;
use super::env::{Env, now};
use super::random;
use crate::metrics;

/// How often reports and counters are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the chain that time passes, until the channel is gone.
pub(crate) async fn keep_time(env: Weak<Env>) {
    let mut looked = Instant::now();
    loop {
        let Some(alive) = env.upgrade() else { return };
        // What is held from now on is due one patience from now at the earliest.
        let later = Instant::now() + alive.chain.patience().map_or(LOOK, |patience| patience.min(LOOK));
        let next = alive.chain.deadline().map_or(later, |deadline| deadline.min(later));
        drop(alive);
        tokio::time::sleep_until(next.into()).await;
        let Some(alive) = env.upgrade() else { return };
        for sender in alive.chain.overdue(now()) {
            flush(&alive, &sender, Flush::Overdue);
        }
        if looked.elapsed() < LOOK {
            continue;
        }
        looked = Instant::now();
        for interceptor in alive.chain.interceptors() {
            metrics::interceptor(&**interceptor);
            if let Some(report) = interceptor.report(now()) {
                tracing::info!(interceptor = interceptor.name(), "{report}");
            }
        }
    }
}

/// Deliver what is held of a sender.
pub(crate) fn flush(env: &Env, sender: &MemberId, why: Flush) {
    if env.chain.is_empty() {
        return;
    }
    let gate = env.ordered_gate(sender);
    let _one_at_a_time = gate.as_ref().map(|gate| gate.lock().unwrap_or_else(PoisonError::into_inner));
    let mut sink = Sink::default();
    let now = now();
    random::with(|random| env.chain.flush(&mut Context { now, random }, sender, why, &mut sink));
    let mut batch = Batch::new(env, now);
    batch.take_sink(sink);
    batch.finish();
}
