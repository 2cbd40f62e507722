//! Every target over its seeds and a fixed number of mutations of each, on the stable toolchain.

use std::panic::{AssertUnwindSafe, catch_unwind};

use clowder_fuzz::{TARGETS, mutate, seeds};

/// Enough to reach every length field of every seed a few times, and still a matter of seconds in a debug build.
const MUTATIONS: u64 = 200;

#[test]
fn every_target_has_seeds() {
    for (target, _) in TARGETS {
        assert!(seeds::seeds(target).len() > 5, "{target}");
    }
}

#[test]
fn seeds_and_their_mutations_break_no_promise() {
    for (target, run) in TARGETS {
        for (name, seed) in seeds::seeds(target) {
            run(&seed);
            for number in 0..MUTATIONS {
                let input = mutate::mutation(&seed, number);
                if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
                    panic!("{target}: mutation {number} of {name}: {}", hex::encode(input));
                }
            }
        }
    }
}
