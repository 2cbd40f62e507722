//! The table of transitions of Tomcat's failure detector, one test per row.

use super::*;

#[test]
fn unknown_added_is_a_member_after_a_good_probe_only() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.hear(&peer);
    assert!(!world.is_member(&peer));
    assert!(world.outs.views.is_empty());
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes(), (vec![peer.clone()], vec![]));
    assert_eq!(world.standing(&peer), Some(Standing::Member));
}

#[test]
fn unknown_added_and_dead_is_no_event() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.hear(&peer);
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes(), (vec![], vec![]));
    world.pass(ms(3100));
    assert_eq!(world.standing(&peer), None, "forgotten once it is silent, too");
}

#[test]
fn static_added_and_dead_stays_a_candidate() {
    let peer = member(2, 2);
    let mut world = World::new(configured(std::slice::from_ref(&peer)));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes(), (vec![], vec![]));
    assert_eq!(world.standing(&peer), Some(Standing::Candidate));
    world.pass(ms(700));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes(), (vec![peer], vec![]));
}

#[test]
fn member_added_again_is_nothing() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.hear(&peer);
    world.assert_quiet();
}

#[test]
fn suspect_added_again_is_trusted_without_a_probe() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.pass(ms(3001));
    world.answer(&peer, Verdict::Alive);
    assert!(world.is_suspect(&peer));
    world.hear(&peer);
    assert_eq!(world.standing(&peer), Some(Standing::Member));
    world.assert_quiet();
}

#[test]
fn a_stranger_that_leaves_is_nothing() {
    let mut world = World::new(multicast());
    world.hear_goodbye(&member(2, 2));
    assert_eq!(world.outs.dropped, [DropCause::UnknownShutdown]);
    world.tell(|group, now| group.send_failed(now, &member(3, 3).id, SendFailure::Connection));
    world.tell(|group, now| group.connection_lost(now, &member(3, 3).id));
    world.assert_quiet();
}

#[test]
fn a_candidate_that_leaves_is_nothing_and_its_probe_counts_no_more() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.hear(&peer);
    world.hear_goodbye(&peer);
    world.answer(&peer, Verdict::Alive);
    assert!(!world.is_member(&peer));
    world.assert_quiet();
}

#[test]
fn shutdown_of_a_member_needs_no_probe() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.hear_goodbye(&peer);
    assert!(world.outs.probes.is_empty());
    assert_eq!(world.changes(), (vec![], vec![(peer.clone(), LeftReason::Goodbye)]));
    assert_eq!(world.outs.unwatches, std::slice::from_ref(&peer.id));
}

#[test]
fn shutdown_of_a_suspect_needs_no_probe() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.send_failed(now, &peer.id, SendFailure::Connection));
    world.answer(&peer, Verdict::Alive);
    assert!(world.is_suspect(&peer));
    world.hear_goodbye(&peer);
    assert_eq!(world.changes().1, vec![(peer, LeftReason::Goodbye)]);
}

#[test]
fn silent_and_dead_has_left() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.pass(ms(3000));
    assert!(world.outs.probes.is_empty(), "silence must exceed the drop time");
    world.pass(ms(1));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes().1, vec![(peer.clone(), LeftReason::Expired(ProbeFailure::Refused))]);
    assert_eq!(world.standing(&peer), None);
}

#[test]
fn silent_and_alive_is_a_suspect_without_an_event() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.pass(ms(3001));
    world.answer(&peer, Verdict::Alive);
    assert!(world.is_suspect(&peer) && world.is_member(&peer));
    assert_eq!(world.changes(), (vec![], vec![]));
}

#[test]
fn a_failed_send_is_verified() {
    for (verdict, expect) in [(REFUSED, None), (Verdict::Alive, Some(()))] {
        let mut world = World::new(multicast());
        let peer = member(2, 2);
        world.join(&peer);
        world.tell(|group, now| group.send_failed(now, &peer.id, SendFailure::Connection));
        world.answer(&peer, verdict);
        assert_eq!(world.is_member(&peer).then_some(()), expect);
        if expect.is_none() {
            assert_eq!(world.changes().1, vec![(peer, LeftReason::Dead(ProbeFailure::Refused))]);
        } else {
            assert!(world.is_suspect(&peer));
        }
    }
}

#[test]
fn a_negative_acknowledgement_accuses_nobody() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.send_failed(now, &peer.id, SendFailure::NegativeAck));
    world.assert_quiet();
}

