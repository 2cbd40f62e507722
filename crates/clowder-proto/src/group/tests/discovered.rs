//! Lists of discovered members.

use super::*;
use crate::wire::Capabilities;

fn source(index: usize) -> Source {
    Source::new(index).expect("few sources")
}

fn cloud() -> World {
    World::new(GroupConfig::default())
}

fn told(world: &mut World, members: &[Member]) {
    let list = list(members);
    world.tell(|group, now| group.discovered(now, source(0), &list));
}

/// Node `member` is listed, answers, and is a member.
fn joined(member: &Member) -> World {
    let mut world = cloud();
    told(&mut world, std::slice::from_ref(member));
    world.answer(member, Verdict::Alive);
    assert_eq!(world.changes().0, std::slice::from_ref(member));
    world.outs = Outs::default();
    world
}

fn clowder(member: &Member) -> Member {
    Member { extension: Capabilities::ALL.encode(), ..member.clone() }
}

#[test]
fn who_is_listed_is_probed_and_joins_when_it_answers() {
    let (here, away) = (member(2, 2), member(3, 3));
    let mut world = cloud();
    told(&mut world, &[here.clone(), away.clone()]);
    world.answer(&away, REFUSED);
    assert!(world.outs.views.is_empty(), "a list alone makes no member");
    world.answer(&here, Verdict::Alive);
    assert_eq!(world.changes().0, std::slice::from_ref(&here));
    assert!(world.outs.notices.is_empty(), "a Tomcat of a cloud does not know notices");
    // The other one is tried for as long as it is listed.
    world.pass(ms(1000));
    world.answer(&away, Verdict::Alive);
    assert_eq!(world.group.roster.members(), [here, away]);
}

#[test]
fn a_list_without_news_is_nothing() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    for _ in 0..3 {
        told(&mut world, std::slice::from_ref(&peer));
        world.pass(ms(1000));
    }
    world.assert_quiet();
}

#[test]
fn the_local_node_and_what_cannot_be_reached_are_passed_over() {
    let mut world = cloud();
    let nowhere = Member::new(([0, 0, 0, 0], 4000).into(), [7; 16]);
    let portless = Member::new(([10, 0, 0, 7], 0).into(), [7; 16]);
    told(&mut world, &[member(1, 1), member(1, 9), nowhere, portless]);
    world.assert_quiet();
    assert!(world.group.is_settled());
}

#[test]
fn who_is_in_no_list_for_the_expiration_time_leaves_without_a_probe() {
    let (peer, other) = (member(2, 2), member(3, 3));
    let mut world = joined(&peer);
    told(&mut world, std::slice::from_ref(&other));
    world.answer(&other, Verdict::Alive);
    world.changes();
    world.pass(ms(4999));
    assert!(world.is_member(&peer));
    world.outs = Outs::default();
    world.pass(ms(1));
    assert_eq!(world.changes().1, [(peer.clone(), LeftReason::Unlisted)]);
    world.pass(Duration::from_secs(60));
    assert!(world.group.roster.get(&peer.id).is_none(), "nothing is asked of its address any more");
    assert!(world.is_member(&other));
}

#[test]
fn who_is_listed_again_in_time_stays() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    for _ in 0..4 {
        told(&mut world, &[]);
        world.pass(ms(4000));
        told(&mut world, std::slice::from_ref(&peer));
        world.pass(ms(4000));
        if !world.outs.probes.is_empty() {
            world.answer(&peer, Verdict::Alive);
        }
    }
    assert!(world.outs.views.is_empty() && world.is_member(&peer));
}

#[test]
fn without_an_answer_of_the_directory_everybody_stays() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    for _ in 0..120 {
        world.pass(ms(5000));
        while world.outs.probes.iter().any(|probe| probe.member == peer) {
            world.answer(&peer, Verdict::Alive);
        }
    }
    assert!(world.outs.views.is_empty() && world.is_member(&peer));
    // Deaths are still seen: they are no matter of the directory.
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes().1, [(peer, LeftReason::Dead(ProbeFailure::Refused))]);
}

