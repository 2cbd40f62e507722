//! The reader of acknowledgements and the link together, fed with the bytes of a peer.

use super::*;

/// Feeds what a peer wrote, as a driver does; returns false if the connection must be closed.
fn feed(world: &mut World, conn: ConnId, reader: &mut AckReader, bytes: &[u8]) -> bool {
    let mut acks = Vec::new();
    let result = reader.received(bytes, &mut acks);
    for ack in acks {
        world.tell(|link, now| link.acked(now, conn, ack));
    }
    if result.is_err() {
        world.lose(conn, Cause::Protocol);
    }
    result.is_ok()
}

#[test]
fn answers_in_one_piece_or_in_many_mean_the_same() {
    let bytes = [Ack::Ok.frame(), Ack::Failed.frame(), Ack::Ok.frame()].concat();
    for size in [1, 5, 20, 21, 22, 63] {
        let (mut world, conn) = World::open_pipeline(LinkConfig::default());
        for token in 1..=3 {
            world.queue(token, Order::All);
        }
        world.write(conn, 3);
        let mut reader = AckReader::new();
        for chunk in bytes.chunks(size) {
            assert!(feed(&mut world, conn, &mut reader, chunk));
        }
        assert_eq!(world.done(), [(1, DELIVERED), (2, failed(Failure::RemoteProcess)), (3, DELIVERED)], "by {size}");
    }
}

#[test]
fn what_stood_in_front_of_the_first_wrong_byte_counts() {
    let (mut world, first) = World::open_pipeline(LinkConfig::default());
    world.queue(1, Order::All);
    world.queue(2, Order::All);
    world.write(first, 2);
    world.writes();
    let bytes = [Ack::Ok.frame(), b"HTTP/1.1 400"].concat();
    assert!(!feed(&mut world, first, &mut AckReader::new(), &bytes));
    assert_eq!(world.done(), [(1, DELIVERED)]);
    let second = world.connect();
    assert_eq!(world.writes_on(second), [2]);
}
