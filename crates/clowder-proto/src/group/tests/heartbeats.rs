//! Multicast membership: what goes out, what is believed, what is refused.

use super::*;
use crate::wire::{Capabilities, Limits, WireErrorKind};

fn decode(datagram: &Bytes) -> Member {
    Member::decode(datagram, &Limits::default()).expect("a record of our own")
}

#[test]
fn the_first_heartbeat_goes_out_at_once_and_then_every_period() {
    let mut world = World::new(multicast());
    assert_eq!(world.outs.datagrams.len(), 1, "before anything else happens");
    assert_eq!(decode(&world.outs.datagrams[0]), member(1, 1));
    assert_eq!(world.outs.datagrams[0].len(), 77, "a bare record");
    world.pass(ms(250));
    assert_eq!(world.outs.datagrams.len(), 3, "loss is likely at first");
    world.pass(ms(5000));
    assert_eq!(world.outs.datagrams.len(), 13);
    assert_eq!(decode(&world.outs.datagrams[12]).alive, 5200);
}

#[test]
fn a_newcomer_is_answered_at_once() {
    let mut world = World::new(multicast());
    world.pass(ms(10_100));
    world.outs.datagrams.clear();
    world.hear(&member(2, 2));
    world.pass(ms(0));
    assert_eq!(world.outs.datagrams.len(), 1);
    world.hear(&member(2, 2));
    world.pass(ms(10));
    assert_eq!(world.outs.datagrams.len(), 1, "it knows us");
}

#[test]
fn a_crowd_of_newcomers_is_answered_once() {
    let mut world = World::new(multicast());
    world.pass(ms(10_100));
    world.outs.datagrams.clear();
    for number in 2..100 {
        world.hear(&member(number, 1));
        world.pass(ms(0));
    }
    assert_eq!(world.outs.datagrams.len(), 1);
    world.pass(ms(50));
    assert_eq!(world.outs.datagrams.len(), 2, "those who came after the answer get one, too");
}

#[test]
fn our_own_heartbeat_is_nothing() {
    let mut world = World::new(multicast());
    world.hear(&member(1, 1));
    world.hear_goodbye(&member(1, 1));
    world.assert_quiet();
    assert!(world.outs.dropped.is_empty());
}

#[test]
fn an_earlier_life_of_ours_is_refused() {
    let mut world = World::new(multicast());
    world.hear(&member(1, 9));
    assert_eq!(world.outs.dropped, [DropCause::OurAddress]);
    world.assert_quiet();
}

#[test]
fn every_change_of_a_record_is_followed() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    let mut changed = aged(&peer, 0);
    let changes: [fn(&mut Member); 6] = [
        |member| member.domain = Bytes::from_static(b"domain"),
        |member| member.udp_port = 4001,
        |member| member.secure_port = 4002,
        |member| member.payload = Bytes::from_static(b"payload"),
        |member| member.command = Bytes::from_static(b"anything"),
        |member| member.extension = Capabilities::ALL.encode(),
    ];
    for change in changes {
        change(&mut changed);
        world.hear(&changed);
        let view = world.outs.views.pop().expect("a view");
        assert_eq!(view.updated, std::slice::from_ref(&peer));
        assert_eq!(format!("{:?}", view.members[0]), format!("{changed:?}"));
        assert!(view.joined.is_empty() && view.left.is_empty());
    }
    world.hear(&aged(&changed, 777));
    world.assert_quiet();
}

#[test]
fn malformed_datagrams_are_dropped_and_the_next_is_read() {
    let mut world = World::new(multicast());
    world.datagram(Bytes::from_static(b""));
    world.datagram(Bytes::from_static(b"TRIBES-B\x01\0"));
    world.datagram(Bytes::from_static(b"TRIBES-B\x02\0\0\0\0\0"));
    world.datagram(Bytes::from_static(b"anything else"));
    world.datagram(member(2, 2).encode().slice(..40));
    assert_eq!(world.outs.dropped.len(), 5);
    assert!(world.outs.dropped.iter().all(|cause| matches!(cause, DropCause::Malformed(_))));
    world.join(&member(2, 2));
}