#[test]
fn a_node_that_slept_lets_nobody_expire_for_it() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    told(&mut world, &[]);
    world.sleep(ms(20_000));
    assert!(world.is_member(&peer));
    told(&mut world, std::slice::from_ref(&peer));
    assert!(world.is_member(&peer) && world.outs.views.is_empty());
}

#[test]
fn heartbeats_are_another_reason_to_stay() {
    let peer = member(2, 2);
    let mut world = World::new(multicast());
    told(&mut world, std::slice::from_ref(&peer));
    world.answer(&peer, Verdict::Alive);
    world.hear(&peer);
    told(&mut world, &[]);
    world.changes();
    for _ in 0..20 {
        world.pass(ms(500));
        world.hear(&peer);
    }
    assert!(world.is_member(&peer) && world.outs.views.is_empty());
    world.pass(ms(3100));
    assert_eq!(world.changes().1, [(peer, LeftReason::Unlisted)], "the last reason is gone");
}

#[test]
fn the_configuration_is_another_reason_to_stay() {
    let peer = member(2, 2);
    let mut world = World::new(configured(std::slice::from_ref(&peer)));
    world.answer(&peer, Verdict::Alive);
    told(&mut world, std::slice::from_ref(&peer));
    told(&mut world, &[]);
    world.changes();
    world.pass(ms(10_000));
    assert!(world.is_member(&peer) && world.outs.views.is_empty());
}

#[test]
fn one_list_of_two_is_enough() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    let both = list(std::slice::from_ref(&peer));
    world.tell(|group, now| group.discovered(now, source(1), &both));
    told(&mut world, &[]);
    world.pass(ms(10_000));
    assert!(world.is_member(&peer) && world.outs.views.is_empty());
    world.tell(|group, now| group.discovered(now, source(1), &[]));
    world.pass(ms(5000));
    assert_eq!(world.changes().1, [(peer, LeftReason::Unlisted)]);
}

#[test]
fn a_new_id_at_a_listed_address_replaces_the_old_one_at_once() {
    let (old, new) = (member(2, 2), member(2, 3));
    let mut world = joined(&old);
    told(&mut world, std::slice::from_ref(&new));
    assert_eq!(world.changes().1, [(old.clone(), LeftReason::Replaced)]);
    world.answer(&new, Verdict::Alive);
    assert_eq!(world.group.roster.members(), std::slice::from_ref(&new));
    assert!(world.group.roster.get(&old.id).is_none());
}

#[test]
fn the_verdict_on_a_replaced_id_does_not_bring_it_back() {
    let (old, new) = (member(2, 2), member(2, 3));
    let mut world = joined(&old);
    world.tell(|group, now| group.connection_lost(now, &old.id));
    let probe = world.probe_of(&old);
    told(&mut world, std::slice::from_ref(&new));
    world.changes();
    world.tell(|group, now| group.probed(now, probe.id, Verdict::Alive));
    assert!(world.outs.views.is_empty(), "the new process answered");
    world.answer(&new, Verdict::Alive);
    assert_eq!(world.changes().0, [new]);
}

#[test]
fn of_two_ids_at_one_address_in_a_list_the_first_counts() {
    let mut world = cloud();
    told(&mut world, &[member(2, 9), member(2, 2)]);
    assert_eq!(world.outs.probes.len(), 1);
    world.answer(&member(2, 9), Verdict::Alive);
    told(&mut world, &[member(2, 9), member(2, 2)]);
    assert_eq!(world.group.roster.members(), [member(2, 9)]);
}

