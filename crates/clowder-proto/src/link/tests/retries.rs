//! What is tried again, how often, and on which connection.

use super::*;

fn retries(retries_max: u8) -> LinkConfig {
    LinkConfig { retries_max, ..LinkConfig::default() }
}

#[test]
fn what_was_in_flight_on_a_lost_connection_is_sent_again_in_order_on_a_new_one() {
    let (mut world, first) = World::open_pipeline(LinkConfig::default());
    for token in 1..=4 {
        world.queue(token, Order::All);
    }
    world.write(first, 3);
    world.ack(first);
    world.writes();
    world.lose(first, Cause::Lost);
    let second = world.connect();
    assert_ne!(first, second);
    world.queue(5, Order::All);
    assert_eq!(world.writes_on(second), [2, 3, 4, 5]);
    assert_eq!((world.link.retries(), world.done()), (3, vec![(1, DELIVERED)]));
}

#[test]
fn a_message_without_acknowledgement_is_sent_again_if_it_was_not_written() {
    let (mut world, first) = World::open_pipeline(LinkConfig::default());
    world.queue_unacked(1, Order::All);
    world.queue_unacked(2, Order::All);
    world.write(first, 1);
    world.lose(first, Cause::Lost);
    world.writes();
    let second = world.connect();
    assert_eq!(world.writes_on(second), [2]);
    world.write(second, 1);
    assert_eq!(world.done(), [(1, WRITTEN), (2, WRITTEN)]);
}

#[test]
fn the_second_loss_is_the_end_for_what_was_in_flight_both_times() {
    let (mut world, first) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(first, 1);
    world.lose(first, Cause::Lost);
    let second = world.connect();
    world.queue(2, Order::All);
    world.write(second, 2);
    world.lose(second, Cause::Lost);
    assert_eq!(world.done(), [(1, failed(Failure::ConnectionLost))]);
    let third = world.connect();
    assert_eq!(world.writes().last(), Some(&(third, 2)), "that one has a second try");
}

#[test]
fn without_a_port_to_use_there_is_no_second_try() {
    let mut world = World::pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    let conn = world.outs.connects.remove(0);
    world.lose(conn, Cause::NoSecurePort);
    assert_eq!((world.done(), world.link.retries()), (vec![(1, failed(Failure::NoSecurePort))], 0));
    assert_eq!(world.outs.connects, []);
}

#[test]
fn the_number_of_tries_is_configured() {
    for max in 0..4 {
        let mut world = World::pipeline(retries(max));
        world.queue(1, Order::All);
        for _ in 0..max {
            let conn = world.connect();
            world.lose(conn, Cause::Lost);
            assert_eq!(world.done(), [], "{max} retries");
        }
        let conn = world.connect();
        world.lose(conn, Cause::Lost);
        assert_eq!(world.done(), [(1, failed(Failure::ConnectionLost))], "{max} retries");
        assert_eq!(world.link.retries(), u64::from(max));
        assert!(world.outs.connects.is_empty(), "nothing is left to connect for");
        world.assert_idle();
    }
}

#[test]
fn a_refused_connection_is_a_failed_try_of_all_that_waited_for_it() {
    let mut world = World::pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    world.refuse();
    assert_eq!(world.done(), []);
    world.queue(3, Order::All);
    world.refuse();
    assert_eq!(world.done(), [(2, failed(Failure::Connect)), (1, failed(Failure::Connect))]);
    let conn = world.connect();
    assert_eq!(world.writes_on(conn), [3]);
}

#[test]
fn refused_connections_fail_unordered_messages_too() {
    let mut world = World::lanes(LinkConfig::default());
    world.queue(1, Order::None);
    world.refuse();
    assert_eq!(world.done(), []);
    world.refuse();
    assert_eq!(world.done(), [(1, failed(Failure::Connect))]);
    world.assert_idle();
}

/// `Connect` says that the peer did not get the message.
#[test]
fn what_the_peer_may_have_does_not_fail_as_never_sent() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(conn, 1);
    world.lose(conn, Cause::Lost);
    world.queue(2, Order::All);
    world.refuse();
    world.refuse();
    assert_eq!(world.done(), [(1, failed(Failure::ConnectionLost)), (2, failed(Failure::Connect))]);
}

