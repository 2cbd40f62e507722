//! Peers that break the rules lose their connection, are counted, and harm nobody else.

use std::time::Duration;

use clowder::options::{SYNCHRONIZED_ACK, USE_ACK};
use clowder::{Channel, ChannelLimits, Refusal, RefusalEvents, Timeouts, metrics as names};
use clowder_proto::wire::{Ack, Limits};

use tokio::io::AsyncWriteExt;

use super::counts::Counts;
use super::nodes::{builder, listen, next, node, patiently, until};
use super::raw::{Raw, frame, sender};

const SYNC: i32 = USE_ACK | SYNCHRONIZED_ACK;

/// Why the next connection was closed, as counters name it.
async fn closed(refusals: &mut RefusalEvents) -> &'static str {
    match patiently(refusals.next()).await {
        Some(Refusal::Connection { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}

/// It answers, so it is served.
async fn assert_served(peer: &mut Raw, id: u32) {
    peer.write(&frame(id, SYNC, b"hello")).await;
    assert_eq!(peer.acks(1).await, [Ack::Ok]);
}

#[tokio::test]
async fn garbage_closes_its_connection_and_no_other() {
    let mut cut = frame(1, SYNC, b"a").to_vec();
    cut[23] = 0xff; // in the length of the id
    let mut end = frame(1, SYNC, b"a").to_vec();
    *end.last_mut().unwrap() ^= 1;
    let garbage: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", "start_marker"),
        (b"FLT2002\xff\xff\xff\xff", "negative_length"),
        (b"FLT2002\0\0\0\x03\x06\x02\x03TLF2003", "truncated"),
        (&end, "end_marker"),
        (&cut, "negative_length"),
    ];
    let to = node().await;
    let mut refusals = to.refusals();
    let mut good = Raw::connect(&to).await;
    for (id, (bytes, kind)) in garbage.into_iter().enumerate() {
        let mut bad = Raw::connect(&to).await;
        bad.write(bytes).await;
        assert_eq!(bad.rest().await, [], "{kind}");
        assert_eq!(closed(&mut refusals).await, kind);
        assert_served(&mut good, 100 + u32::try_from(id).unwrap()).await;
    }
}

#[tokio::test]
async fn what_stood_before_the_garbage_is_delivered_and_answered_and_nothing_behind_it() {
    let to = node().await;
    let mut inbox = to.inbox();
    let mut peer = Raw::connect(&to).await;
    peer.write(&[&frame(1, SYNC, b"before"), &b"garbage"[..], &frame(2, SYNC, b"behind")].concat()).await;
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.body(), "before");
    delivery.done();
    assert_eq!(peer.rest().await, [Ack::Ok]);
    let mut good = Raw::connect(&to).await;
    good.write(&frame(3, 0, b"next")).await;
    assert_eq!(next(&mut inbox).await.body(), "next");
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_by_its_header() {
    let wire = Limits { frame_bytes_max: 1_000, ..Limits::default() };
    let limits = ChannelLimits { wire, ..ChannelLimits::default() };
    let to = builder().limits(limits).start().await.unwrap();
    let mut refusals = to.refusals();
    let mut peer = Raw::connect(&to).await;
    peer.write(b"FLT2002\0\0\x03\xe9").await; // 1001; not one byte of it follows
    assert_eq!(peer.rest().await, []);
    assert_eq!(closed(&mut refusals).await, "over_limit");
    let mut within = Raw::connect(&to).await;
    let overhead = frame(1, SYNC, b"").len() - 18;
    within.write(&frame(1, SYNC, &vec![0; 1_000 - overhead])).await;
    assert_eq!(within.acks(1).await, [Ack::Ok]);
}

async fn impatient(limits: ChannelLimits) -> Channel {
    let short = Duration::from_millis(200); // enough to read what has arrived
    let timeouts = Timeouts { half_frame: short, unread_acks: short, ended: short, ..Timeouts::default() };
    builder().limits(limits).timeouts(timeouts).start().await.unwrap()
}

#[tokio::test]
async fn half_a_frame_and_silence_is_closed_and_silence_between_frames_is_not() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let to = impatient(ChannelLimits::default()).await;
    let mut silent = Raw::connect(&to).await;
    assert_served(&mut silent, 1).await;
    for length in [1, 11, 100] {
        let mut half = Raw::connect(&to).await;
        half.write(&frame(2, SYNC, b"a")[..length]).await;
        assert_eq!(half.rest().await, [], "{length} bytes");
    }
    assert_eq!(counts.get(names::REFUSED, "half_frame"), 3);
    assert_served(&mut silent, 3).await;
}

