//! When a node elects, when it waits, and what it accepts.

use super::*;

#[test]
fn a_node_elects_nobody_before_it_is_started() {
    let mut world = World::of(member(1), ElectionConfig::default());
    world.see(&[2, 3]);
    world.see(&[2]);
    world.see(&[]);
    world.see(&[2]);
    world.pass(ms(60_000));
    world.assert_silent();
    // It takes part in what others do.
    world.hear(&request(2, &[1, 2], id(1)));
    world.assert_silent();
    world.tell(|election, now| election.started(now));
    assert_eq!(world.take_sent().message.source, member(1));
}

#[test]
fn a_node_that_joins_others_leads_nobody_meanwhile() {
    let world = World::new(2, &[1, 3]);
    assert_eq!(world.election.view(), None);
    world.assert_silent();
}

#[test]
fn a_node_whose_others_all_left_leads_itself() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.see(&[1]);
    world.assert_silent();
    world.see(&[]);
    let (own, list) = world.take_view();
    assert_eq!(list, members(&[2]));
    world.tell(|election, now| election.started(now));
    assert!(world.views.is_empty(), "it is the same view {own}");
}

#[test]
fn a_node_that_does_not_rank_first_waits_for_the_leader_and_then_asks_for_it() {
    let mut world = World::among(clowder(2), &[clowder(1), member(3)]);
    world.pass(ElectionConfig::default().election_timeout - ms(1));
    world.assert_silent();
    world.pass(ms(1));
    let asked = world.take_sent();
    asked.assert_is(&[1], &request(2, &[1, 2, 3], asked.message.id));
    // And again, for as long as it takes.
    world.outcome(&asked, 1, true);
    world.pass(ElectionConfig::default().election_timeout);
    assert_ne!(world.take_sent().message.id, asked.message.id);
}

#[test]
fn the_death_of_the_leader_makes_the_next_one_elect() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.see(&[3]);
    let sent = world.take_sent();
    sent.assert_is(&[3], &request(2, &[2, 3], sent.message.id));
    // And not the one after it.
    let mut world = World::agreed(3, &[1, 2], id(1));
    world.see(&[2]);
    world.assert_silent();
}

#[test]
fn a_leader_elects_when_a_member_joins_or_leaves() {
    for others in [&[2, 3, 4][..], &[2]] {
        let mut world = World::agreed(1, &[2, 3], id(1));
        world.see(others);
        let sent = world.take_sent();
        sent.assert_is(&[2], &request(1, &[&[1], others].concat(), sent.message.id));
    }
}

#[test]
fn a_leader_that_is_not_first_any_more_names_the_one_that_is() {
    let mut world = World::agreed(2, &[3, 4], id(1));
    world.see(&[1, 3, 4]);
    world.assert_silent();
    // Tomcat: a coordinator that loses a member elects, whoever ranks first.
    world.see(&[1, 4]);
    let sent = world.take_sent();
    sent.assert_is(&[1], &request(2, &[1, 2, 4], sent.message.id));
}

#[test]
fn a_member_whose_record_changed_is_no_change() {
    let mut world = World::agreed(1, &[2], id(1));
    let other = Member { payload: Bytes::from_static(b"new"), ..member(2) };
    world.tell(|election, now| election.view_changed(now, &[other]));
    world.assert_silent();
}

#[test]
fn a_view_that_is_not_the_membership_is_mended_by_who_ranks_first() {
    let mut world = World::agreed(1, &[2, 3], id(1));
    // 2 does not know us to rank first, or 3.
    world.hear(&confirmation(2, &[1, 2], id(2)));
    assert_eq!(world.take_view(), (id(2), members(&[1, 2])));
    world.pass(ElectionConfig::default().check_interval);
    let sent = world.take_sent();
    sent.assert_is(&[2], &request(1, &[1, 2, 3], sent.message.id));
}

#[test]
fn a_confirmation_is_accepted_from_anybody_once() {
    let mut world = World::agreed(3, &[1, 2], id(1));
    world.hear(&confirmation(2, &[1, 2, 3], id(2)));
    assert_eq!(world.take_view(), (id(2), members(&[1, 2, 3])));
    world.hear(&confirmation(2, &[2, 3], id(2)));
    world.assert_silent();
}

#[test]
fn a_list_that_was_confirmed_twice_counts_if_it_is_the_membership() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.see(&[1, 3, 4]);
    world.hear(&confirmation(1, &[1, 2, 3, 4], id(1)));
    assert_eq!(world.take_view(), (id(1), members(&[1, 2, 3, 4])));
    world.hear(&confirmation(1, &[1, 2, 3], id(1)));
    world.assert_silent();
    // If we see the member later than the Tomcat: once it has had its chance to say it again.
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.hear(&confirmation(1, &[1, 2, 3, 4], id(1)));
    world.reaches.clear();
    world.assert_silent();
    world.see(&[1, 3, 4]);
    world.pass(ElectionConfig::default().election_timeout * 2);
    assert_eq!(world.stood_in_for, [member(1).id]);
    assert_eq!(world.take_view().1, members(&[1, 2, 3, 4]));
}

