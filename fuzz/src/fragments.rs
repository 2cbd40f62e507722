//! Target over the layers of the message chain that hold what others sent.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::chain::{
    Chain, ChainConfig, Context, Flush, FragmentConfig, LayerConfig, OrderConfig, Sink, TwoPhaseConfig,
};
use clowder_proto::wire::{Member, Message, MessageId};

/// Little enough to be reached.
const BYTES_MAX: usize = 16_384;
const COUNT_MAX: usize = 8;
const SENDERS: u8 = 4;

fn fragment() -> LayerConfig {
    LayerConfig::Fragment(FragmentConfig {
        message_bytes_max: BYTES_MAX / 2,
        pieces_max: 64,
        messages_max: COUNT_MAX,
        held_bytes_max: BYTES_MAX,
        ..FragmentConfig::default()
    })
}

fn order() -> LayerConfig {
    LayerConfig::Order(OrderConfig {
        queue_max: COUNT_MAX,
        queue_bytes_max: BYTES_MAX / 2,
        held_bytes_max: BYTES_MAX,
        members_max: usize::from(SENDERS) - 1,
        ..OrderConfig::default()
    })
}

fn two_phase() -> LayerConfig {
    LayerConfig::TwoPhase(TwoPhaseConfig {
        messages_max: COUNT_MAX,
        held_bytes_max: BYTES_MAX,
        ..TwoPhaseConfig::default()
    })
}

fn layers(selector: u8) -> Vec<LayerConfig> {
    match selector % 5 {
        0 => vec![fragment()],
        1 => vec![order()],
        2 => vec![two_phase()],
        3 => vec![order(), two_phase(), fragment()],
        _ => vec![fragment(), order()],
    }
}

/// One input of the chain in the bytes of a test: what happens before it, and its body.
pub(crate) fn record(body: &[u8], id: u8) -> Option<Vec<u8>> {
    let length = u8::try_from(body.len()).ok()?;
    Some([&[(id & 7) << 2, length], body].concat())
}

struct Receiver {
    chain: Chain,
    now: Now,
    bytes_in: usize,
    bytes_out: usize,
}

impl Receiver {
    fn with(&mut self, work: impl FnOnce(&Chain, &mut Context<'_>, &mut Sink)) -> Sink {
        let mut cx = Context { now: self.now, random: &mut |bytes: &mut [u8]| bytes.fill(7) };
        let mut sink = Sink::default();
        work(&self.chain, &mut cx, &mut sink);
        self.bytes_out += sink.arrivals.iter().map(|arrival| arrival.message.body.len()).sum::<usize>();
        assert!(self.bytes_out <= self.bytes_in, "more came out than went in");
        sink
    }

    fn receive(&mut self, sender: u8, id: u8, body: &[u8]) {
        self.bytes_in += body.len();
        let id = MessageId([id; 16].into());
        let body = Bytes::copy_from_slice(body);
        let message = Message { options: 6, timestamp: 0, id, from: member(sender), body };
        let sink = self.with(|chain, cx, sink| chain.inbound(cx, message, sink));
        let answers = sink.arrivals.iter().filter(|arrival| arrival.answers).count();
        let rejected = sink.rejections.iter().filter(|(_, answers, _)| *answers).count();
        assert!(answers + rejected <= 1, "one message has one answer");
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.later(time);
        for sender in self.chain.overdue(self.now) {
            self.with(|chain, cx, sink| chain.flush(cx, &sender, Flush::Overdue, sink));
        }
        assert!(self.chain.deadline().is_none_or(|deadline| deadline > self.now.mono), "nothing is due any more");
    }

    fn left(&mut self, sender: u8) {
        self.with(|chain, cx, sink| chain.flush(cx, &member(sender).id, Flush::Left, sink));
    }
}

fn member(sender: u8) -> Member {
    Member::new(([10, 0, 0, sender], 4000).into(), [sender; 16])
}

/// Whatever bodies come from whom and when: each has one answer, nothing is multiplied, and nothing is held for ever.
/// The first byte selects the layers; then come records of a byte for time, id and sender, a length, and a body.
pub fn chain_fragments(data: &[u8]) {
    let Some((selector, mut rest)) = data.split_first() else { return };
    let config = ChainConfig { layers: layers(*selector), option_check: false };
    let chain = config.build().expect("chains that work").0;
    let now = Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH };
    let mut receiver = Receiver { chain, now, bytes_in: 0, bytes_out: 0 };
    while let [control, length, tail @ ..] = rest {
        let (body, next) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = next;
        let sender = control & 3;
        match control >> 5 {
            0..=3 => {}
            4 => receiver.pass(Duration::from_secs(1)),
            5 => receiver.pass(Duration::from_secs(3)),
            6 => receiver.pass(Duration::from_secs(60)),
            _ => receiver.left(sender),
        }
        receiver.receive(sender, (control >> 2) & 7, body);
    }
    // What one layer gives out may wait in the one above for as long again.
    for _ in 0..receiver.chain.interceptors().count() {
        receiver.pass(Duration::from_secs(60));
    }
    assert_eq!(receiver.chain.deadline(), None, "nothing is held for ever");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_order_gives_out_late_may_wait_in_fragment_above() {
        chain_fragments(
            b"\xbd\0\x07pay\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe3$\0\0\0\0\x80#\xff\xff\xff\xff\xff\xff\
              \xff\xff\xff\xff\xff\x928%\0\0\0\0\0\0\0\0\0\x006\xf3Zn/\xe1K\xe8\xaf\0",
        );
    }
}