#[test]
fn heard_but_no_member_is_probed_again() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.hear(&peer);
    world.answer(&peer, REFUSED);
    world.hear(&peer);
    assert!(world.outs.probes.is_empty(), "not with every heartbeat");
    world.pass(ms(700));
    world.answer(&peer, Verdict::Alive);
    assert!(world.is_member(&peer));
}

#[test]
fn a_dead_member_that_is_still_heard_is_probed_again() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.tell(|group, now| group.connection_lost(now, &peer.id));
    world.answer(&peer, REFUSED);
    assert!(!world.is_member(&peer));
    world.pass(ms(700));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, vec![peer]);
}

#[test]
fn a_healthy_member_that_is_heard_is_not_probed() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    for _ in 0..40 {
        world.pass(ms(500));
        world.hear(&peer);
    }
    world.assert_quiet();
}

#[test]
fn a_suspect_is_probed_regularly_and_leaves_when_it_fails() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.pass(ms(3001));
    world.answer(&peer, Verdict::Alive);
    for _ in 0..3 {
        world.pass(ms(6500));
        world.answer(&peer, Verdict::Alive);
        assert!(world.is_suspect(&peer));
    }
    world.pass(ms(6500));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes().1.len(), 1);
}

#[test]
fn a_suspect_that_keeps_answering_is_trusted_after_the_timeout() {
    let mut config = multicast();
    config.detector.remove_suspects_timeout = Duration::from_secs(20);
    let mut world = World::new(config);
    let peer = member(2, 2);
    world.join(&peer);
    world.pass(ms(3001));
    let mut probes = 0;
    for _ in 0..400 {
        world.pass(ms(100));
        if !world.outs.probes.is_empty() {
            world.answer(&peer, Verdict::Alive);
            probes += 1;
        }
        if world.standing(&peer) == Some(Standing::Member) && probes > 0 {
            break;
        }
    }
    assert_eq!(world.standing(&peer), Some(Standing::Member));
    assert!((5..=7).contains(&probes), "every five seconds for twenty: {probes}");
}

#[test]
fn with_a_timeout_of_zero_a_suspect_stays_one() {
    let mut config = multicast();
    config.detector.remove_suspects_timeout = Duration::ZERO;
    let mut world = World::new(config);
    let peer = member(2, 2);
    world.join(&peer);
    world.pass(ms(3001));
    world.answer(&peer, Verdict::Alive);
    for _ in 0..100 {
        world.pass(ms(6500));
        world.answer(&peer, Verdict::Alive);
    }
    assert!(world.is_suspect(&peer));
}

#[test]
fn a_static_member_that_left_is_a_candidate_again() {
    let peer = member(2, 2);
    let mut world = World::new(configured(std::slice::from_ref(&peer)));
    world.answer(&peer, Verdict::Alive);
    world.tell(|group, now| group.send_failed(now, &peer.id, SendFailure::Connection));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes().1, vec![(peer.clone(), LeftReason::Dead(ProbeFailure::Refused))]);
    assert_eq!(world.standing(&peer), Some(Standing::Candidate));
    world.pass(ms(700));
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, vec![peer]);
}

#[test]
fn a_forced_check_probes_everybody_and_removes_who_fails() {
    let static_peer = member(2, 2);
    let mut config = multicast();
    config.configured = vec![static_peer.clone()];
    let mut world = World::new(config);
    world.answer(&static_peer, Verdict::Alive);
    let (heard, candidate) = (member(3, 3), member(4, 4));
    world.join(&heard);
    world.hear(&candidate);
    world.answer(&candidate, REFUSED);
    world.tell(|group, now| group.check_requested(now));
    world.answer(&static_peer, Verdict::Alive);
    world.answer(&heard, REFUSED);
    world.answer(&candidate, Verdict::Alive);
    assert_eq!(world.changes(), (vec![candidate], vec![(heard, LeftReason::Dead(ProbeFailure::Refused))]));
    assert_eq!(world.standing(&static_peer), Some(Standing::Member), "alive clears nothing and accuses nobody");
}

#[test]
fn a_forced_check_does_not_touch_a_suspect_that_is_not_heard() {
    let mut world = World::new(multicast());
    let peer = member(2, 2);
    world.join(&peer);
    world.pass(ms(3001));
    world.answer(&peer, Verdict::Alive);
    world.tell(|group, now| group.check_requested(now));
    assert!(world.outs.probes.is_empty());
}