#[tokio::test]
async fn half_a_frame_that_waits_because_this_node_does_not_read_is_nobodys_fault() {
    let to = impatient(ChannelLimits { deliveries_max: 1, ..ChannelLimits::default() }).await;
    let mut inbox = to.inbox();
    let mut peer = Raw::connect(&to).await;
    let second = frame(2, SYNC, b"second");
    peer.write(&[&frame(1, SYNC, b"first"), &second[..40]].concat()).await;
    let first = next(&mut inbox).await;
    peer.write(&second[40..]).await; // not read: one message is being processed
    for _ in 0..2 {
        // The sweep that closes this one has looked at the other, too.
        let mut half = Raw::connect(&to).await;
        half.write(b"FLT").await;
        assert_eq!(half.rest().await, []);
    }
    first.done();
    let second = next(&mut inbox).await;
    assert_eq!(second.body(), "second");
    second.done();
    assert_eq!(peer.acks(2).await, [Ack::Ok, Ack::Ok]);
}

/// Asks for acknowledgements and never reads one, until the connection breaks.
async fn flood(to: Channel) {
    let mut greedy = Raw::connect_narrow(&to).await;
    for first in (0..).step_by(64) {
        let frames: Vec<_> = (first..first + 64).map(|id| frame(id, USE_ACK, b"")).collect();
        if greedy.stream.write_all(&frames.concat()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn who_never_reads_its_acknowledgements_is_closed() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    // Its half frames have all their time.
    let timeouts = Timeouts { unread_acks: Duration::from_millis(20), ..Timeouts::default() };
    let to = builder().timeouts(timeouts).start().await.unwrap();
    let mut good = Raw::connect(&to).await;
    patiently(flood(to.clone())).await;
    assert_eq!(counts.get(names::REFUSED, "unread_acks"), 1);
    assert_served(&mut good, u32::MAX).await;
}

#[tokio::test]
async fn who_never_reads_its_acknowledgements_is_not_read_either() {
    const ROUNDS: u32 = 200;
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let to = node().await;
    let mut good = Raw::connect(&to).await;
    let greedy = tokio::spawn(flood(to.clone()));
    let handled = || counts.get(names::UNCLAIMED, "");
    let mut ids = 1 << 31..;
    loop {
        let before = handled();
        for id in ids.by_ref().take(ROUNDS as usize) {
            assert_served(&mut good, id).await;
        }
        if handled() == before + u64::from(ROUNDS) {
            break; // nothing else was read meanwhile
        }
    }
    assert!(!greedy.is_finished(), "it still writes, and was not closed");
    greedy.abort();
}

#[tokio::test]
async fn who_ended_and_whose_messages_are_never_processed_is_forgotten() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let to = impatient(ChannelLimits::default()).await;
    let mut inbox = to.inbox();
    let mut peer = Raw::connect(&to).await;
    peer.write(&frame(1, SYNC, b"a")).await;
    peer.finish().await;
    let kept = next(&mut inbox).await;
    assert_eq!(peer.rest().await, []);
    assert_eq!(counts.get(names::REFUSED, "unfinished"), 1);
    kept.done(); // too late, and harmless
}

#[tokio::test]
async fn hundreds_of_silent_connections_displace_each_other_and_nobody_who_spoke() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let to = builder().limits(ChannelLimits { connections_max: 8, ..ChannelLimits::default() }).start().await.unwrap();
    let mut good = Raw::connect(&to).await;
    assert_served(&mut good, 0).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(Raw::connect(&to).await);
    }
    // The oldest are closed; the last seven have their places beside the one that spoke.
    let last = silent.split_off(293);
    for (n, connection) in silent.iter_mut().enumerate() {
        assert_eq!(connection.rest().await, [], "connection {n}");
    }
    assert_eq!(counts.get(names::REFUSED, "too_many"), 293);
    assert!(last.iter().all(Raw::is_quiet));
    assert_served(&mut good, 1).await;
    let mut newcomer = Raw::connect(&to).await;
    assert_served(&mut newcomer, 2).await;
}

#[tokio::test]
async fn among_those_who_spoke_the_one_that_was_silent_longest_goes() {
    let limits = ChannelLimits { connections_max: 2, ..ChannelLimits::default() };
    let to = builder().limits(limits).start().await.unwrap();
    let (mut first, mut second) = (Raw::connect(&to).await, Raw::connect(&to).await);
    assert_served(&mut first, 1).await;
    // The clock of the node has milliseconds.
    let spoke = std::time::Instant::now();
    until(|| spoke.elapsed() > Duration::from_millis(2)).await;
    assert_served(&mut second, 2).await;
    let mut third = Raw::connect(&to).await;
    assert_eq!(first.rest().await, []);
    assert_served(&mut second, 3).await;
    assert_served(&mut third, 4).await;
}

#[tokio::test]
async fn a_sender_that_lies_about_its_address_gets_its_answers_all_the_same() {
    let to = node().await;
    let (seen, mut from) = tokio::sync::mpsc::unbounded_channel();
    listen(&to, b"", move |delivery| {
        seen.send(delivery.from().clone()).unwrap();
        delivery.done();
    });
    let mut peer = Raw::connect(&to).await;
    assert_served(&mut peer, 1).await;
    assert_eq!(from.recv().await, Some(sender()));
    assert!(to.view().members().is_empty(), "a message makes nobody a member");
}
