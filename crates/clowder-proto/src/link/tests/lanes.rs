//! Towards a Tomcat: several connections, one acknowledged message in flight on each, and what may not overtake what.

use super::*;

fn lanes(lanes: usize) -> LinkConfig {
    LinkConfig { lanes, ..LinkConfig::default() }
}

/// So many unordered messages, each on its own open connection.
fn spread(world: &mut World, tokens: std::ops::Range<u64>) -> Vec<ConnId> {
    for token in tokens.clone() {
        world.queue(token, Order::None);
    }
    tokens.map(|_| world.connect()).collect()
}

#[test]
fn a_second_acknowledged_message_waits_for_the_answer_to_the_first() {
    let mut world = World::lanes(lanes(8));
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    let conn = world.connect();
    world.write(conn, 1);
    assert_eq!(world.writes_on(conn), [1]);
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [2]);
    assert!(world.outs.connects.is_empty(), "ordered messages use one connection");
}

#[test]
fn unacknowledged_messages_do_not_wait_for_each_other() {
    let mut world = World::lanes(lanes(8));
    for token in 1..=3 {
        world.queue_unacked(token, Order::All);
    }
    world.queue(4, Order::All);
    world.queue_unacked(5, Order::All);
    let conn = world.connect();
    assert_eq!(world.writes_on(conn), [1, 2, 3, 4], "nothing goes behind one that waits for an answer");
    world.write(conn, 4);
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [5]);
}

#[test]
fn unordered_messages_spread_over_the_lanes_and_no_further() {
    let mut world = World::lanes(lanes(3));
    for token in 0..5 {
        world.queue(token, Order::None);
    }
    assert_eq!(world.outs.connects.len(), 3);
    let conns: Vec<ConnId> = (0..3).map(|_| world.connect()).collect();
    assert_eq!(world.writes(), [(conns[0], 0), (conns[1], 1), (conns[2], 2)]);
    world.write(conns[1], 1);
    world.ack(conns[1]);
    assert_eq!(world.writes(), [(conns[1], 3)], "the next one goes where there is room");
}

#[test]
fn a_free_connection_is_used_before_another_is_made() {
    let mut world = World::lanes(lanes(3));
    let conn = spread(&mut world, 0..1)[0];
    world.write(conn, 1);
    world.ack(conn);
    world.queue(1, Order::None);
    assert_eq!(world.writes_on(conn), [0, 1]);
    assert!(world.outs.connects.is_empty());
}

#[test]
fn a_connection_on_its_way_counts_for_the_messages_that_wait() {
    let mut world = World::lanes(lanes(8));
    world.queue(1, Order::None);
    world.queue(2, Order::None);
    world.queue(3, Order::None);
    assert_eq!(world.outs.connects.len(), 3, "one each, not more");
}

#[test]
fn messages_of_one_key_share_a_lane_and_those_of_another_do_not_wait_for_them() {
    let mut world = World::lanes(lanes(4));
    world.queue(10, Order::Keyed(1));
    world.queue(11, Order::Keyed(1));
    world.queue(20, Order::Keyed(2));
    world.queue(12, Order::Keyed(5)); // the same lane as key 1
    let (one, two) = (world.connect(), world.connect());
    assert_eq!(world.writes(), [(one, 10), (two, 20)]);
    world.write(one, 1);
    world.ack(one);
    assert_eq!(world.writes(), [(one, 11)]);
    world.write(one, 1);
    world.ack(one);
    assert_eq!(world.writes(), [(one, 12)]);
}

#[test]
fn an_unordered_message_goes_behind_earlier_ones_whose_sender_does_not_wait() {
    let mut world = World::lanes(lanes(8));
    world.queue(1, Order::All);
    world.queue(2, Order::None);
    let conn = world.connect();
    assert!(world.outs.connects.is_empty(), "it may not use another connection");
    world.write(conn, 1);
    assert_eq!(world.writes_on(conn), [1]);
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [2]);
    // No such message is left: the next unordered one is free.
    world.queue(3, Order::None);
    let other = world.connect();
    assert_eq!(world.writes_on(other), [3]);
}

#[test]
fn what_waits_longer_goes_first() {
    let mut world = World::lanes(lanes(2));
    let conns = spread(&mut world, 0..2);
    world.writes();
    world.queue(2, Order::None);
    world.queue(3, Order::Keyed(0));
    world.write(conns[0], 1);
    world.ack(conns[0]);
    assert_eq!(world.writes_on(conns[0]), [2], "queued before the lane's own");
    world.write(conns[0], 1);
    world.ack(conns[0]);
    assert_eq!(world.writes_on(conns[0]), [3]);
}

#[test]
fn the_number_of_lanes_is_bounded_on_both_sides() {
    for (configured, made) in [(0, 1), (1, 1), (25, 25), (1000, LinkConfig::LANES_MAX)] {
        let mut world = World::lanes(lanes(configured));
        for token in 0..100 {
            world.queue(token, Order::None);
        }
        assert_eq!(world.outs.connects.len(), made, "{configured} lanes");
    }
}

#[test]
fn the_loss_of_one_connection_leaves_the_others_alone() {
    let mut world = World::lanes(lanes(2));
    let conns = spread(&mut world, 0..2);
    world.write(conns[0], 1);
    world.write(conns[1], 1);
    world.lose(conns[0], Cause::Lost);
    world.ack(conns[1]);
    assert_eq!(world.done(), [(1, DELIVERED)]);
    assert_eq!(world.closes(), []);
}

/// A peer at its limit of connections refuses the next one at once: asking again and again would be a loop.
#[test]
fn after_a_refused_connection_the_open_ones_are_used() {
    let mut world = World::lanes(lanes(8));
    world.queue(1, Order::None);
    let first = world.connect();
    world.queue(2, Order::None);
    world.queue(3, Order::None);
    world.refuse();
    world.refuse();
    assert!(world.outs.connects.is_empty(), "no new attempt before something went well");
    assert_eq!(world.done(), [], "they wait for the open connection");
    world.write(first, 1);
    world.ack(first);
    assert_eq!(world.writes_on(first), [1, 2]);
    assert_eq!(world.outs.connects.len(), 1, "one attempt for the one that still waits");
}
