//! A whole run: faults, calm, judgement.

use std::ops::Range;

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

/// The seeds of a test: these, or the one that `CLOWDER_SIM_SEED` names, or those that it names as `FIRST..END`.
pub fn seeds(range: Range<u64>) -> Range<u64> {
    std::env::var("CLOWDER_SIM_SEED").ok().and_then(|text| named(&text)).unwrap_or(range)
}

fn named(text: &str) -> Option<Range<u64>> {
    match text.split_once("..") {
        Some((first, end)) => Some(first.parse().ok()?..end.parse().ok()?),
        None => text.parse().ok().map(|seed| seed..seed + 1),
    }
}

/// How to see a failed run of a test in `tests/cluster.rs` again.
pub fn replay_command(test: &str, seed: u64) -> String {
    format!("CLOWDER_SIM_SEED={seed} cargo test -p clowder-sim --test cluster -- --include-ignored {test}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_or_many_are_named() {
        assert_eq!(named("7"), Some(7..8));
        assert_eq!(named("10..20"), Some(10..20));
        assert_eq!((named(""), named("1..x")), (None, None));
    }
}
