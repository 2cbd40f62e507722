//! The task that brings time and membership to the machine, and the start of a manager.
//!
//! One task per manager. It holds the manager weakly, so a manager that nobody uses any more ends it.

use std::sync::{Arc, Weak};
use std::time::Instant;

use clowder_proto::session::{self as proto, SessionsConfig};
use clowder_proto::wire::MemberId;
use tokio::sync::Notify;

use super::builder::DriverConfig;
use super::core::{self, Core};
use super::outlet::Nowhere;
use super::Sessions;

/// Starts a manager of this node alone.
pub(super) fn start_local(config: SessionsConfig, driver: DriverConfig) -> Sessions {
    let nobody = MemberId { host: Default::default(), port: 0, unique_id: [0; 16] };
    let core = Core::new(proto::Sessions::new(config, &nobody, core::now()), driver, Box::new(Nowhere));
    tokio::spawn(keep_time(Arc::downgrade(&core), core.nearer.clone()));
    Sessions { core }
}

/// Calls the machine when its deadline has come.
async fn keep_time(core: Weak<Core>, nearer: Arc<Notify>) {
    loop {
        let Some(deadline) = core.upgrade().map(|core| core.arm()) else { return };
        tokio::select! {
            () = nearer.notified() => {}
            () = sleep_until(deadline) => {
                let Some(core) = core.upgrade() else { return };
                core.input(|inner, now| inner.machine.handle_deadline(now));
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
