//! A whole run: faults, calm, judgement.

use crate::checkers::{self, Violation};
use crate::{Settings, World};

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Broken promises; none in a good run.
    pub violations: Vec<Violation>,
    /// See [`World::trace`].
    pub trace: u64,
    /// Messages sent, of all kinds.
    pub sent: usize,
    /// Listeners had so many messages.
    pub arrived: usize,
    /// Attributes written.
    pub written: usize,
    /// Of those, acknowledged by every replica.
    pub acknowledged: usize,
    /// Processes that died.
    pub died: usize,
}

/// Runs a world with these settings to its end.
pub fn run(settings: Settings) -> Report {
    let (faults, calm) = (settings.faults, settings.calm);
    let mut world = World::new(settings);
    world.run(faults);
    world.calm_down();
    world.run(calm);
    let history = &world.history;
    Report {
        violations: checkers::violations(&world),
        trace: world.trace(),
        sent: history.sent.len(),
        arrived: history.arrivals.len(),
        written: history.writes.len(),
        acknowledged: history.writes.values().filter(|write| write.holders.is_some()).count(),
        died: history.died.len(),
    }
}

/// The seeds of a test: these, or the one that the environment names.
pub fn seeds(range: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match std::env::var("CLOWDER_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => range,
    }
}

/// How to see a failed run of a test in `tests/cluster.rs` again.
pub fn replay_command(test: &str, seed: u64) -> String {
    format!("CLOWDER_SIM_SEED={seed} cargo test -p clowder-sim --test cluster -- --include-ignored {test}")
}
