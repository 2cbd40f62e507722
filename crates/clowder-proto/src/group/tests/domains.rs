//! Members of other domains.

use super::*;

fn of(domain: &'static str, number: u8) -> Member {
    Member { domain: Bytes::from_static(domain.as_bytes()), ..member(number, number) }
}

fn staging(config: GroupConfig) -> World {
    World::new(GroupConfig { domain: Some(Bytes::from_static(b"staging")), ..config })
}

#[test]
fn members_of_other_domains_are_not_probed_and_never_seen() {
    let mut world = staging(multicast());
    for other in [of("other", 2), of("", 3), of("Staging", 4), of("stagingx", 5)] {
        for _ in 0..3 {
            world.hear(&other);
            world.pass(ms(500));
        }
        assert_eq!(world.standing(&other), None);
    }
    world.assert_quiet();
    assert!(world.outs.dropped.iter().all(|cause| *cause == DropCause::OtherDomain));
    assert_eq!(world.outs.dropped.len(), 12);
    world.join(&of("staging", 6));
}

#[test]
fn an_empty_domain_is_a_domain_and_none_is_no_filter() {
    let mut world = World::new(GroupConfig { domain: Some(Bytes::new()), ..multicast() });
    world.hear(&of("other", 2));
    world.assert_quiet();
    world.join(&of("", 3));
    let mut world = World::new(multicast());
    world.join(&of("other", 2));
    world.join(&of("", 3));
}

#[test]
fn a_member_whose_domain_changes_leaves_and_comes_back_with_the_old_one() {
    let mut world = staging(multicast());
    let peer = of("staging", 2);
    world.join(&peer);
    world.hear(&of("other", 2));
    assert_eq!(world.changes().1, [(peer.clone(), LeftReason::OtherDomain)]);
    world.pass(ms(2_000));
    world.hear(&of("other", 2));
    world.assert_quiet();
    world.join(&peer);
}

#[test]
fn a_process_of_another_domain_at_the_address_of_a_member_replaces_it() {
    let mut world = staging(multicast());
    let peer = of("staging", 2);
    world.join(&peer);
    world.pass(ms(1_500));
    let other = Member { id: MemberId { unique_id: [9; 16], ..peer.id.clone() }, ..of("other", 2) };
    world.hear(&other);
    assert_eq!(world.changes(), (vec![], vec![(peer, LeftReason::Replaced)]));
    assert!(!world.is_member(&other));
}

#[test]
fn a_configured_member_of_another_domain_is_not_probed_before_it_says_otherwise() {
    let (other, ours) = (of("other", 2), of("staging", 3));
    let mut world = staging(configured(&[other.clone(), ours.clone()]));
    world.answer(&ours, Verdict::Alive);
    assert_eq!(world.changes().0, [ours]);
    assert!(world.group.is_settled(), "nothing is known to come");
    world.tell(Group::check_requested);
    world.outs.probes.retain(|probe| probe.member == other);
    world.pass(ms(20_000));
    assert!(world.outs.probes.iter().all(|probe| probe.member != other));
    // Its messages show its domain.
    let (still_other, changed) = (of("other", 2), of("staging", 2));
    world.tell(|group, now| group.heard(now, &still_other));
    world.tell(|group, now| group.notice_received(now, &still_other, Notice::Start));
    assert!(world.outs.probes.iter().all(|probe| probe.member != other));
    world.tell(|group, now| group.notice_received(now, &changed, Notice::Start));
    world.answer(&changed, Verdict::Alive);
    assert!(world.is_member(&changed));
}

#[test]
fn a_message_of_a_configured_member_that_changed_its_domain_makes_it_leave() {
    let ours = of("staging", 3);
    let mut world = staging(configured(std::slice::from_ref(&ours)));
    world.answer(&ours, Verdict::Alive);
    world.outs = Outs::default();
    let changed = of("other", 3);
    world.tell(|group, now| group.heard(now, &changed));
    let [view] = &world.outs.views[..] else { panic!("{:?}", world.outs.views) };
    assert_eq!((view.left.clone(), view.updated.len()), (vec![(ours, LeftReason::OtherDomain)], 0));
    world.pass(ms(20_000));
    assert!(world.outs.probes.is_empty());
}

#[test]
fn the_verdict_of_a_probe_from_before_the_change_does_not_count() {
    let mut world = staging(multicast());
    let peer = of("staging", 2);
    world.hear(&peer);
    let probe = world.probe_of(&peer);
    world.hear(&of("other", 2));
    world.tell(|group, now| group.probed(now, probe.id, Verdict::Alive));
    world.assert_quiet();
    assert!(!world.is_member(&peer));
}

#[test]
fn nobody_of_another_domain_is_introduced_to() {
    use crate::wire::Capabilities;
    let mut world = staging(multicast());
    for (domain, expected) in [("other", 0), ("staging", 1)] {
        let mut stranger = of(domain, 2);
        stranger.extension = Capabilities::PIPELINE.encode();
        world.pass(ms(1_000));
        world.tell(|group, now| group.notice_received(now, &stranger, Notice::Start));
        assert_eq!(world.outs.notices.len(), expected, "{domain}");
    }
}
