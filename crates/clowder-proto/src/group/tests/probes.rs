//! Probes: how they are made, when a connection is kept, what a verdict may not do.

use super::*;
use crate::wire::{Capabilities, FrameDecoder, Limits, options};

fn clowder(number: u8) -> Member {
    Member { extension: Capabilities::ALL.encode(), ..member(number, number) }
}

#[test]
fn a_tomcat_is_probed_without_a_read_test_and_a_clowder_with_one() {
    let mut world = World::new(multicast());
    world.hear(&member(2, 2));
    let probe = world.probe_of(&member(2, 2));
    assert_eq!((probe.read_timeout, probe.connect_timeout), (None, ms(1000)));
    assert!(probe.frame.is_some());
    world.hear(&clowder(3));
    assert_eq!(world.probe_of(&clowder(3)).read_timeout, Some(ms(5000)));
}

#[test]
fn the_read_test_follows_the_configuration_and_needs_the_send_test() {
    let mut config = multicast();
    config.detector.perform_read_test = true;
    let mut world = World::new(config.clone());
    world.hear(&member(2, 2));
    assert_eq!(world.probe_of(&member(2, 2)).read_timeout, Some(ms(5000)));
    config.detector.perform_send_test = false;
    let mut world = World::new(config);
    world.hear(&clowder(3));
    let probe = world.probe_of(&clowder(3));
    assert_eq!((probe.read_timeout, probe.frame), (None, None));
}

#[test]
fn options_of_a_probe() {
    for (flag, read_test, expect) in [(0, false, 1), (0, true, 3), (514, false, 513), (512, true, 515)] {
        assert_eq!(notice::probe_options(flag, read_test), expect);
    }
    assert_eq!(notice::probe_options(0, true), options::BYTE_MESSAGE | options::USE_ACK);
}

#[test]
fn every_probe_has_an_id_of_its_own() {
    let mut world = World::new(configured(&[member(2, 2), member(3, 3)]));
    let frames: Vec<Bytes> = world.outs.probes.drain(..).filter_map(|probe| probe.frame).collect();
    assert_eq!(frames.len(), 2);
    assert_ne!(frames[0], frames[1]);
}

#[test]
fn the_connection_of_a_good_probe_is_kept_once() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.hear(&peer);
    let probe = world.probe_of(&peer);
    world.tell(|group, now| group.probed(now, probe.id, Verdict::Alive));
    assert_eq!(world.outs.watches, [(probe.id, peer.id.clone())]);
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.outs.watches.len(), 1, "it is watched already");
}

#[test]
fn the_end_of_a_watched_connection_is_verified_at_once() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.watch_lost(now, &peer.id));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes().1, vec![(peer, LeftReason::Dead(ProbeFailure::Refused))]);
    assert!(world.outs.unwatches.is_empty(), "it is gone already");
}

#[test]
fn a_peer_that_closes_idle_connections_stays_a_member_and_is_not_hammered() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.watch_lost(now, &peer.id));
    let mut watches = 0;
    for _ in 0..120 {
        world.pass(ms(500));
        world.hear(&peer);
        if !world.outs.probes.is_empty() {
            world.answer(&peer, Verdict::Alive);
        }
        for (_, id) in std::mem::take(&mut world.outs.watches) {
            watches += 1;
            world.tell(|group, now| group.watch_lost(now, &id));
        }
    }
    assert_eq!(world.standing(&peer), Some(Standing::Member), "a closed connection is no failed send");
    assert!((5..=14).contains(&watches), "in a minute, one every five seconds at most: {watches}");
}

#[test]
fn a_connection_that_lived_long_is_replaced_at_once() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    for _ in 0..30 {
        world.pass(ms(500));
        world.hear(&peer);
    }
    world.tell(|group, now| group.watch_lost(now, &peer.id));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.outs.watches.len(), 1);
}

#[test]
fn one_probe_per_member_and_once_more_if_something_happened_meanwhile() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    for _ in 0..10 {
        world.tell(|group, now| group.connection_lost(now, &peer.id));
    }
    assert_eq!(world.outs.probes.len(), 1);
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.outs.probes.len(), 1, "the first may have connected before the loss");
    world.answer(&peer, REFUSED);
    assert!(!world.is_member(&peer));
}

#[test]
fn a_verdict_counts_once() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    let probe = world.probe_of(&peer);
    world.tell(|group, now| group.probed(now, probe.id, Verdict::Alive));
    world.tell(|group, now| group.probed(now, probe.id, REFUSED));
    world.tell(|group, now| group.probed(now, ProbeId(999), REFUSED));
    assert!(world.is_member(&peer));
}

