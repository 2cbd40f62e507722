//! Every checker notices when the part that it watches is broken.

use clowder_sim::{Sabotage, Settings, checkers, run};

/// The checker complains about one of these seeds, and about none of them when nothing is broken.
fn notices(checker: &str, sabotage: Sabotage) {
    let complains = |seed, sabotage| {
        let settings = Settings { crashes: true, partitions: false, together: false, ..Settings::from_seed(seed) };
        run(settings.sabotaged(sabotage)).violations.iter().any(|violation| violation.checker == checker)
    };
    let seed = (0..40).find(|seed| complains(*seed, sabotage));
    let seed = seed.unwrap_or_else(|| panic!("{sabotage:?} is not noticed by {checker}"));
    assert!(!complains(seed, Sabotage::None), "{checker} complains about seed {seed} in any case");
}

#[test]
fn copies_are_noticed() {
    notices("copies", Sabotage::NoDedup);
}

#[test]
fn lost_outcomes_are_noticed() {
    notices("outcomes", Sabotage::LosesOutcomes);
}

#[test]
fn wrong_outcomes_are_noticed() {
    notices("outcomes", Sabotage::LiesAboutOutcomes);
}

#[test]
fn overtaking_is_noticed() {
    notices("order", Sabotage::Overtakes);
}

#[test]
fn changes_that_were_confirmed_and_not_applied_are_noticed() {
    notices("durability", Sabotage::ConfirmsWithoutApplying);
}

#[test]
fn lost_attributes_are_noticed() {
    notices("attributes", Sabotage::ConfirmsWithoutApplying);
}

#[test]
fn sessions_that_come_back_are_noticed() {
    notices("endings", Sabotage::ConfirmsWithoutApplying);
}

#[test]
fn a_queue_beyond_its_bound_is_noticed() {
    notices("bounds", Sabotage::TakesTooMuch);
}

#[test]
fn a_decision_without_a_recorded_input_is_noticed() {
    notices("replay", Sabotage::UnrecordedInputs);
}

#[test]
fn nodes_that_do_not_agree_are_noticed() {
    notices("membership", Sabotage::Deaf);
}

#[test]
fn a_changed_body_is_noticed() {
    notices("genuine", Sabotage::CorruptsBodies);
}

/// A checker without such a test could be one that never says anything.
#[test]
fn every_checker_is_tried() {
    let tried =
        ["copies", "outcomes", "order", "durability", "attributes", "endings", "replay", "membership", "genuine"];
    for (checker, _) in checkers::ALL {
        assert!(tried.contains(checker), "{checker} is not tried here");
    }
}
