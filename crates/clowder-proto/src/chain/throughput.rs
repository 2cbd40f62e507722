//! Counts messages and bytes. Tomcat: `ThroughputInterceptor`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::attribute::{AttributeError, parse_count, parse_int, unknown};
use super::{Above, Arrival, Below, Context, Draft, Flow, Interceptor, Parcel, Refusal, Rejection};
use crate::Now;
use crate::wire::FRAME_OVERHEAD;

/// Fields of a message's record that every message has.
const RECORD_FIXED: usize = 24;
const MIB: f64 = 1_048_576.0;

/// Settings of the layer, under the names of Tomcat's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThroughputConfig {
    /// Messages between two reports; 0: none. Default 10,000.
    pub interval: usize,
    /// Carried for the check of flags only. Default 0.
    pub option_flag: i32,
    /// Bytes of the local member's record, which every message carries: part of its size. Default 77, as of a member
    /// with an IPv4 address and nothing else.
    pub member_bytes: usize,
}

impl Default for ThroughputConfig {
    fn default() -> Self {
        ThroughputConfig { interval: 10_000, option_flag: 0, member_bytes: 77 }
    }
}

impl ThroughputConfig {
    pub(super) const NAME: &'static str = "throughput";
    pub(super) const KNOWN: &'static [&'static str] = &["interval", "optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "interval" => self.interval = parse_count(Self::NAME, attribute, value, 0)?,
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}

/// The layer. The size of a message is that of its whole frame.
///
/// Differs from Tomcat: messages are counted from 0; nothing waits here for a send, so that the time of sending is that
/// since the first message, and errors are messages that a layer below refused: what the network does to messages, the
/// channel's metrics tell.
/// Tests: a_recorded_message_has_the_recorded_size, the_report_has_tomcats_contents.
#[derive(Debug)]
pub struct Throughput {
    config: ThroughputConfig,
    first_sent: OnceLock<Instant>,
    first_received: OnceLock<Instant>,
    sent: AtomicU64,
    /// Of each message once.
    sent_bytes: AtomicU64,
    /// Of each message for each destination.
    sent_bytes_total: AtomicU64,
    errors: AtomicU64,
    received: AtomicU64,
    received_bytes: AtomicU64,
    due: AtomicBool,
}

impl Throughput {
    /// Nothing is counted yet.
    pub fn new(config: ThroughputConfig) -> Throughput {
        Throughput {
            config,
            first_sent: OnceLock::new(),
            first_received: OnceLock::new(),
            sent: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            sent_bytes_total: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            received: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            due: AtomicBool::new(false),
        }
    }

    fn size(&self, draft: &Draft) -> u64 {
        (RECORD_FIXED + draft.id.len() + self.config.member_bytes + draft.body.len() + FRAME_OVERHEAD) as u64
    }

    /// One more was counted, of `count` by now. Tomcat: the first report comes with the first message sent.
    fn counted(&self, count: u64, first: bool) {
        let interval = self.config.interval as u64;
        if interval > 0 && (count.is_multiple_of(interval) || first && count == 1) {
            self.due.store(true, Relaxed);
        }
    }
}

fn seconds(first: &OnceLock<Instant>, now: Instant) -> f64 {
    first.get().map_or(0.0, |first| now.saturating_duration_since(*first).as_secs_f64())
}

