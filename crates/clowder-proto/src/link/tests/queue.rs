//! The bound of the queue, and what is given back.

use super::*;

fn bounded(queue_bytes_max: usize) -> LinkConfig {
    LinkConfig { queue_bytes_max, ..LinkConfig::default() }
}

#[test]
fn what_does_not_fit_fails_at_once_and_is_not_sent() {
    let mut world = World::pipeline(bounded(100));
    world.queue_frame(1, 60, true, Order::All);
    assert!(!world.link.has_room(41));
    world.queue_frame(2, 41, true, Order::All);
    assert_eq!(world.done(), [(2, failed(Failure::QueueFull))]);
    assert!(world.link.has_room(40));
    world.queue_frame(3, 40, true, Order::All);
    assert_eq!((world.link.bytes(), world.link.unfinished()), (100, 2));
    let conn = world.connect();
    assert_eq!(world.writes_on(conn), [1, 3]);
}

#[test]
fn one_message_may_exceed_the_bound_alone() {
    let (mut world, conn) = World::open_pipeline(bounded(100));
    assert!(world.link.has_room(1000));
    world.queue_frame(1, 1000, true, Order::All);
    world.queue_frame(2, 8, true, Order::All);
    assert_eq!(world.done(), [(2, failed(Failure::QueueFull))]);
    world.write(conn, 1);
    world.ack(conn);
    assert!(world.link.has_room(100));
    assert_eq!(world.done(), [(1, DELIVERED)]);
}

#[test]
fn every_outcome_gives_back_the_length_of_its_frame() {
    let (mut world, conn) = World::open_pipeline(bounded(1000));
    world.queue_frame(1, 100, true, Order::All);
    world.queue_frame(2, 200, false, Order::All);
    world.queue_frame(3, 300, true, Order::All);
    world.write(conn, 3);
    assert_eq!((world.outs.released, world.link.bytes()), (200, 400));
    world.ack(conn);
    assert_eq!((world.outs.released, world.link.bytes()), (300, 300));
    world.fail_ack(conn);
    assert_eq!((world.outs.released, world.link.bytes()), (600, 0));
    world.assert_idle();
}

#[test]
fn a_message_in_flight_or_about_to_be_tried_again_still_takes_room() {
    let (mut world, conn) = World::open_pipeline(bounded(100));
    world.queue_frame(1, 100, true, Order::All);
    world.write(conn, 1);
    assert!(!world.link.has_room(1));
    world.lose(conn, Cause::Lost);
    assert!(!world.link.has_room(1));
    assert_eq!(world.link.bytes(), 100);
}
