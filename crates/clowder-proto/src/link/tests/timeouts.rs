//! A connection that makes no progress: when it is given up, what fails with it, and what does not.

use super::*;

fn timeouts(connect: u64, timeout: u64) -> LinkConfig {
    LinkConfig { connect_timeout: ms(connect), timeout: ms(timeout), ..LinkConfig::default() }
}

#[test]
fn a_silent_peer_is_given_up_after_the_timeout_and_not_tried_again() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(conn, 1);
    world.pass(ms(2999));
    assert_eq!(world.done(), []);
    world.pass(ms(1));
    assert_eq!((world.done(), world.closes()), (vec![(1, failed(Failure::Timeout))], vec![conn]));
    assert!(world.outs.connects.is_empty());
    world.assert_idle();
}

#[test]
fn a_connection_that_is_not_made_in_time_is_given_up() {
    let mut world = World::pipeline(timeouts(700, 3000));
    world.queue(1, Order::All);
    let conn = world.outs.connects[0];
    world.pass(ms(699));
    assert_eq!(world.done(), []);
    world.pass(ms(1));
    assert_eq!((world.done(), world.closes()), (vec![(1, failed(Failure::Timeout))], vec![conn]));
    assert_eq!(world.outs.connects, [conn], "no second attempt");
}

#[test]
fn what_was_queued_while_connecting_gets_an_attempt_of_its_own() {
    let mut world = World::pipeline(timeouts(1000, 3000));
    world.queue(1, Order::All);
    world.pass(ms(600));
    world.queue(2, Order::All);
    world.outs.connects.clear();
    world.pass(ms(400));
    assert_eq!(world.done(), [(1, failed(Failure::Timeout))]);
    let conn = world.connect();
    assert_eq!(world.writes_on(conn), [2]);
}

#[test]
fn every_sign_of_progress_starts_the_timeout_anew() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    for token in 1..=3 {
        world.queue(token, Order::All);
    }
    world.pass(ms(2000));
    world.write(conn, 0);
    world.pass(ms(2000));
    world.write(conn, 3);
    world.pass(ms(2000));
    world.ack(conn);
    world.pass(ms(2999));
    assert_eq!(world.done(), [(1, DELIVERED)]);
    world.pass(ms(1));
    assert_eq!(world.closes(), [conn]);
    assert_eq!(world.done(), [(3, failed(Failure::Timeout)), (2, failed(Failure::Timeout))]);
}

#[test]
fn an_idle_connection_lives_for_ever_and_a_new_message_has_its_full_time() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    assert_eq!(world.link.deadline(), None);
    world.pass(Duration::from_secs(86_400));
    world.queue(1, Order::All);
    world.write(conn, 1);
    assert_eq!(world.link.deadline(), Some(world.now.mono + ms(3000)));
    world.pass(ms(2999));
    assert_eq!(world.closes(), []);
    world.ack(conn);
    assert_eq!(world.done(), [(1, DELIVERED)]);
    world.assert_idle();
}

#[test]
fn what_started_later_than_the_stall_goes_over_another_connection() {
    let (mut world, first) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(first, 1);
    world.pass(ms(1500));
    world.queue(2, Order::All);
    world.queue(3, Order::All);
    world.pass(ms(1500));
    assert_eq!(world.done(), [(1, failed(Failure::Timeout))]);
    world.writes();
    let second = world.connect();
    assert_eq!(world.writes_on(second), [2, 3]);
}

#[test]
fn what_waited_behind_a_stalled_lane_for_the_whole_time_fails_with_it() {
    let mut world = World::lanes(LinkConfig::default());
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    let conn = world.connect();
    world.write(conn, 1);
    world.pass(ms(1000));
    world.queue(3, Order::All);
    world.pass(ms(2000));
    assert_eq!(world.done(), [(1, failed(Failure::Timeout)), (2, failed(Failure::Timeout))]);
    world.writes();
    let next = world.connect();
    assert_eq!(world.writes_on(next), [3]);
}

#[test]
fn a_stalled_lane_fails_no_unordered_message_while_another_lane_moves() {
    let mut world = World::lanes(LinkConfig { lanes: 2, ..LinkConfig::default() });
    world.queue(1, Order::None);
    world.queue(2, Order::None);
    let (stalled, moving) = (world.connect(), world.connect());
    world.write(stalled, 1);
    world.write(moving, 1);
    world.queue(3, Order::None);
    world.queue(4, Order::None);
    world.pass(ms(2000));
    world.ack(moving);
    world.write(moving, 1);
    assert_eq!(world.done(), [(2, DELIVERED)]);
    world.pass(ms(1000));
    assert_eq!((world.done(), world.closes()), (vec![(1, failed(Failure::Timeout))], vec![stalled]));
    world.ack(moving);
    assert_eq!(world.done(), [(3, DELIVERED)]);
    assert_eq!(world.writes().last(), Some(&(moving, 4)));
}

#[test]
fn unordered_messages_fail_when_nothing_moves_at_all() {
    let mut world = World::lanes(LinkConfig { lanes: 1, ..LinkConfig::default() });
    world.queue(1, Order::None);
    world.queue(2, Order::None);
    let conn = world.connect();
    world.write(conn, 1);
    world.pass(ms(3000));
    assert_eq!(world.done(), [(1, failed(Failure::Timeout)), (2, failed(Failure::Timeout))]);

    let mut world = World::lanes(LinkConfig { lanes: 2, ..LinkConfig::default() });
    for token in 1..=3 {
        world.queue(token, Order::None);
    }
    let conns = [world.connect(), world.connect()];
    for conn in conns {
        world.write(conn, 1);
    }
    world.pass(ms(3000));
    assert_eq!(world.done().len(), 3, "also what waited for whichever lane is free");
    world.assert_idle();
}

#[test]
fn early_calls_are_harmless() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(conn, 1);
    world.writes();
    for _ in 0..10 {
        world.tell(Link::handle_deadline);
    }
    assert_eq!((world.done(), world.closes(), world.writes()), (vec![], vec![], vec![]));
}

#[test]
fn a_timeout_without_end_is_no_deadline() {
    let mut world =
        World::pipeline(LinkConfig { timeout: Duration::MAX, connect_timeout: Duration::MAX, ..LinkConfig::default() });
    world.queue(1, Order::All);
    assert_eq!(world.link.deadline(), None);
    world.connect();
    assert_eq!(world.link.deadline(), None);
}
