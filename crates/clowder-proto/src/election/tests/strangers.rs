//! Members that a message names and this node does not have.

use super::*;

#[test]
fn a_token_waits_for_its_strangers_which_are_looked_at_together() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.hear(&request(1, &[1, 2, 3, 4, 5], id(2)));
    assert_eq!(world.reaches, members(&[4, 5]));
    assert!(world.sent.is_empty());
    world.reached(5, false);
    assert!(world.sent.is_empty());
    world.reached(4, true);
    world.take_sent().assert_is(&[3], &request(1, &[1, 2, 3, 4], id(2)));
}

#[test]
fn a_confirmation_does_not_wait() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.hear(&confirmation(1, &[1, 2, 3, 4], id(2)));
    assert_eq!(world.take_view(), (id(2), members(&[1, 2, 3, 4])));
    assert_eq!(world.reaches, members(&[4]));
}

#[test]
fn a_stranger_that_is_not_found_out_about_in_time_is_dead() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.hear(&request(1, &[1, 2, 3, 4], id(2)));
    world.pass(ElectionConfig::default().reach_timeout);
    world.take_sent().assert_is(&[3], &request(1, &[1, 2, 3], id(2)));
}

#[test]
fn a_stranger_that_becomes_a_member_lives() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.hear(&request(1, &[1, 2, 3, 4], id(2)));
    world.see(&[1, 3, 4]);
    world.take_sent().assert_is(&[3], &request(1, &[1, 2, 3, 4], id(2)));
}

#[test]
fn several_messages_ask_once_and_an_answer_holds_for_a_while() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    world.hear(&request(1, &[1, 2, 3, 4], id(2)));
    world.hear(&request(1, &[1, 2, 3, 4], id(3)));
    assert_eq!(world.reaches, members(&[4]));
    world.reached(4, false);
    assert_eq!(world.sent.drain(..).count(), 2);
    world.hear(&request(1, &[1, 2, 3, 4], id(4)));
    assert!(world.reaches.is_empty());
    world.pass(ElectionConfig::default().reach_timeout);
    world.hear(&request(1, &[1, 2, 3, 4], id(5)));
    assert_eq!(world.reaches, members(&[4]));
}

#[test]
fn a_stranger_that_shuts_down_is_dead() {
    let mut world = World::agreed(2, &[1, 3], id(1));
    let mut token = request(1, &[1, 2, 3, 4], id(2));
    token.members[3].command = Bytes::from_static(crate::wire::SHUTDOWN_COMMAND);
    world.hear(&token);
    world.take_sent().assert_is(&[3], &request(1, &[1, 2, 3], id(2)));
}

#[test]
fn an_earlier_life_of_a_member_is_not_taken_for_alive() {
    for number in [2, 3] {
        let mut world = World::agreed(2, &[1, 3], id(1));
        let mut token = request(1, &[1, 2, 3], id(2));
        let mut earlier = member(number);
        earlier.id.unique_id = [77; 16];
        token.members.push(earlier);
        world.hear(&token);
        world.take_sent().assert_is(&[3], &request(1, &[1, 2, 3], id(2)));
        world.assert_silent();
    }
}

#[test]
fn strangers_beyond_the_limit_count_as_dead() {
    let mut world = World::of(member(2), ElectionConfig { strangers_max: 1, ..ElectionConfig::default() });
    world.see(&[1, 3]);
    world.hear(&request(1, &[1, 2, 3, 4, 5], id(2)));
    world.reached(4, true);
    world.take_sent().assert_is(&[3], &request(1, &[1, 2, 3, 4], id(2)));
}
