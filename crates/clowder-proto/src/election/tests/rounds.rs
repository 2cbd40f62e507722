//! One election: tokens, their hops, and their end.

use super::*;
use crate::wire::options;

#[test]
fn a_returned_token_with_the_same_members_is_confirmed_to_all_others_at_once() {
    let mut world = World::new(1, &[2, 3]);
    let first = world.take_sent();
    first.assert_is(&[2], &request(1, &[1, 2, 3], first.message.id));
    world.hear(&first.message);
    let id = first.message.id;
    world.take_sent().assert_is(&[2, 3], &confirmation(1, &[1, 2, 3], id));
    assert_eq!(world.take_view(), (id, members(&[1, 2, 3])));
}

#[test]
fn a_token_that_met_more_members_is_confirmed_with_them() {
    let mut world = World::new(1, &[2]);
    let id = world.take_sent().message.id;
    world.hear(&request(1, &[1, 2, 3], id));
    world.reached(3, true);
    world.take_sent().assert_is(&[2, 3], &confirmation(1, &[1, 2, 3], id));
}

#[test]
fn a_token_that_lacks_somebody_whom_we_met_meanwhile_goes_round_again_with_its_id() {
    let mut world = World::new(1, &[2]);
    let id = world.take_sent().message.id;
    world.see(&[2, 3]);
    world.hear(&request(1, &[1, 2], id));
    world.take_sent().assert_is(&[2], &request(1, &[1, 2, 3], id));
    world.hear(&request(1, &[1, 2, 3], id));
    world.take_sent().assert_is(&[2, 3], &confirmation(1, &[1, 2, 3], id));
}

#[test]
fn a_member_that_others_cannot_reach_does_not_keep_the_token_going() {
    let mut world = World::new(1, &[2, 3]);
    let first = world.take_sent();
    // 2 cannot reach 3 and took it out.
    world.hear(&request(1, &[1, 2], first.message.id));
    world.take_sent().assert_is(&[2, 3], &confirmation(1, &[1, 2, 3], first.message.id));
}

#[test]
fn our_token_that_met_a_higher_member_goes_on_under_its_name() {
    let mut world = World::new(2, &[3]);
    let first = world.take_sent();
    world.hear(&ElectionMessage { leader: member(1), ..request(2, &[1, 2, 3], first.message.id) });
    world.reached(1, true);
    world.take_sent().assert_is(&[3], &request(2, &[1, 2, 3], first.message.id));
    // It is no suggestion of ours any more.
    world.see(&[1, 3]);
    world.hear(&request(2, &[1, 2, 3], first.message.id));
    world.assert_silent();
}

#[test]
fn a_token_of_another_is_merged_and_goes_to_the_next_member() {
    let mut world = World::agreed(2, &[1, 4], id(1));
    world.hear(&request(1, &[1, 2], id(2)));
    world.take_sent().assert_is(&[4], &request(1, &[1, 2, 4], id(2)));
    // The last one gives it to the first.
    let mut world = World::new(4, &[1, 2]);
    world.hear(&request(2, &[2, 4], id(2)));
    world.take_sent().assert_is(&[1], &request(2, &[1, 2, 4], id(2)));
}

#[test]
fn a_hop_that_fails_goes_to_the_next_until_all_were_tried() {
    let mut world = World::agreed(2, &[1, 3, 4], id(1));
    world.hear(&request(1, &[1, 2, 3, 4], id(2)));
    for to in [3, 4, 1] {
        let hop = world.take_sent();
        hop.assert_is(&[to], &request(1, &[1, 2, 3, 4], id(2)));
        world.outcome(&hop, to, false);
    }
    world.assert_silent();
}

#[test]
fn a_first_token_that_fails_goes_to_the_next_member() {
    let mut world = World::new(1, &[2, 3]);
    for to in [2, 3] {
        let hop = world.take_sent();
        assert_eq!(hop.to, members(&[to]));
        world.outcome(&hop, to, false);
    }
    world.assert_silent();
    // Nobody had it: there is nothing to wait for.
    world.pass(ElectionConfig::default().check_interval);
    assert_eq!(world.take_sent().to, members(&[2]));
}

#[test]
fn a_token_that_comes_again_unchanged_waits_and_ends_after_the_timeout() {
    // 1 leads and 4 asked for it; neither can be reached, and nobody has noticed yet.
    let mut world = World::of(member(2), ElectionConfig::default());
    world.see(&[1, 3, 4]);
    let token = request(4, &[1, 2, 3, 4], id(2));
    world.hear(&token);
    let mut hops = 0;
    let started = world.now.mono;
    while let Some(hop) = world.sent.pop() {
        hops += 1;
        world.outcome(&hop, 3, true);
        world.hear(&token);
        assert!(world.sent.is_empty(), "it waits");
        world.pass(ms(300));
    }
    let lasted = world.now.mono - started;
    assert!((50..=60).contains(&hops), "four in a second: {hops}");
    assert!(lasted <= ElectionConfig::default().election_timeout + ms(600), "{lasted:?}");
}

