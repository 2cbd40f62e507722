//! The moment in which a peer turns out to pipeline: lanes become one connection, and nothing overtakes anything.

use super::*;

fn lanes() -> World {
    World::lanes(LinkConfig { lanes: 3, ..LinkConfig::default() })
}

#[test]
fn idle_lanes_become_one_at_once() {
    let mut world = lanes();
    world.queue(1, Order::None);
    world.queue(2, Order::None);
    let (one, two) = (world.connect(), world.connect());
    for conn in [one, two] {
        world.write(conn, 1);
        world.ack(conn);
    }
    world.writes();
    world.announce();
    assert!(world.link.is_pipelined());
    assert_eq!(world.closes(), [two], "one connection is kept");
    for token in 3..=5 {
        world.queue(token, Order::None);
    }
    assert_eq!(world.writes_on(one), [3, 4, 5]);
}

#[test]
fn everything_waits_until_nothing_is_in_flight_and_then_goes_in_the_order_of_queueing() {
    let mut world = lanes();
    world.queue(1, Order::Keyed(1));
    world.queue(2, Order::Keyed(2));
    world.queue(3, Order::Keyed(2));
    world.queue(4, Order::Keyed(1));
    let (one, two) = (world.connect(), world.connect());
    world.write(one, 1);
    world.write(two, 1);
    assert_eq!(world.writes(), [(one, 1), (two, 2)]);
    world.announce();
    world.queue(5, Order::None);
    world.ack(two);
    assert!(world.writes().is_empty(), "1 is in flight and must not be overtaken");
    world.ack(one);
    assert_eq!(world.closes(), [two]);
    assert_eq!(world.writes_on(one), [3, 4, 5]);
}

#[test]
fn a_second_try_goes_before_what_waited() {
    let mut world = lanes();
    world.queue(1, Order::Keyed(1));
    world.queue(2, Order::Keyed(1));
    let conn = world.connect();
    world.write(conn, 1);
    world.announce();
    world.writes();
    world.fail_ack(conn);
    assert_eq!(world.writes_on(conn), [1, 2], "the order allows the second try here");
}

#[test]
fn an_open_connection_is_kept_rather_than_one_on_its_way() {
    let mut world = lanes();
    world.queue(1, Order::Keyed(0));
    world.queue(2, Order::Keyed(1));
    let connecting = world.outs.connects[0];
    let open = world.outs.connects.remove(1);
    world.tell(|link, now| link.connected(now, open));
    world.announce();
    world.write(open, 1);
    world.ack(open);
    assert_eq!(world.closes(), [connecting]);
    assert_eq!(world.writes_on(open), [2, 1]);
}

#[test]
fn a_lane_that_says_nothing_does_not_hold_the_others_back_for_ever() {
    let mut world = lanes();
    world.queue(1, Order::Keyed(1));
    world.queue(2, Order::Keyed(2));
    let (one, two) = (world.connect(), world.connect());
    world.write(one, 1);
    world.write(two, 1);
    world.ack(two);
    world.announce();
    world.pass(ms(1000));
    world.writes();
    world.queue(3, Order::None);
    assert!(world.writes().is_empty());
    world.pass(ms(2000));
    assert_eq!(world.done(), [(2, DELIVERED), (1, failed(Failure::Timeout))]);
    assert_eq!(world.writes_on(two), [3]);
}

#[test]
fn what_a_lost_lane_owed_goes_first_over_the_pipeline() {
    let mut world = lanes();
    world.queue(1, Order::Keyed(1));
    world.queue(2, Order::Keyed(2));
    let (one, two) = (world.connect(), world.connect());
    world.write(one, 1);
    world.write(two, 1);
    world.queue(3, Order::Keyed(2));
    world.announce();
    world.writes();
    world.lose(one, Cause::Lost);
    assert!(world.writes().is_empty(), "2 is in flight");
    world.ack(two);
    assert_eq!(world.writes_on(two), [1, 3]);
}

#[test]
fn an_announcement_is_never_taken_back_and_others_change_nothing() {
    let mut world = lanes();
    world.tell(|link, now| link.announced(now, Capabilities::default()));
    assert!(!world.link.is_pipelined());
    world.announce();
    world.tell(|link, now| link.announced(now, Capabilities::default()));
    assert!(world.link.is_pipelined());
}
