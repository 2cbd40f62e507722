//! The task that brings time to the machine, and its counters to the recorder.
//!
//! It holds the manager weakly: a manager that nobody uses any more ends it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use clowder_proto::session::{self as proto, SessionsConfig};
use clowder_proto::wire::MemberId;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use super::Sessions;
use super::builder::DriverConfig;
use super::core::{self, Core};
use super::outlet::Nowhere;
use super::publish::publish;

/// How often the counters are published.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// Starts a manager of this node alone.
pub(super) fn start_local(config: SessionsConfig, driver: DriverConfig) -> Sessions {
    let nobody = MemberId { host: Default::default(), port: 0, unique_id: [0; 16] };
    let core = Core::new(proto::Sessions::new(config, &nobody, core::now()), driver, Box::new(Nowhere));
    core.input(|inner, now| inner.machine.started(now));
    tokio::spawn(keep_time(Arc::downgrade(&core), core.nearer.clone()));
    Sessions { core }
}

/// Calls the machine when its deadline has come.
pub(super) async fn keep_time(core: Weak<Core>, nearer: Arc<Notify>) {
    let mut ticks = tokio::time::interval(PUBLISH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Some(deadline) = core.upgrade().map(|core| core.arm()) else { return };
        tokio::select! {
            () = nearer.notified() => {}
            () = sleep_until(deadline) => {
                let Some(core) = core.upgrade() else { return };
                core.input(|inner, now| inner.machine.handle_deadline(now));
            }
            _ = ticks.tick() => {
                let Some(core) = core.upgrade() else { return };
                let (sessions, stats) = core.look(|inner| (inner.machine.len(), inner.machine.stats()));
                publish(&core.context, sessions, &stats);
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
