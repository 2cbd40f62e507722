//! Clusters under faults keep their promises, for every seed. For more seeds than these: `CLOWDER_SIM_SEED=5000..9000`.

use clowder_sim::{Report, Settings, replay_command, run, seeds};

fn all_keep(test: &str, range: std::ops::Range<u64>, settings: fn(u64) -> Settings) {
    let (mut totals, mut broken) = ([0; 4], Vec::new());
    for seed in seeds(range.clone()) {
        let settings = settings(seed);
        let layers = settings.layers.clone();
        let Report { violations, sent, arrived, acknowledged, died, .. } = run(settings);
        if !violations.is_empty() {
            println!("seed {seed} with {layers}: {violations:#?}\nagain: {}", replay_command(test, seed));
            broken.push(seed);
        }
        for (total, count) in totals.iter_mut().zip([sent, arrived, acknowledged, died]) {
            *total += count;
        }
    }
    let count = seeds(range.clone()).count();
    println!("{count} schedules, {} with a broken promise", broken.len());
    assert!(broken.is_empty(), "broken promises, as told above: seeds {broken:?}");
    let alone = seeds(range).count() == 1;
    assert!(alone || totals.iter().all(|total| *total > 0), "something happens in these runs: {totals:?}");
}

/// Processes die and come back, datagrams are lost, connections break, noise arrives.
#[test]
fn every_promise_is_kept_while_processes_die() {
    let settings = |seed| Settings { crashes: true, partitions: false, together: false, ..Settings::from_seed(seed) };
    all_keep("every_promise_is_kept_while_processes_die", 0..40, settings);
}

/// And nodes are cut off from each other, in one direction or both, and start at the same moment. With every chain,
/// every coordinator, and clocks that jump.
#[test]
fn every_promise_is_kept_under_every_fault() {
    all_keep("every_promise_is_kept_under_every_fault", 1000..1060, Settings::from_seed);
}