#[test]
fn the_verdict_on_an_old_life_does_not_touch_the_new_one() {
    let mut world = World::new(multicast());
    let (old, new) = (aged(&member(2, 1), 60_000), aged(&member(2, 2), 5));
    world.join(&old);
    world.tell(|group, now| group.connection_lost(now, &old.id));
    world.hear(&new);
    world.answer(&new, Verdict::Alive);
    world.answer(&old, REFUSED);
    assert_eq!(world.group.roster.members(), [new]);
}

#[test]
fn what_this_node_lacks_accuses_nobody_and_is_tried_again() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    world.answer(&peer, Verdict::Inconclusive);
    assert!(world.is_member(&peer));
    world.pass(ms(700));
    world.answer(&peer, REFUSED);
    assert!(!world.is_member(&peer));
}

#[test]
fn silence_to_a_node_that_slept_itself_proves_nothing() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    world.sleep(Duration::from_secs(30));
    for silence in 0..4 {
        world.answer(&peer, SILENT);
        assert_eq!(world.is_member(&peer), silence < 3, "awake, the third one does");
        world.pass(ms(700));
    }
}

#[test]
fn silence_is_the_end_of_a_member_after_three_probes_and_an_answer_at_once() {
    let peer = member(2, 2);
    for heard_in_between in [false, true] {
        let mut world = World::new(multicast());
        world.join(&peer);
        world.tell(|group, now| group.connection_lost(now, &peer.id));
        for silence in 1..=3 {
            world.pass(ms(400));
            if heard_in_between {
                world.hear(&peer);
            }
            world.answer(&peer, SILENT);
            assert_eq!(world.is_member(&peer), silence < 3);
        }
    }
    let mut world = World::new(multicast());
    world.join(&peer);
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    world.answer(&peer, SILENT);
    world.pass(ms(400));
    world.answer(&peer, REFUSED);
    assert!(!world.is_member(&peer));
}

#[test]
fn probes_at_a_time_are_bounded_and_members_come_first() {
    let mut config = multicast();
    config.detector.probes_max = 2;
    let mut world = World::new(config);
    let peer = member(2, 2);
    world.join(&peer);
    for number in 10..20 {
        world.hear(&member(number, 1));
    }
    assert_eq!(world.outs.probes.len(), 2);
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    world.answer(&member(10, 1), Verdict::Alive);
    world.answer(&peer, Verdict::Alive);
    let mut answered = 2;
    while let Some(probe) = world.outs.probes.pop() {
        assert!(world.outs.probes.len() < 2);
        world.tell(|group, now| group.probed(now, probe.id, Verdict::Alive));
        answered += 1;
    }
    assert_eq!(answered, 11, "everybody's turn comes");
}

#[test]
fn pings_go_to_all_members_or_to_configured_ones_in_their_period() {
    let (fixed, found) = (member(2, 2), member(3, 3));
    for (static_only, pinged) in [(false, vec![fixed.clone(), found.clone()]), (true, vec![fixed.clone()])] {
        let mut config = GroupConfig { configured: vec![fixed.clone()], ..multicast() };
        config.pings = Some(PingConfig { interval: ms(900), static_only });
        config.detector.ping_flag = 128;
        let mut world = World::new(config);
        world.answer(&fixed, Verdict::Alive);
        world.join(&found);
        world.pass(ms(1800));
        let pings: Vec<_> = world.outs.notices.iter().filter(|notice| notice.1 == Notice::Ping).collect();
        let to: Vec<_> = pings.iter().map(|notice| notice.0.clone()).collect();
        assert_eq!(to, [&pinged[..], &pinged[..]].concat());
        let mut decoder = FrameDecoder::new(&Limits::default());
        decoder.buffer().extend_from_slice(&pings[0].2);
        let content = decoder.next().unwrap().unwrap();
        assert_eq!(Message::decode(&content, &Limits::default()).unwrap().options, 128);
    }
}

#[test]
fn with_ping_all_members_that_heartbeats_vouch_for_are_probed_too() {
    let mut config = multicast();
    (config.detector.ping_all, config.detector.ping_interval) = (true, ms(900));
    let mut world = World::new(config);
    world.join(&member(2, 2));
    world.pass(ms(1500));
    world.probe_of(&member(2, 2));
}