#[test]
fn a_view_is_sorted_and_has_nobody_twice() {
    let mut world = World::new(2, &[1, 3]);
    world.hear(&confirmation(1, &[3, 1, 2, 3], id(2)));
    assert_eq!(world.take_view().1, members(&[1, 2, 3]));
}

#[test]
fn a_view_without_us_is_not_ours() {
    let mut world = World::agreed(3, &[1, 2], id(1));
    world.hear(&confirmation(1, &[1, 2], id(2)));
    world.hear(&ElectionMessage { members: Vec::new(), ..confirmation(1, &[1], id(3)) });
    world.assert_silent();
}

#[test]
fn a_confirmation_that_was_overtaken_is_late() {
    let count = |count| ViewId::new([8; 16], count);
    let mut world = World::agreed(2, &[1, 3], count(254));
    world.hear(&confirmation(1, &[1, 2, 3], count(256)));
    assert_eq!(world.take_view().0, count(256));
    world.hear(&confirmation(1, &[1, 2, 3], count(255)));
    world.assert_silent();
    // Of two nodes nobody knows which was first.
    world.hear(&confirmation(3, &[1, 2, 3], ViewId::new([7; 16], 1)));
    assert_eq!(world.take_view().0, ViewId::new([7; 16], 1));
}

#[test]
fn a_token_that_names_us_as_the_leader_is_answered() {
    // It has the view already, or missed it: the answer is the same.
    let mut world = World::agreed(1, &[2, 3], id(1));
    let view = world.election.view().cloned().expect("a view");
    let named = request(3, &[1, 2, 3], id(2));
    world.hear(&named);
    world.take_sent().assert_is(&[3], &confirmation(1, &[1, 2, 3], view.id.expect("of an election")));
    // It knows somebody whom we do not have: first things first.
    let mut world = World::agreed(1, &[2, 3], id(1));
    world.hear(&request(3, &[1, 2, 3, 4], id(2)));
    world.reached(4, true);
    world.take_sent();
    world.see(&[2, 3, 4]);
    assert_eq!(world.take_sent().message.kind, ElectionKind::Request);
    // Nothing is agreed, and we have waited for somebody who left.
    let mut world = World::agreed(1, &[2, 3], id(1));
    world.hear(&confirmation(2, &[1, 2], id(2)));
    world.views.clear();
    world.hear(&named);
    let sent = world.take_sent();
    sent.assert_is(&[2], &request(1, &[1, 2, 3], sent.message.id));
}

#[test]
fn the_view_of_a_higher_member_ends_our_election() {
    let mut world = World::new(2, &[3]);
    let first = world.take_sent();
    world.see(&[1, 3]);
    world.hear(&confirmation(1, &[1, 2, 3], id(5)));
    assert_eq!(world.take_view().0, id(5));
    world.assert_settled();
    world.hear(&first.message);
    world.assert_silent();
}

#[test]
fn a_tomcat_that_will_never_elect_is_stood_in_for() {
    let timeout = ElectionConfig::default().election_timeout;
    let mut world = World::new(2, &[1, 3]);
    world.pass(timeout);
    let asked = world.take_sent();
    asked.assert_is(&[3], &request(2, &[1, 2, 3], asked.message.id));
    world.pass(timeout - ms(1));
    assert!(world.sent.is_empty() && world.stood_in_for.is_empty(), "it may be slow");
    world.pass(ms(1));
    assert_eq!(world.stood_in_for, [member(1).id]);
    let (view, all) = world.take_view();
    assert_eq!(all, members(&[1, 2, 3]));
    let said = world.take_sent();
    said.assert_is(&[1, 3], &confirmation(1, &[1, 2, 3], view));
    // As every confirmation, until everybody has it.
    world.outcome(&said, 1, true);
    world.outcome(&said, 3, false);
    world.pass(ElectionConfig::default().check_interval);
    world.take_sent().assert_is(&[3], &said.message);
}

#[test]
fn tomcats_are_told_of_the_view_again() {
    let mut world = World::agreed(1, &[2, 3], id(1));
    let view = world.election.view().and_then(|view| view.id).expect("it was agreed");
    let interval = ElectionConfig::default().remind_interval;
    world.pass(interval - ms(1));
    world.assert_silent();
    world.pass(ms(1));
    world.take_sent().assert_is(&[2, 3], &confirmation(1, &[1, 2, 3], view));
    world.pass(interval);
    world.take_sent().assert_is(&[2, 3], &confirmation(1, &[1, 2, 3], view));
    // One Clowder node does it, and gives the view of a Tomcat an id of its own.
    let mut world = World::among(clowder(3), &[clowder(2), member(1)]);
    world.hear(&confirmation(1, &[1, 2, 3], id(5)));
    world.pass(interval * 3);
    assert!(world.sent.is_empty(), "2 does it: {:?}", world.sent);
    world.see(&[1]);
    world.hear(&confirmation(1, &[1, 3], id(6)));
    world.views.clear();
    world.pass(interval);
    let (view, all) = world.take_view();
    assert_eq!(all, members(&[1, 3]));
    assert_ne!(view, id(6));
    world.take_sent().assert_is(&[1], &confirmation(1, &[1, 3], view));
}