#[test]
fn a_record_over_the_limits_is_dropped() {
    let mut config = multicast();
    config.limits.member_bytes_max = 200;
    let mut world = World::new(config);
    world.hear(&Member { payload: Bytes::from(vec![0; 300]), ..member(2, 2) });
    let [DropCause::Malformed(error)] = &world.outs.dropped[..] else { panic!("{:?}", world.outs.dropped) };
    assert!(matches!(error.kind, WireErrorKind::OverLimit { .. }), "{error}");
    world.assert_quiet();
}

#[test]
fn addresses_that_cannot_be_connected_to_are_refused() {
    let mut world = World::new(multicast());
    let at = |addr: &str| Member::new(addr.parse().unwrap(), [2; 16]);
    let mut odd = member(2, 2);
    odd.id.host = [1, 2, 3, 4, 5].into();
    for record in [at("0.0.0.0:4000"), at("10.0.0.2:0"), at("228.0.0.4:4000"), at("[::]:4000"), odd] {
        world.hear(&record);
        assert_eq!(world.outs.dropped.pop(), Some(DropCause::Unusable), "{record}");
    }
    world.assert_quiet();
}

#[test]
fn the_source_is_compared_when_that_is_configured() {
    let mut config = multicast();
    config.heartbeats.as_mut().unwrap().check_source = true;
    let mut world = World::new(config);
    world.hear(&member(2, 2));
    assert_eq!(world.outs.dropped, [DropCause::WrongSource], "all datagrams of these tests come from 10.0.0.99");
    world.hear(&member(99, 2));
    assert_eq!(world.outs.probes.len(), 1);
}

#[test]
fn the_table_is_bounded_and_free_again() {
    let mut config = multicast();
    config.members_max = 3;
    let mut world = World::new(config);
    for number in 2..=4 {
        world.join(&member(number, 1));
    }
    world.hear(&member(5, 1));
    assert_eq!(world.outs.dropped, [DropCause::TableFull { members_max: 3 }]);
    world.hear_goodbye(&member(3, 1));
    world.pass(ms(600));
    world.join(&member(5, 1));
}

#[test]
fn a_restarted_process_takes_a_full_table_place_of_its_old_self() {
    let mut config = multicast();
    config.members_max = 1;
    let mut world = World::new(config);
    world.join(&aged(&member(2, 1), 60_000));
    world.hear(&aged(&member(2, 2), 10));
    assert_eq!(world.changes().1, vec![(member(2, 1), LeftReason::Replaced)]);
    world.answer(&member(2, 2), Verdict::Alive);
    assert!(world.is_member(&member(2, 2)));
}

#[test]
fn a_newer_incarnation_replaces_the_older_at_once() {
    let mut world = World::new(multicast());
    world.join(&aged(&member(2, 1), 60_000));
    world.hear(&aged(&member(2, 2), 5));
    assert_eq!(world.changes(), (vec![], vec![(member(2, 1), LeftReason::Replaced)]));
    world.answer(&member(2, 2), Verdict::Alive);
    assert_eq!(world.changes(), (vec![member(2, 2)], vec![]));
    assert_eq!(world.group.roster.members(), [member(2, 2)]);
}

#[test]
fn a_late_datagram_of_the_older_incarnation_does_not_bring_it_back() {
    let mut world = World::new(multicast());
    world.join(&aged(&member(2, 1), 60_000));
    world.hear(&aged(&member(2, 2), 5));
    world.answer(&member(2, 2), Verdict::Alive);
    world.changes();
    world.hear(&aged(&member(2, 1), 60_100));
    assert_eq!(world.outs.dropped, [DropCause::Stale]);
    world.assert_quiet();
    // But a process that speaks while the other is silent is there, whatever its clock says.
    world.pass(ms(1001));
    world.hear(&aged(&member(2, 3), 99_000));
    assert_eq!(world.changes().1, vec![(member(2, 2), LeftReason::Replaced)]);
}

#[test]
fn after_a_goodbye_late_heartbeats_do_not_bring_it_back_and_a_later_start_does() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.hear_goodbye(&peer);
    world.changes();
    world.hear(&peer);
    world.hear_goodbye(&peer);
    world.assert_quiet();
    assert!(world.outs.dropped.is_empty(), "repeated goodbyes are normal");
    world.pass(ms(600));
    world.hear(&peer);
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, vec![peer]);
}