#[test]
fn a_token_that_died_with_its_holder_goes_to_the_one_after_it() {
    let mut world = World::agreed(2, &[1, 3, 4], id(1));
    let token = request(1, &[1, 2, 3, 4], id(2));
    world.hear(&token);
    let hop = world.take_sent();
    world.outcome(&hop, 3, true);
    world.see(&[1, 4]);
    world.take_sent().assert_is(&[4], &token);
    // Not once its view is agreed.
    let mut world = World::agreed(2, &[1, 3, 4], id(1));
    world.hear(&token);
    let hop = world.take_sent();
    world.outcome(&hop, 3, true);
    world.hear(&confirmation(1, &[1, 2, 3, 4], id(2)));
    world.see(&[1, 4]);
    assert!(world.sent.is_empty(), "{:?}", world.sent);
}

#[test]
fn an_election_without_a_result_starts_again_with_a_new_id() {
    let mut world = World::new(1, &[2, 3]);
    let lost = world.take_sent();
    world.outcome(&lost, 2, true);
    world.pass(ElectionConfig::default().election_timeout - ms(1));
    assert!(world.sent.is_empty());
    world.pass(ms(1));
    let again = world.take_sent();
    assert_ne!(again.message.id, lost.message.id);
    again.assert_is(&[2], &request(1, &[1, 2, 3], again.message.id));
}

#[test]
fn a_token_of_an_earlier_election_is_nothing() {
    let mut world = World::new(1, &[2, 3]);
    let lost = world.take_sent();
    world.pass(ElectionConfig::default().election_timeout);
    world.sent.clear();
    world.hear(&lost.message);
    world.assert_silent();
}

#[test]
fn an_election_whose_member_leaves_starts_again_at_once() {
    let mut world = World::new(1, &[2, 3]);
    let lost = world.take_sent();
    world.see(&[3]);
    let again = world.take_sent();
    assert_ne!(again.message.id, lost.message.id);
    again.assert_is(&[3], &request(1, &[1, 3], again.message.id));
}

#[test]
fn a_confirmation_that_did_not_arrive_is_sent_again() {
    let mut world = World::among(clowder(1), &[clowder(2), clowder(3)]);
    let first = world.take_sent();
    world.hear(&first.message);
    let confirmed = world.take_sent();
    world.outcome(&confirmed, 2, true);
    world.outcome(&confirmed, 3, false);
    world.pass(ElectionConfig::default().check_interval);
    let again = world.take_sent();
    again.assert_is(&[3], &confirmed.message);
    // Acknowledged is what was handled: a layer above the receiver may refuse what it received.
    assert!([&confirmed, &again].iter().all(|sent| options::ack_after(sent.options)));
    world.outcome(&again, 3, true);
    world.pass(ms(60_000));
    assert!(world.sent.is_empty(), "all have it");
}

#[test]
fn a_confirmation_is_not_owed_to_who_left() {
    let mut world = World::new(1, &[2, 3]);
    let first = world.take_sent();
    world.hear(&first.message);
    let confirmed = world.take_sent();
    world.outcome(&confirmed, 2, true);
    world.outcome(&confirmed, 3, false);
    world.see(&[2]);
    assert_eq!(world.take_sent().message.kind, ElectionKind::Request);
    world.pass(ElectionConfig::default().check_interval);
    assert!(world.sent.is_empty(), "{:?}", world.sent);
}

#[test]
fn a_confirmation_is_owed_to_a_member_that_was_gone_for_a_moment() {
    let mut world = World::new(1, &[2, 3]);
    let first = world.take_sent();
    world.hear(&first.message);
    let confirmed = world.take_sent();
    world.outcome(&confirmed, 2, true);
    world.outcome(&confirmed, 3, false);
    world.see(&[2]);
    world.pass(ElectionConfig::default().check_interval);
    world.sent.clear();
    // The view is right again, and no election will tell.
    world.see(&[2, 3]);
    world.pass(ms(0));
    world.take_sent().assert_is(&[3], &confirmed.message);
}

#[test]
fn what_floods_in_is_held_in_bounded_memory() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    for number in 0..200 {
        // Each with a stranger of its own, who is never found out about.
        let stranger = Member::new(([10, 1, 0, number], 4000).into(), [number; 16]);
        let mut token = request(1, &[1, 2, 3], id(number));
        world.hear(&token);
        world.hear(&token);
        token.members.push(stranger);
        world.hear(&token);
    }
    assert!(world.reaches.len() <= ElectionConfig::default().strangers_max);
    assert_eq!(world.election.merges.len(), MERGES_MAX);
    // The machine's own checks look at the rest after every input.
}