#[test]
fn a_failed_answer_fails_that_message_alone_on_a_pipeline() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    world.write(conn, 2);
    world.fail_ack(conn);
    assert_eq!(world.done(), [(1, failed(Failure::RemoteProcess))]);
    assert_eq!(world.writes_on(conn), [1, 2], "a second try would come behind its successor");
    world.ack(conn);
    assert_eq!((world.done(), world.closes()), (vec![(2, DELIVERED)], vec![]));
}

#[test]
fn a_failed_answer_has_a_second_try_on_the_same_lane_before_anything_else() {
    let mut world = World::lanes(LinkConfig::default());
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    let conn = world.connect();
    world.write(conn, 1);
    world.fail_ack(conn);
    assert_eq!(world.writes_on(conn), [1, 1]);
    world.write(conn, 1);
    world.ack(conn);
    assert_eq!(world.done(), [(1, DELIVERED)]);
    assert_eq!(world.writes_on(conn), [2]);
}

#[test]
fn the_second_failed_answer_is_the_end_and_the_connection_stays() {
    let mut world = World::lanes(LinkConfig::default());
    world.queue(1, Order::All);
    let conn = world.connect();
    for _ in 0..2 {
        world.write(conn, 1);
        world.fail_ack(conn);
    }
    assert_eq!(world.done(), [(1, failed(Failure::RemoteProcess))]);
    assert_eq!(world.closes(), []);
    world.queue(2, Order::All);
    world.writes();
    world.write(conn, 1);
    world.ack(conn);
    assert_eq!(world.done(), [(2, DELIVERED)]);
}

/// Tomcat: `throwOnFailedAck="false"`.
#[test]
fn a_failed_answer_that_is_no_error_counts_as_one_that_is_none() {
    let config = LinkConfig { failed_ack_is_error: false, ..LinkConfig::default() };
    for mut world in [World::lanes(config.clone()), World::pipeline(config)] {
        world.queue(1, Order::All);
        let conn = world.connect();
        world.write(conn, 1);
        world.fail_ack(conn);
        assert_eq!((world.done(), world.writes_on(conn)), (vec![(1, DELIVERED)], vec![1]));
    }
}

#[test]
fn an_early_failed_answer_has_its_second_try_too() {
    let mut world = World::lanes(LinkConfig::default());
    world.queue(1, Order::All);
    let conn = world.connect();
    world.fail_ack(conn);
    world.write(conn, 1);
    assert_eq!(world.writes_on(conn), [1, 1]);
}

#[test]
fn a_surplus_answer_closes_the_connection_and_confirms_nothing() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(conn, 1);
    world.ack(conn);
    world.ack(conn);
    assert_eq!((world.done(), world.closes()), (vec![(1, DELIVERED)], vec![conn]));
    world.queue(2, Order::All);
    let second = world.connect();
    assert_ne!(conn, second);
    world.ack(conn);
    assert_eq!(world.done(), [], "late news of the closed connection");
}

#[test]
fn an_answer_to_messages_that_want_none_breaks_the_protocol() {
    let (mut world, conn) = World::open_pipeline(retries(0));
    world.queue_unacked(1, Order::All);
    world.ack(conn);
    assert_eq!((world.done(), world.closes()), (vec![(1, failed(Failure::Protocol))], vec![conn]));
}

#[test]
fn more_answers_than_messages_in_flight_break_the_protocol_before_the_write_is_reported_too() {
    let (mut world, conn) = World::open_pipeline(retries(0));
    world.queue(1, Order::All);
    world.queue_unacked(2, Order::All);
    world.ack(conn);
    world.ack(conn);
    assert_eq!(world.closes(), [conn]);
    assert_eq!(world.done(), [(2, failed(Failure::Protocol)), (1, failed(Failure::Protocol))]);
}

#[test]
fn bytes_that_are_no_answer_are_a_failed_try() {
    let (mut world, first) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(first, 1);
    world.lose(first, Cause::Protocol);
    let second = world.connect();
    world.write(second, 1);
    world.lose(second, Cause::Protocol);
    assert_eq!(world.done(), [(1, failed(Failure::Protocol))]);
}

#[test]
fn the_loss_of_an_idle_connection_fails_nothing_and_connects_nothing() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.lose(conn, Cause::Lost);
    assert!(world.outs.connects.is_empty());
    world.assert_idle();
    world.tell(Link::wanted);
    assert_eq!(world.outs.connects.len(), 1, "it is made again when it is wanted");
}