#[test]
fn a_leader_that_was_stood_in_for_says_its_own_word_again() {
    let mut world = World::agreed(1, &[2, 3], id(1));
    let own = world.election.view().cloned().expect("it was agreed");
    world.hear(&confirmation(1, &[1, 2, 3], id(5)));
    assert_eq!(world.election.view(), Some(&own));
    let said = world.take_sent();
    said.assert_is(&[2, 3], &confirmation(1, &[1, 2, 3], own.id.expect("of an election")));
}

#[test]
fn the_clowder_node_that_ranks_highest_stands_in_first() {
    let timeout = ElectionConfig::default().election_timeout;
    let mut world = World::among(clowder(3), &[member(1), clowder(2), member(4)]);
    world.pass(timeout * 2);
    assert!(world.stood_in_for.is_empty() && world.views.is_empty(), "2 does it");
    // 2 has no coordinator, it seems.
    world.pass(timeout);
    assert_eq!(world.stood_in_for, [member(1).id]);
    assert_eq!(world.take_view().1, members(&[1, 2, 3, 4]));
}

#[test]
fn who_missed_the_view_of_a_tomcat_gets_it_from_another_member() {
    let timeout = ElectionConfig::default().election_timeout;
    // The leader would not answer.
    let mut world = World::new(2, &[1, 3, 4]);
    world.pass(timeout);
    let asked = world.take_sent();
    asked.assert_is(&[3], &request(2, &[1, 2, 3, 4], asked.message.id));
    // Who has the view says so, and passes the token on.
    let mut other = World::agreed(3, &[1, 2, 4], id(5));
    other.hear(&asked.message);
    let (confirmed, token) = (other.sent.remove(0), other.take_sent());
    confirmed.assert_is(&[2], &confirmation(1, &[1, 2, 3, 4], id(5)));
    token.assert_is(&[4], &asked.message);
    world.hear(&confirmed.message);
    assert_eq!(world.take_view(), (id(5), members(&[1, 2, 3, 4])));
    // Who has another view, or one that is not its membership any more, does not.
    let mut other = World::agreed(3, &[1, 2], id(5));
    other.see(&[1, 2, 4]);
    other.hear(&asked.message);
    other.take_sent().assert_is(&[4], &asked.message);
}

#[test]
fn nobody_vouches_for_a_clowder_leader_whose_record_was_relayed() {
    let mut world = World::among(clowder(3), &[clowder(1), member(2), member(4)]);
    world.hear(&confirmation(1, &[1, 2, 3, 4], id(5)));
    world.sent.clear();
    let asked = request(2, &[1, 2, 3, 4], id(6));
    world.hear(&asked);
    world.take_sent().assert_is(&[4], &asked);
}

#[test]
fn what_is_told_of_members_has_tomcats_fields_and_nothing_more() {
    let mut world = World::among(clowder(1), &[clowder(2)]);
    let ElectionMessage { leader, source, members, .. } = world.take_sent().message;
    let told: Vec<_> = [leader, source].into_iter().chain(members).map(|member| member.extension).collect();
    assert_eq!(told, vec![Bytes::new(); 4]);
}

#[test]
fn a_clowder_leader_is_asked_until_it_answers() {
    let timeout = ElectionConfig::default().election_timeout;
    let mut world = World::among(clowder(2), &[clowder(1), member(3)]);
    world.hear(&request(1, &[1, 2, 3], id(5)));
    world.pass(timeout * 4);
    assert!(world.views.is_empty(), "{:?}", world.views);
    assert!(world.sent.len() >= 3, "{:?}", world.sent);
}

#[test]
fn ids_follow_from_the_seed_and_count_the_elections() {
    let ids = |seed| {
        let mut world = World::of(member(1), ElectionConfig { seed, ..ElectionConfig::default() });
        world.see(&[2]);
        world.tell(|election, now| election.started(now));
        let first = world.take_sent().message.id;
        world.pass(ElectionConfig::default().election_timeout);
        (first, world.take_sent().message.id)
    };
    let (first, second) = ids(1);
    assert_eq!(ids(1), (first, second));
    assert_ne!(ids(2).0, first);
    assert!(first.is_before(second) && !second.is_before(first) && !first.is_before(ids(2).1));
    assert_eq!((first.0[6] >> 4, first.0[8] >> 6), (4, 2), "a UUID of version 4, as Tomcat's");
}
