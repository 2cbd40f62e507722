//! A run is decided by its seed: the machines read no clock, have no randomness and no state of their own.

use clowder_sim::{Settings, run};

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let trace = |seed| run(Settings::from_seed(seed)).trace;
    let traces: Vec<u64> = (0..6).map(trace).collect();
    assert_eq!(traces, (0..6).map(trace).collect::<Vec<_>>());
    let mut different = traces.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), traces.len(), "different runs");
}
