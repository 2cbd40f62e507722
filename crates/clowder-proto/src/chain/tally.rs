//! What became of a message that is several frames: one outcome for each of its targets, and what follows when.
//!
//! The frames of a plan are a [`Stage`]. When all of them have their outcome, what follows them goes out as the next
//! stages, or is given up: if one frame failed that it follows, nobody gets it.

use std::ops::Range;

use super::{FollowUp, Plan, Targets};
use crate::link::{Failure, Order, Outcome};

/// Frames that are sent together.
#[derive(Debug)]
pub struct Stage {
    /// For each frame: which parcel of the plan it is, and its targets.
    pub routes: Vec<(usize, Range<usize>)>,
    /// Of the plan.
    pub follow_ups: Vec<FollowUp>,
}

impl Stage {
    fn has_arrived(&self, follow_up: &FollowUp, outcomes: &[Outcome]) -> bool {
        let frames = self.routes.iter().zip(outcomes).filter(|((parcel, _), _)| follow_up.after.contains(parcel));
        frames.into_iter().all(|(_, outcome)| !matches!(outcome, Outcome::Failed(_)))
    }
}

/// The outcomes of one message so far.
#[derive(Debug)]
pub struct Tally {
    /// By target.
    outcomes: Vec<Option<Outcome>>,
    /// Stages that have not ended.
    open: usize,
}

impl Tally {
    /// The first stage is on its way to so many targets.
    pub fn new(targets: usize) -> Tally {
        Tally { outcomes: vec![None; targets], open: 1 }
    }

    /// Every frame of a stage has its outcome, in the order of its routes. What is to be sent now: each is one more
    /// stage, which ends as this one does, by [`Tally::ended`].
    pub fn arrived(&mut self, stage: &Stage, outcomes: &[Outcome]) -> Vec<FollowUp> {
        for ((_, targets), outcome) in stage.routes.iter().zip(outcomes) {
            targets.clone().for_each(|target| self.merge(target, *outcome));
        }
        let (next, given_up): (Vec<&FollowUp>, Vec<&FollowUp>) =
            stage.follow_ups.iter().partition(|follow_up| stage.has_arrived(follow_up, outcomes));
        given_up.iter().for_each(|follow_up| self.failed(follow_up.targets, Failure::NotCommitted));
        self.open += next.len();
        next.into_iter().cloned().collect()
    }

    /// A stage could not be sent to these targets.
    pub fn failed(&mut self, targets: Targets, failure: Failure) {
        targets.indices(self.outcomes.len()).for_each(|target| self.merge(target, Outcome::Failed(failure)));
    }

    /// A stage has ended. With the last one: the outcomes, in the order of the targets.
    pub fn ended(&mut self) -> Option<Vec<Outcome>> {
        self.open -= 1;
        let nothing_sent = Outcome::Failed(Failure::Refused);
        let told = || self.outcomes.iter().map(|outcome| outcome.unwrap_or(nothing_sent)).collect();
        (self.open == 0).then(told)
    }

    /// The first failure at a target is its outcome.
    fn merge(&mut self, target: usize, outcome: Outcome) {
        let known = &mut self.outcomes[target];
        if !matches!(known, Some(Outcome::Failed(_))) {
            *known = Some(outcome);
        }
    }
}

impl Plan {
    /// What its frames must not overtake, if its message has the order `wanted`: also each other. A Tomcat that handles
    /// two pieces of one message at a time may put them together twice.
    pub fn order(&self, wanted: Order) -> Order {
        match (wanted, &self.parcels[..]) {
            (Order::None, [first, _, ..]) => {
                Order::Keyed(u64::from_be_bytes(std::array::from_fn(|at| first.draft.id[at])))
            }
            _ => wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::tests::node::{Node, draft, member};
    use crate::chain::{FragmentConfig, LayerConfig};
    use Outcome::{Delivered, Failed};

    fn two_phase() -> (Node, Plan) {
        let node = Node::new(vec![LayerConfig::named("two-phase").unwrap()]);
        let plan = node.send(draft(2, 1, "m"), &[member(2), member(3)]);
        (node, plan)
    }

    fn stage(plan: Plan) -> Stage {
        Stage { routes: vec![(0, 0..1), (0, 1..2)], follow_ups: plan.follow_ups }
    }

    #[test]
    fn what_follows_goes_out_when_everything_has_arrived() {
        let (_, plan) = two_phase();
        let mut tally = Tally::new(2);
        let next = tally.arrived(&stage(plan), &[Delivered, Delivered]);
        assert_eq!((next.len(), tally.ended()), (1, None));
        let last = Stage { routes: vec![(0, 0..1), (0, 1..2)], follow_ups: Vec::new() };
        let lost = Failed(Failure::ConnectionLost);
        assert!(tally.arrived(&last, &[Delivered, lost]).is_empty());
        assert_eq!(tally.ended(), Some(vec![Delivered, lost]));
    }

    #[test]
    fn what_follows_is_given_up_if_one_target_has_not_got_what_it_follows() {
        let (_, plan) = two_phase();
        let mut tally = Tally::new(2);
        assert!(tally.arrived(&stage(plan), &[Delivered, Failed(Failure::Timeout)]).is_empty());
        assert_eq!(tally.ended(), Some(vec![Failed(Failure::NotCommitted), Failed(Failure::Timeout)]));
    }

    #[test]
    fn the_first_failure_at_a_target_is_its_outcome() {
        let mut tally = Tally::new(1);
        let stage = Stage { routes: vec![(0, 0..1), (1, 0..1), (2, 0..1)], follow_ups: Vec::new() };
        tally.arrived(&stage, &[Delivered, Failed(Failure::QueueFull), Failed(Failure::Closed)]);
        assert_eq!(tally.ended(), Some(vec![Failed(Failure::QueueFull)]));
    }

    #[test]
    fn of_what_nothing_was_sent_the_outcome_is_a_refusal() {
        let mut tally = Tally::new(2);
        tally.failed(Targets::One(1), Failure::Closed);
        assert_eq!(tally.ended(), Some(vec![Failed(Failure::Refused), Failed(Failure::Closed)]));
    }

    #[test]
    fn the_frames_of_one_message_stay_behind_each_other() {
        let fragment = FragmentConfig { max_size: 1, ..FragmentConfig::default() };
        let node = Node::new(vec![LayerConfig::Fragment(fragment)]);
        let plan = |body| node.send(draft(0, 1, body), &[member(2)]);
        assert_eq!(plan("m").order(Order::None), Order::None, "alone it may take any way");
        assert_eq!(plan("mm").order(Order::None), Order::Keyed(0x0101_0101_0101_0101));
        assert_eq!(plan("mm").order(Order::All), Order::All);
    }
}