#[test]
fn a_listed_id_waits_while_another_one_heartbeats_at_its_address() {
    let (speaks, named) = (member(2, 2), member(2, 3));
    let mut world = World::new(multicast());
    world.join(&speaks);
    told(&mut world, std::slice::from_ref(&named));
    for _ in 0..20 {
        world.pass(ms(500));
        world.hear(&speaks);
    }
    world.assert_quiet();
    assert!(world.group.is_settled(), "nothing is owed to it");
    // When its heartbeats stop, a probe of the address would not tell who answers.
    world.pass(ms(3100));
    assert_eq!(world.changes().1, [(speaks.clone(), LeftReason::Replaced)]);
    world.answer(&named, Verdict::Alive);
    assert_eq!(world.group.roster.members(), [named]);
}

#[test]
fn a_heartbeat_with_another_id_than_the_list_says_is_a_newer_process() {
    let (named, speaks) = (member(2, 2), member(2, 3));
    let mut world = World::new(multicast());
    told(&mut world, std::slice::from_ref(&named));
    world.answer(&named, Verdict::Alive);
    world.changes();
    world.hear(&speaks);
    assert_eq!(world.changes().1, [(named.clone(), LeftReason::Replaced)]);
    world.answer(&speaks, Verdict::Alive);
    for _ in 0..20 {
        world.pass(ms(500));
        world.hear(&speaks);
        told(&mut world, std::slice::from_ref(&named));
    }
    assert!(world.outs.probes.is_empty(), "the list cannot know it yet, or never will: no back and forth");
    assert_eq!(world.group.roster.members(), [speaks]);
}

#[test]
fn a_listed_id_that_heartbeats_replaces_the_one_before_it() {
    let (old, new) = (member(2, 2), member(2, 3));
    let mut world = World::new(multicast());
    world.join(&aged(&old, 60_000));
    told(&mut world, std::slice::from_ref(&new));
    world.pass(ms(1500));
    world.hear(&aged(&new, 10));
    assert_eq!(world.changes().1, [(old, LeftReason::Replaced)]);
    world.answer(&new, Verdict::Alive);
    assert_eq!(world.group.roster.members(), [new]);
}

#[test]
fn a_probe_on_its_way_to_a_listed_id_does_not_make_two_members_of_one_address() {
    let (named, speaks) = (member(2, 2), member(2, 3));
    let mut world = World::new(multicast());
    told(&mut world, std::slice::from_ref(&named));
    let probe = world.probe_of(&named);
    world.hear(&speaks);
    world.tell(|group, now| group.probed(now, probe.id, Verdict::Alive));
    world.answer(&speaks, Verdict::Alive);
    assert_eq!(world.group.roster.members(), [speaks]);
}

#[test]
fn messages_with_another_id_than_the_list_says_change_nothing() {
    let mut world = joined(&member(2, 2));
    for id in [0, 9] {
        let other = member(2, id);
        world.tell(|group, now| group.heard(now, &other));
        world.tell(|group, now| group.notice_received(now, &other, Notice::Probe));
        world.tell(|group, now| group.notice_received(now, &other, Notice::Stop));
    }
    world.assert_quiet();
    assert_eq!(world.group.roster.members(), [member(2, 2)]);
}

#[test]
fn lists_fill_the_table_and_no_more() {
    let mut world = World::new(GroupConfig { members_max: 3, ..GroupConfig::default() });
    let many: Vec<Member> = (2..100).map(|number| member(number, 1)).collect();
    told(&mut world, &many);
    assert_eq!(world.group.roster.iter().count(), 3);
    assert_eq!(world.outs.dropped.first(), Some(&DropCause::TableFull { members_max: 3 }));
    assert_eq!(world.outs.dropped.len(), 95);
    // Places of candidates that are gone are free at once.
    told(&mut world, &many[50..53]);
    assert!(world.group.roster.get(&many[50].id).is_some() && world.group.roster.get(&many[0].id).is_none());
}

fn unready(world: &mut World, member: &Member) {
    let list = [Listed { id: member.id.clone(), ready: false }];
    world.tell(|group, now| group.discovered(now, source(0), &list));
}

