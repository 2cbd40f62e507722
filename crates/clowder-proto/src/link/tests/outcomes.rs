//! One outcome for each message, also at the end of everything.

use super::*;

#[test]
fn closing_fails_everything_wherever_it_is_and_closes_every_connection() {
    let mut world = World::lanes(LinkConfig { lanes: 3, ..LinkConfig::default() });
    world.queue(1, Order::None);
    let open = world.connect();
    world.write(open, 1);
    world.queue(2, Order::Keyed(1));
    let connecting = world.outs.connects[0];
    world.queue(3, Order::Keyed(1));
    world.queue(4, Order::None);
    world.queue(5, Order::None);
    world.tell(Link::closed);
    let mut done = world.done();
    done.sort_by_key(|(token, _)| *token);
    assert_eq!(done, (1..=5).map(|token| (token, failed(Failure::Closed))).collect::<Vec<_>>());
    let closes = world.closes();
    assert!(closes.contains(&open) && closes.contains(&connecting), "{closes:?}");
    assert_eq!(closes.len(), world.outs.connects.len() + 1, "every connection that was asked for");
    world.assert_idle();
}

#[test]
fn a_closed_link_refuses_and_connects_nothing() {
    let mut world = World::pipeline(LinkConfig::default());
    world.tell(Link::closed);
    world.queue(1, Order::All);
    world.queue_unacked(2, Order::None);
    world.tell(Link::wanted);
    world.announce();
    assert_eq!(world.done(), [(1, failed(Failure::Closed)), (2, failed(Failure::Closed))]);
    assert!(world.outs.connects.is_empty());
    world.tell(Link::closed);
    world.assert_idle();
}

#[test]
fn late_news_of_a_forgotten_connection_changes_nothing() {
    let (mut world, conn) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.write(conn, 1);
    world.lose(conn, Cause::Lost);
    let (connecting, deadline) = (world.outs.connects.clone(), world.link.deadline());
    world.writes();
    world.pass(ms(10));
    world.tell(|link, now| link.connected(now, conn));
    world.write(conn, 1);
    world.ack(conn);
    world.fail_ack(conn);
    world.lose(conn, Cause::Protocol);
    assert_eq!((world.done(), world.closes(), world.writes()), (vec![], vec![], vec![]));
    assert_eq!((world.outs.connects.clone(), world.link.deadline()), (connecting, deadline));
}

#[test]
fn names_of_connections_are_never_used_again() {
    let mut world = World::pipeline(LinkConfig { retries_max: 100, ..LinkConfig::default() });
    world.queue(1, Order::All);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let conn = world.connect();
        assert!(seen.insert(conn), "{conn:?} came twice");
        world.lose(conn, Cause::Lost);
    }
}

#[test]
fn a_resend_carries_the_same_bytes() {
    let mut link = Link::new(LinkConfig::default());
    let now = start();
    let sent = frame(1, 100);
    link.queued(now, Outgoing { token: Token(1), frame: sent.clone(), acked: true, order: Order::All });
    for _ in 0..2 {
        let Some(LinkOut::Connect { conn }) = link.poll() else { panic!("no connection was asked for") };
        link.connected(now, conn);
        match link.poll() {
            Some(LinkOut::Write { frame, .. }) => assert_eq!(frame, sent),
            other => panic!("no write: {other:?}"),
        }
        link.lost(now, conn, Cause::Lost);
    }
}

#[test]
fn every_cause_has_its_failure() {
    for (cause, failure) in [
        (Cause::Connect, Failure::Connect),
        (Cause::Lost, Failure::ConnectionLost),
        (Cause::Protocol, Failure::Protocol),
    ] {
        assert_eq!(Failure::from(cause), failure);
    }
}