#[test]
fn stopping_says_goodbye_three_times() {
    let mut world = World::new(multicast());
    world.join(&member(2, 2));
    world.tell(Group::stopping);
    assert_eq!(world.outs.datagrams.len(), 1, "the first at once");
    world.pass(ms(100));
    assert_eq!((world.outs.datagrams.len(), world.outs.stopped), (3, 1));
    assert!(world.outs.datagrams.iter().all(|datagram| decode(datagram).is_shutting_down()));
    assert_eq!(world.group.deadline(), None);
    world.hear(&member(3, 3));
    world.tell(|group, now| group.connection_lost(now, &member(2, 2).id));
    world.tell(Group::stopping);
    world.assert_quiet();
    assert_eq!(world.outs.datagrams.len(), 3);
}

#[test]
fn the_oldest_come_first_and_equals_as_they_came() {
    let mut world = World::new(multicast());
    for (number, alive) in [(5, 100_000), (3, 500_000), (4, 100_000), (2, 9)] {
        world.join(&aged(&member(number, 1), alive));
    }
    assert_eq!(world.group.roster.members(), [member(3, 1), member(5, 1), member(4, 1), member(2, 1)]);
    // Jitter of the network moves nobody; an age that is really another one does.
    world.hear(&aged(&member(4, 1), 100_400));
    world.assert_quiet();
    world.hear(&aged(&member(4, 1), 900_000));
    let view = world.outs.views.pop().expect("a view");
    assert_eq!(view.members, [member(4, 1), member(3, 1), member(5, 1), member(2, 1)]);
}

#[test]
fn odd_ages_do_no_harm() {
    let mut world = World::new(multicast());
    for (number, alive) in [(2, i64::MAX), (3, i64::MIN), (4, -1), (5, 0)] {
        world.join(&aged(&member(number, 1), alive));
    }
    assert_eq!(world.group.roster.members(), [member(2, 1), member(5, 1), member(4, 1), member(3, 1)]);
}

#[test]
fn a_node_that_slept_accuses_nobody() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.sleep(Duration::from_secs(60));
    world.assert_quiet();
    world.pass(ms(2000));
    world.assert_quiet();
    world.pass(ms(1001));
    assert_eq!(world.outs.probes.len(), 1, "silence counts again from the moment it woke up");
}

#[test]
fn a_node_that_is_a_little_late_still_notices_silence() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    for _ in 0..9 {
        world.sleep(ms(400));
    }
    assert_eq!(world.outs.probes.len(), 1);
}

#[test]
fn a_changed_payload_is_announced_at_once() {
    let mut world = World::new(multicast());
    world.pass(ms(10_100));
    world.outs.datagrams.clear();
    world.tell(|group, now| group.payload_changed(now, Bytes::from_static(b"new")));
    assert_eq!(decode(&world.outs.datagrams[0]).payload, &b"new"[..]);
}

#[test]
fn frames_in_datagrams_are_passed_on_but_not_our_own() {
    let mut world = World::new(multicast());
    let message = |from: Member| Message {
        options: 0x40,
        timestamp: 0,
        id: crate::wire::MessageId::from_random([7; 16]),
        from,
        body: Bytes::from_static(b"hello"),
    };
    let mut two = message(member(2, 2)).encode_frame().to_vec();
    two.extend_from_slice(&message(member(1, 1)).encode_frame());
    two.extend_from_slice(&message(member(3, 3)).encode_frame());
    world.datagram(two.clone());
    assert_eq!(world.outs.messages, [message(member(2, 2)), message(member(3, 3))]);
    world.assert_quiet();
    two.truncate(two.len() - 1);
    world.datagram(two);
    assert_eq!(world.outs.dropped.len(), 1, "an incomplete frame");
}

#[test]
fn without_multicast_heartbeats_are_not_heeded() {
    let mut world = World::new(GroupConfig::default());
    world.hear(&member(2, 2));
    world.assert_quiet();
    assert!(world.outs.datagrams.is_empty());
    assert_eq!(world.group.deadline(), None);
}