#[test]
fn a_listed_pod_that_is_not_ready_is_not_probed_until_it_is() {
    let peer = member(2, 2);
    let mut world = cloud();
    unready(&mut world, &peer);
    world.pass(ms(60_000));
    world.assert_quiet();
    assert!(world.group.is_settled(), "nobody waits for it");
    told(&mut world, std::slice::from_ref(&peer));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, [peer]);
}

#[test]
fn a_listed_pod_that_is_not_ready_is_probed_at_its_own_first_sign() {
    let signs: [fn(&mut Group, Now, &Member); 3] = [
        |group, now, peer| group.notice_received(now, peer, Notice::Start),
        |group, now, peer| group.notice_received(now, peer, Notice::Probe),
        Group::heard,
    ];
    for sign in signs {
        let peer = member(2, 2);
        let mut world = cloud();
        unready(&mut world, &peer);
        world.tell(|group, now| sign(group, now, &peer));
        world.answer(&peer, Verdict::Alive);
        assert_eq!(world.changes().0, [peer]);
    }
}

#[test]
fn a_member_that_is_not_ready_any_more_stays() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    unready(&mut world, &peer);
    world.pass(ms(5500));
    assert!(world.outs.views.is_empty() && world.is_member(&peer));
}

#[test]
fn clowder_nodes_of_a_list_learn_what_the_other_one_can() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    world.tell(|group, now| group.notice_received(now, &clowder(&peer), Notice::Probe));
    assert_eq!(world.outs.views.last().expect("news").members[0].capabilities(), Capabilities::ALL);
    let notices: Vec<_> = world.outs.notices.drain(..).map(|(to, notice, _)| (to, notice)).collect();
    assert_eq!(notices, [(peer.clone(), Notice::Start)], "it does not know this one yet");
    world.tell(|group, now| group.notice_received(now, &clowder(&peer), Notice::Start));
    world.tell(|group, now| group.heard(now, &clowder(&peer)));
    assert!(world.outs.notices.is_empty(), "once");
}

#[test]
fn stopping_tells_the_clowder_nodes_of_a_list_and_no_tomcat() {
    let (tomcat, node) = (member(2, 2), member(3, 3));
    let mut world = joined(&tomcat);
    told(&mut world, &[tomcat.clone(), node.clone()]);
    world.tell(|group, now| group.heard(now, &clowder(&node)));
    world.answer(&node, Verdict::Alive);
    world.outs = Outs::default();
    world.tell(Group::stopping);
    let notices: Vec<_> = world.outs.notices.iter().map(|(to, notice, _)| (to.clone(), *notice)).collect();
    assert_eq!((notices, world.outs.stopped), (vec![(node, Notice::Stop)], 1));
}

#[test]
fn a_listed_member_that_said_goodbye_is_asked_again_later() {
    let peer = member(2, 2);
    let mut world = joined(&peer);
    world.tell(|group, now| group.notice_received(now, &peer, Notice::Stop));
    assert_eq!(world.changes().1, [(peer.clone(), LeftReason::Goodbye)]);
    told(&mut world, std::slice::from_ref(&peer));
    world.pass(ms(4900));
    world.assert_quiet();
    world.pass(ms(200));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, [peer]);
}

#[test]
fn listed_members_are_in_absolute_order() {
    let mut world = cloud();
    let list = [member(9, 1), member(2, 2), member(5, 3)];
    told(&mut world, &list);
    for peer in &list {
        world.answer(peer, Verdict::Alive);
    }
    assert_eq!(world.group.roster.members(), [member(2, 2), member(5, 3), member(9, 1)]);
}

#[test]
fn lists_after_the_goodbye_change_nothing() {
    let mut world = cloud();
    world.tell(Group::stopping);
    told(&mut world, &[member(2, 2)]);
    world.assert_quiet();
}

#[test]
fn there_is_a_bound_for_sources() {
    assert!(Source::new(Source::COUNT_MAX - 1).is_some() && Source::new(Source::COUNT_MAX).is_none());
}
