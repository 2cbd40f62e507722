//! Configured members: notices, retries, and the two ways of discovery together.

use super::*;
use crate::wire::{Capabilities, FrameDecoder, Limits};

fn pair() -> (World, Member) {
    let peer = member(2, 2);
    (World::new(configured(std::slice::from_ref(&peer))), peer)
}

fn joined() -> (World, Member) {
    let (mut world, peer) = pair();
    world.answer(&peer, Verdict::Alive);
    world.outs = Outs::default();
    (world, peer)
}

fn message_in(frame: &Bytes) -> Message {
    let limits = Limits::default();
    let mut decoder = FrameDecoder::new(&limits);
    decoder.buffer().extend_from_slice(frame);
    Message::decode(&decoder.next().unwrap().expect("a whole frame"), &limits).unwrap()
}

#[test]
fn configured_members_are_probed_at_once() {
    let (mut world, peer) = pair();
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, vec![peer]);
}

#[test]
fn the_local_node_in_its_own_list_is_left_out() {
    let mut world = World::new(configured(&[member(1, 1), member(1, 9), member(2, 2)]));
    assert_eq!(world.outs.probes.len(), 1);
    world.answer(&member(2, 2), Verdict::Alive);
    assert_eq!(world.group.roster.members(), [member(2, 2)]);
}

#[test]
fn a_joined_static_member_gets_the_start_notice_with_our_real_age() {
    let (mut world, peer) = pair();
    world.pass(ms(120));
    world.answer(&peer, Verdict::Alive);
    let (to, notice, frame) = world.outs.notices.pop().expect("a notice");
    let message = message_in(&frame);
    assert_eq!((to, notice, message.options), (peer, Notice::Start, 0));
    assert_eq!(message.body, &b"Local StaticMember Notification Data"[..]);
    assert_eq!((message.from.clone(), message.from.alive), (member(1, 1), 120));
    assert_eq!(Notice::of(&message, &DetectorConfig::default()), Some(Notice::Start));
}

#[test]
fn stopping_sends_the_stop_notice_to_static_members_only() {
    let (static_peer, absent, heard) = (member(2, 2), member(3, 3), member(4, 4));
    let mut config = multicast();
    config.configured = vec![static_peer.clone(), absent];
    let mut world = World::new(config);
    world.answer(&static_peer, Verdict::Alive);
    world.join(&heard);
    world.tell(Group::stopping);
    let notices: Vec<_> = world.outs.notices.iter().map(|(to, notice, _)| (to.clone(), *notice)).collect();
    assert_eq!(notices, [(static_peer, Notice::Stop)]);
    assert_eq!(message_in(&world.outs.notices[0].2).body, &b"Local StaticMember Shutdown Data"[..]);
    assert_eq!(world.outs.datagrams.last().map(decode_shutdown), Some(true));
}

fn decode_shutdown(datagram: &Bytes) -> bool {
    Member::decode(datagram, &Limits::default()).unwrap().is_shutting_down()
}

#[test]
fn without_multicast_stopping_is_done_at_once() {
    let (mut world, _) = joined();
    world.tell(Group::stopping);
    assert_eq!((world.outs.stopped, world.outs.notices.len(), world.outs.datagrams.len()), (1, 1, 0));
}

#[test]
fn a_stop_notice_is_a_goodbye() {
    let (mut world, peer) = joined();
    world.tell(|group, now| group.notice_received(now, &peer, Notice::Stop));
    assert_eq!(world.changes().1, vec![(peer.clone(), LeftReason::Goodbye)]);
    // It drains with an open port: neither retries nor its last messages bring it back at once.
    world.tell(|group, now| group.heard(now, &peer));
    world.pass(ms(2000));
    world.assert_quiet();
    // Its next start does.
    world.tell(|group, now| group.notice_received(now, &peer, Notice::Start));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, vec![peer]);
}

