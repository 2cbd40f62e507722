//! The window towards a peer that pipelines: its two bounds, its order, and which message an answer is for.

use super::*;

fn window(messages: usize, bytes: usize) -> LinkConfig {
    LinkConfig { window: messages, window_bytes: bytes, ..LinkConfig::default() }
}

#[test]
fn nothing_is_connected_before_something_is_queued() {
    let mut world = World::pipeline(LinkConfig::default());
    assert!(world.outs.connects.is_empty());
    world.queue(1, Order::All);
    assert_eq!(world.outs.connects.len(), 1);
    assert!(world.writes().is_empty(), "nothing is written before the connection is open");
    let conn = world.connect();
    assert_eq!(world.writes_on(conn), [1]);
}

#[test]
fn a_wanted_connection_is_made_once_and_without_a_message() {
    let mut world = World::pipeline(LinkConfig::default());
    world.tell(Link::wanted);
    world.tell(Link::wanted);
    assert_eq!(world.outs.connects.len(), 1);
    world.connect();
    world.tell(Link::wanted);
    assert!(world.outs.connects.is_empty());
    world.assert_idle();
}

#[test]
fn everything_shares_one_connection_whatever_order_was_asked_for() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    for (token, order) in
        [Order::All, Order::Keyed(7), Order::None, Order::Keyed(8), Order::All].into_iter().enumerate()
    {
        world.queue(token as u64, order);
    }
    assert_eq!(world.writes_on(conn), [0, 1, 2, 3, 4]);
    assert!(world.outs.connects.is_empty());
}

#[test]
fn the_window_bounds_the_messages_in_flight() {
    let (mut world, conn) = World::open_pipeline(window(3, 1 << 20));
    for token in 0..5 {
        world.queue(token, Order::All);
    }
    assert_eq!(world.writes_on(conn), [0, 1, 2]);
    world.write(conn, 3);
    assert!(world.writes().is_empty(), "written is not acknowledged");
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [3]);
}

#[test]
fn the_window_bounds_the_bytes_in_flight() {
    let (mut world, conn) = World::open_pipeline(window(100, 100));
    for token in 0..4 {
        world.queue_frame(token, 40, true, Order::All);
    }
    assert_eq!(world.writes_on(conn), [0, 1], "80 bytes; 120 would be too many");
    world.write(conn, 2);
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [2]);
}

#[test]
fn one_message_may_exceed_the_bytes_alone() {
    let (mut world, conn) = World::open_pipeline(window(100, 100));
    world.queue_frame(0, 10, true, Order::All);
    world.queue_frame(1, 500, true, Order::All);
    world.queue_frame(2, 10, true, Order::All);
    assert_eq!(world.writes_on(conn), [0], "beside another it has no room");
    world.write(conn, 1);
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [1], "alone it has, and nothing goes beside it");
    world.write(conn, 1);
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [2]);
}

#[test]
fn a_window_of_nothing_is_one_of_one() {
    let (mut world, conn) = World::open_pipeline(window(0, 0));
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    assert_eq!(world.writes_on(conn), [1]);
}

#[test]
fn answers_belong_to_the_messages_in_their_order() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    for token in 1..=3 {
        world.queue(token, Order::All);
    }
    world.write(conn, 3);
    world.ack(conn);
    world.fail_ack(conn);
    world.ack(conn);
    assert_eq!(world.done(), [(1, DELIVERED), (2, failed(Failure::RemoteProcess)), (3, DELIVERED)]);
    world.assert_idle();
}

#[test]
fn messages_without_acknowledgement_take_no_answer() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.queue_unacked(2, Order::All);
    world.queue(3, Order::All);
    world.queue_unacked(4, Order::All);
    assert_eq!(world.writes_on(conn), [1, 2, 3, 4]);
    world.write(conn, 4);
    assert_eq!(world.done(), [(2, WRITTEN), (4, WRITTEN)]);
    world.ack(conn);
    world.ack(conn);
    assert_eq!(world.done(), [(1, DELIVERED), (3, DELIVERED)]);
    world.assert_idle();
}

#[test]
fn a_message_is_written_when_all_its_bytes_are_out() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue_unacked(1, Order::All);
    world.queue_unacked(2, Order::All);
    world.write(conn, 0);
    assert_eq!(world.done(), []);
    world.write(conn, 1);
    assert_eq!(world.done(), [(1, WRITTEN)]);
    world.write(conn, 1);
    assert_eq!(world.done(), [(2, WRITTEN)]);
}

/// The peer can be faster than the report of the system call.
#[test]
fn an_answer_may_come_before_the_report_of_the_write() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    for token in 1..=3 {
        world.queue(token, Order::All);
    }
    world.ack(conn);
    world.fail_ack(conn);
    assert_eq!((world.done(), world.closes()), (vec![], vec![]), "it waits for the report");
    world.write(conn, 1);
    assert_eq!(world.done(), [(1, DELIVERED)]);
    world.write(conn, 2);
    assert_eq!(world.done(), [(2, failed(Failure::RemoteProcess))]);
    world.ack(conn);
    assert_eq!(world.done(), [(3, DELIVERED)]);
    world.assert_idle();
}

#[test]
fn an_early_answer_makes_room_once_the_write_is_reported() {
    let (mut world, conn) = World::open_pipeline(window(1, 100));
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    world.ack(conn);
    assert_eq!(world.writes_on(conn), [1]);
    world.write(conn, 1);
    assert_eq!(world.writes_on(conn), [2]);
}

#[test]
fn an_early_answer_is_worth_nothing_if_the_connection_ends_before_the_report() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.ack(conn);
    world.lose(conn, Cause::Lost);
    assert_eq!(world.done(), []);
    let second = world.connect();
    assert_eq!(world.writes(), [(conn, 1), (second, 1)]);
}