fn rate(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

impl Interceptor for Throughput {
    fn name(&self) -> &'static str {
        ThroughputConfig::NAME
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refusal> {
        let size = self.size(&parcel.draft);
        let destinations = parcel.targets.indices(below.targets().len()).len() as u64;
        self.first_sent.get_or_init(|| cx.now.mono);
        let flow = below.pass_in_place(cx, parcel).inspect_err(|_| {
            self.errors.fetch_add(1, Relaxed);
        })?;
        self.sent_bytes.fetch_add(size, Relaxed);
        self.sent_bytes_total.fetch_add(size * destinations, Relaxed);
        self.counted(self.sent.fetch_add(1, Relaxed) + 1, true);
        Ok(flow)
    }

    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, _: &mut Above<'_>) -> Result<Flow, Rejection> {
        let size = (arrival.message.encoded_len() + FRAME_OVERHEAD) as u64;
        self.first_received.get_or_init(|| cx.now.mono);
        self.received_bytes.fetch_add(size, Relaxed);
        self.counted(self.received.fetch_add(1, Relaxed) + 1, false);
        Ok(Flow::Pass)
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        [
            ("sent", &self.sent),
            ("sent_bytes", &self.sent_bytes),
            ("sent_bytes_total", &self.sent_bytes_total),
            ("errors", &self.errors),
            ("received", &self.received),
            ("received_bytes", &self.received_bytes),
        ]
        .map(|(name, counter)| (name, counter.load(Relaxed)))
        .into()
    }

    fn report(&self, now: Now) -> Option<String> {
        if !self.due.swap(false, Relaxed) {
            return None;
        }
        let mib = |bytes: &AtomicU64| bytes.load(Relaxed) as f64 / MIB;
        let (total, application, received) =
            (mib(&self.sent_bytes_total), mib(&self.sent_bytes), mib(&self.received_bytes));
        let (sending, receiving) = (seconds(&self.first_sent, now.mono), seconds(&self.first_received, now.mono));
        Some(format!(
            "sent {} messages, {total:.2} MiB to all destinations, {application:.2} MiB of the application, in \
             {sending:.2} s ({:.2} MiB/s to all, {:.2} MiB/s of the application), {} errors; received {} messages, \
             {received:.2} MiB, {:.2} MiB/s since the first",
            self.sent.load(Relaxed),
            rate(total, sending),
            rate(application, sending),
            self.errors.load(Relaxed),
            self.received.load(Relaxed),
            rate(received, receiving),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chain::tests::node::{Node, draft, member, sent, vector_member};
    use crate::chain::tests::vectors::{unhex, unhex_all, vector};
    use crate::chain::{Chain, Layer};

    fn node(interval: usize) -> Node {
        let mut node = Node::new(vec![]);
        let layer = Throughput::new(ThroughputConfig { interval, ..ThroughputConfig::default() });
        node.chain = Chain::new(vec![Layer::Interceptor(Arc::new(layer))]);
        node
    }

    fn report(node: &Node) -> Option<String> {
        node.chain.interceptors().next().unwrap().report(node.now)
    }

    #[test]
    fn a_recorded_message_has_the_recorded_size() {
        let vector = vector("throughput-send");
        let node = node(10_000);
        let plan = node.send(draft(0, 1, unhex(&vector["input_hex"])), &[vector_member("B"), vector_member("C")]);
        assert_eq!(sent(&plan), unhex_all(&vector["wire_hex"]));
        let expected = |name: &str| vector["expected"][name].as_u64().unwrap();
        assert_eq!(node.counter("sent"), expected("msgTxCnt_after_one_send") - 1, "Tomcat counts from 1");
        assert_eq!(node.counter("sent_bytes_total"), expected("mbTx_times_1048576"));
        assert_eq!(node.counter("sent_bytes"), expected("mbAppTx_times_1048576"));
        let message = plan.parcels[0].draft.clone().into_message(vector_member("A"));
        assert_eq!(message.encode_frame().len() as u64, expected("package_length"));
        node.receive(message);
        assert_eq!((node.counter("received"), node.counter("received_bytes")), (1, expected("package_length")));
    }

    #[test]
    fn the_report_has_tomcats_contents() {
        let mut node = node(10_000);
        node.send(draft(0, 1, vec![0; 1 << 20]), &[member(2), member(3)]);
        node.pass(2_000);
        node.receive(draft(0, 1, vec![0; 1 << 21]).into_message(member(2)));
        node.pass(2_000);
        let expected = "sent 1 messages, 2.00 MiB to all destinations, 1.00 MiB of the application, in 4.00 s \
                        (0.50 MiB/s to all, 0.25 MiB/s of the application), 0 errors; received 1 messages, 2.00 MiB, \
                        1.00 MiB/s since the first";
        assert_eq!(report(&node).as_deref(), Some(expected));
        assert_eq!(report(&node), None, "once");
    }

    #[test]
    fn a_report_is_due_with_the_first_message_sent_and_after_every_interval() {
        let node = node(3);
        let sends: Vec<bool> = (1..=6)
            .map(|id| {
                node.send(draft(0, id, ""), &[member(2)]);
                report(&node).is_some()
            })
            .collect();
        assert_eq!(sends, [true, false, true, false, false, true]);
        let receives: Vec<bool> = (1..=4)
            .map(|id| {
                node.receive_body(id, "");
                report(&node).is_some()
            })
            .collect();
        assert_eq!(receives, [false, false, true, false]);
    }

    #[test]
    fn without_an_interval_there_is_no_report_and_no_fault() {
        let node = node(0);
        node.send(draft(0, 1, ""), &[member(2)]);
        node.receive_body(1, "");
        assert_eq!(report(&node), None);
        assert_eq!((node.counter("sent"), node.counter("received")), (1, 1));
    }
}
