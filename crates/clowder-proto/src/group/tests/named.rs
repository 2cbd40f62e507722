//! Members that others name.

use super::*;

fn met(world: &mut World) -> Vec<(Member, bool)> {
    std::mem::take(&mut world.outs.met)
        .into_iter()
        .map(|(id, alive)| (member(id.host[3], id.unique_id[0]), alive))
        .collect()
}

fn name(world: &mut World, member: &Member) {
    world.tell(|group, now| group.named(now, member));
}

#[test]
fn a_stranger_that_is_named_is_probed_and_joins_if_it_answers() {
    let mut world = World::new(multicast());
    name(&mut world, &member(2, 1));
    assert_eq!(met(&mut world), []);
    world.answer(&member(2, 1), Verdict::Alive);
    assert_eq!(met(&mut world), [(member(2, 1), true)]);
    assert_eq!(world.changes().0, [member(2, 1)]);
    // It was not heard, so it is looked at from time to time, like a configured one.
    world.pass(DetectorConfig::default().ping_interval * 2);
    world.answer(&member(2, 1), REFUSED);
    assert!(!world.is_member(&member(2, 1)));
    world.pass(ms(60_000));
    assert_eq!(world.standing(&member(2, 1)), None, "and then forgotten");
}

#[test]
fn a_stranger_that_is_named_and_does_not_answer_is_forgotten() {
    for verdict in [REFUSED, SILENT, Verdict::Inconclusive] {
        let mut world = World::new(multicast());
        name(&mut world, &member(2, 1));
        name(&mut world, &member(2, 1));
        world.answer(&member(2, 1), verdict);
        assert_eq!(met(&mut world), [(member(2, 1), false)]);
        assert_eq!(world.standing(&member(2, 1)), None);
        world.pass(ms(60_000));
        world.assert_quiet();
    }
}

#[test]
fn a_member_that_is_named_is_met_at_once() {
    let mut world = World::new(multicast());
    world.join(&member(2, 1));
    name(&mut world, &member(2, 1));
    assert_eq!(met(&mut world), [(member(2, 1), true)]);
    world.assert_quiet();
}

#[test]
fn a_candidate_that_is_named_has_one_probe_and_one_answer() {
    let mut world = World::new(configured(&[member(2, 1)]));
    let probe = world.probe_of(&member(2, 1));
    name(&mut world, &member(2, 1));
    world.tell(|group, now| group.probed(now, probe.id, REFUSED));
    assert_eq!(met(&mut world), [(member(2, 1), false)]);
    assert!(world.standing(&member(2, 1)).is_some(), "it is configured all the same");
}

#[test]
fn nobody_is_looked_at_who_cannot_be_a_member() {
    let mut world = World::new(GroupConfig { domain: Some(Bytes::new()), ..multicast() });
    world.join(&member(2, 2));
    world.join(&member(4, 1));
    world.hear_goodbye(&member(4, 1));
    world.outs = Outs::default();
    let leaving = Member { command: Bytes::from_static(SHUTDOWN_COMMAND), ..member(3, 1) };
    let elsewhere = Member { domain: Bytes::from_static(b"other"), ..member(3, 1) };
    let nowhere = Member::new(([0, 0, 0, 0], 4000).into(), [1; 16]);
    // An earlier life of this node, one of a member, one that just said goodbye.
    for stranger in [member(1, 9), member(2, 1), member(4, 1), leaving, elsewhere, nowhere] {
        name(&mut world, &stranger);
        assert_eq!(met(&mut world).len(), 1, "{stranger}");
        world.assert_quiet();
    }
}

#[test]
fn the_table_is_bounded_for_those_that_are_named_too() {
    let mut world = World::new(GroupConfig { members_max: 2, ..multicast() });
    for number in 2..6 {
        name(&mut world, &member(number, 1));
    }
    assert_eq!(met(&mut world), [(member(4, 1), false), (member(5, 1), false)]);
}

#[test]
fn a_stranger_that_is_named_and_says_goodbye_is_answered_for() {
    let mut world = World::new(multicast());
    world.hear(&member(2, 1));
    name(&mut world, &member(2, 1));
    world.hear_goodbye(&member(2, 1));
    assert_eq!(met(&mut world), [(member(2, 1), false)]);
}

#[test]
fn a_newer_life_of_a_stranger_that_is_named_answers_in_its_place() {
    let mut world = World::new(multicast());
    name(&mut world, &member(2, 1));
    let late = world.probe_of(&member(2, 1));
    world.join(&member(2, 2));
    // The address answered, and by then it was known whose it is.
    world.tell(|group, now| group.probed(now, late.id, Verdict::Alive));
    assert!(!world.is_member(&member(2, 1)));
}