#[test]
fn notices_of_strangers_have_no_effect() {
    let (mut world, _) = joined();
    for notice in [Notice::Start, Notice::Stop, Notice::Probe, Notice::Ping] {
        world.tell(|group, now| group.notice_received(now, &member(3, 3), notice));
        // The right address with another id is another member.
        world.tell(|group, now| group.notice_received(now, &member(2, 9), notice));
    }
    world.assert_quiet();
}

#[test]
fn retries_back_off_to_five_seconds() {
    let (mut world, peer) = pair();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        world.answer(&peer, REFUSED);
        let failed = world.now.mono;
        while world.outs.probes.is_empty() {
            world.pass(ms(5));
        }
        pauses.push((world.now.mono - failed).as_millis());
    }
    for (pause, expect) in pauses.iter().zip([500, 1000, 2000, 4000, 5000, 5000, 5000, 5000]) {
        assert!((expect * 3 / 4..=expect * 5 / 4 + 5).contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_static_peer_that_starts_later_is_a_member_at_its_first_sign() {
    let signs: [fn(&mut Group, Now, &Member); 3] = [
        |group, now, peer| group.notice_received(now, peer, Notice::Start),
        |group, now, peer| group.notice_received(now, peer, Notice::Probe),
        Group::heard,
    ];
    for sign in signs {
        let (mut world, peer) = pair();
        for _ in 0..5 {
            world.answer(&peer, REFUSED);
            while world.outs.probes.is_empty() {
                world.pass(ms(5));
            }
        }
        world.answer(&peer, REFUSED);
        world.pass(ms(1000));
        assert!(world.outs.probes.is_empty(), "the next retry is seconds away");
        world.tell(|group, now| sign(group, now, &peer));
        world.answer(&peer, Verdict::Alive);
        assert_eq!(world.changes().0, vec![peer]);
    }
}

#[test]
fn signs_of_life_do_not_make_a_storm_of_probes() {
    let (mut world, peer) = pair();
    world.answer(&peer, REFUSED);
    let mut probes = 0;
    for _ in 0..1000 {
        world.tell(|group, now| group.heard(now, &peer));
        world.pass(ms(1));
        if !world.outs.probes.is_empty() {
            world.answer(&peer, REFUSED);
            probes += 1;
        }
    }
    assert!((5..=10).contains(&probes), "one in 100 ms at most: {probes}");
}

#[test]
fn an_unknown_sender_is_not_made_a_member() {
    let (mut world, _) = joined();
    world.tell(|group, now| group.heard(now, &member(7, 7)));
    world.pass(ms(1000));
    assert!(!world.is_member(&member(7, 7)));
    world.assert_quiet();
}

#[test]
fn what_a_message_says_of_a_static_member_is_learnt() {
    let (mut world, peer) = joined();
    let announced = Member {
        extension: Capabilities::ALL.encode(),
        udp_port: 4001,
        alive: 1_700_000_000_000,
        command: Bytes::from_static(SHUTDOWN_COMMAND),
        ..peer.clone()
    };
    world.tell(|group, now| group.heard(now, &announced));
    let view = world.outs.views.pop().expect("a view");
    assert_eq!(view.members[0].capabilities(), Capabilities::ALL);
    assert_eq!((view.members[0].udp_port, view.members[0].alive), (4001, 0), "age and command are not news");
    assert!(!view.members[0].is_shutting_down());
    world.tell(|group, now| group.heard(now, &announced));
    world.assert_quiet();
}

#[test]
fn heartbeats_say_it_better_than_messages() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.heard(now, &Member { payload: Bytes::from_static(b"stale"), ..peer.clone() }));
    world.assert_quiet();
}

#[test]
fn static_members_are_pinged_when_no_heartbeat_vouches_for_them() {
    let (mut world, peer) = joined();
    world.pass(ms(6300));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes().1, vec![(peer, LeftReason::Dead(ProbeFailure::Refused))]);
}

