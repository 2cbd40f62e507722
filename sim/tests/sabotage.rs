//! Every checker notices when the part that it watches is broken.

use clowder_sim::{Sabotage, Settings, checkers, run};

/// The checker complains about one of these seeds, and about none of them when nothing is broken.
fn notices(checker: &str, sabotage: Sabotage) {
    notices_where(checker, sabotage, |_| true);
}

/// The same, with those seeds alone whose worlds have what is broken.
fn notices_where(checker: &str, sabotage: Sabotage, has: fn(&Settings) -> bool) {
    let settings = |seed| Settings { crashes: true, partitions: false, together: false, ..Settings::from_seed(seed) };
    let complains = |seed, sabotage| {
        let report = run(settings(seed).sabotaged(sabotage));
        report.violations.iter().any(|violation| violation.checker == checker)
    };
    let seed = (0..200).filter(|seed| has(&settings(*seed))).take(40).find(|seed| complains(*seed, sabotage));
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

#[test]
fn pieces_that_are_taken_for_copies_are_noticed() {
    notices_where("attributes", Sabotage::TakesPiecesForCopies, |settings| settings.layers.cuts());
}

#[test]
fn two_connections_of_one_sender_at_a_time_are_noticed_where_order_matters() {
    let has = |settings: &Settings| settings.lanes && settings.layers.orders();
    notices_where("sequence", Sabotage::IgnoresGates, has);
}

#[test]
fn a_commit_without_everybody_is_noticed() {
    notices_where("commit", Sabotage::CommitsRegardless, |settings| settings.layers.commits());
}

#[test]
fn what_is_held_for_ever_is_noticed() {
    notices_where("held", Sabotage::HoldsForEver, |settings| settings.layers.holds());
}

#[test]
fn layers_that_hold_too_much_are_noticed() {
    notices_where("held", Sabotage::HoldsTooMuch, |settings| settings.layers.are_tight());
}

#[test]
fn a_coordinator_that_does_not_listen_is_noticed() {
    notices_where("leader", Sabotage::ElectsAlone, |settings| settings.layers.elects());
}

/// A checker without such a test could be one that never says anything.
#[test]
fn every_checker_is_tried() {
    let tried = [
        "copies",
        "outcomes",
        "order",
        "sequence",
        "commit",
        "held",
        "leader",
        "durability",
        "attributes",
        "endings",
        "replay",
        "membership",
        "genuine",
    ];
    for (checker, _) in checkers::ALL {
        assert!(tried.contains(checker), "{checker} is not tried here");
    }
}