#[test]
fn found_by_both_ways_it_is_one_member() {
    let peer = member(2, 2);
    let mut config = multicast();
    config.configured = vec![peer.clone()];
    let mut world = World::new(config);
    world.answer(&peer, REFUSED);
    world.hear(&peer);
    world.pass(ms(100));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, vec![peer.clone()]);
    for _ in 0..30 {
        world.pass(ms(500));
        world.hear(&peer);
    }
    world.assert_quiet();
    assert_eq!(world.group.roster.members(), std::slice::from_ref(&peer));
}

#[test]
fn with_static_members_the_order_is_absolute() {
    let mut config = multicast();
    config.configured = vec![member(9, 1), member(2, 2)];
    let mut world = World::new(config);
    world.answer(&member(9, 1), Verdict::Alive);
    world.answer(&member(2, 2), Verdict::Alive);
    world.join(&aged(&member(5, 1), 1_000_000));
    let v6 = Member::new("[::2]:4000".parse().unwrap(), [0; 16]);
    world.join(&v6);
    assert_eq!(world.group.roster.members(), [member(2, 2), member(5, 1), member(9, 1), v6]);
}

#[test]
fn a_static_node_that_restarted_unseen_leaves_and_joins() {
    let (mut world, peer) = joined();
    world.tell(|group, now| group.watch_lost(now, &peer.id));
    world.tell(|group, now| group.notice_received(now, &peer, Notice::Start));
    world.answer(&peer, Verdict::Alive);
    let view = world.outs.views.pop().expect("a view");
    assert_eq!((view.left, view.joined), (vec![(peer.clone(), LeftReason::Replaced)], vec![peer.clone()]));
    assert_eq!(world.outs.watches.len(), 1, "the new process is watched");
}

#[test]
fn a_start_notice_of_a_member_is_nothing() {
    let (mut world, peer) = joined();
    world.tell(|group, now| group.notice_received(now, &peer, Notice::Start));
    world.assert_quiet();
}

#[test]
fn a_configured_id_at_an_address_that_another_process_holds_does_not_join() {
    let wrong = member(2, 9);
    let mut config = multicast();
    config.configured = vec![wrong.clone()];
    let mut world = World::new(config);
    world.answer(&wrong, REFUSED);
    world.join(&member(2, 2));
    for _ in 0..40 {
        world.pass(ms(500));
        world.hear(&member(2, 2));
        assert!(world.outs.probes.is_empty(), "the other process would answer for it");
    }
    assert_eq!(world.group.roster.members(), [member(2, 2)]);
}

#[test]
fn a_group_is_settled_when_every_first_probe_is_answered() {
    let (here, there) = (member(2, 1), member(3, 1));
    let mut world = World::new(configured(&[here.clone(), there.clone()]));
    assert!(!world.group.is_settled());
    world.answer(&here, Verdict::Alive);
    assert!(!world.group.is_settled());
    world.answer(&there, REFUSED);
    assert!(world.group.is_settled());
}

#[test]
fn a_clowder_node_that_knows_this_one_alone_learns_what_it_can() {
    let mut world = World::new(GroupConfig::default());
    let tomcat = member(2, 1);
    let clowder = Member { extension: Capabilities::ALL.encode(), ..member(3, 1) };
    world.tell(|group, now| group.notice_received(now, &tomcat, Notice::Start));
    assert!(world.outs.notices.is_empty(), "a Tomcat expects no answer");
    world.tell(|group, now| group.notice_received(now, &clowder, Notice::Start));
    assert_eq!(world.outs.notices.len(), 1);
    world.tell(|group, now| group.notice_received(now, &clowder, Notice::Start));
    assert_eq!(world.outs.notices.len(), 1, "not as often as somebody asks");
    let mut knows = World::new(configured(std::slice::from_ref(&clowder)));
    knows.answer(&Member { extension: Bytes::new(), ..clowder.clone() }, Verdict::Alive);
    knows.outs = Outs::default();
    knows.tell(|group, now| group.notice_received(now, &clowder, Notice::Start));
    assert!(knows.outs.notices.is_empty(), "no answer to an answer");
}
