//! Messages that receivers hold until the sender confirms that all of them have it. Tomcat:
//! `TwoPhaseCommitInterceptor`.
//!
//! The confirmation is a message of its own, with the other one's id between two markers. It goes out when the message
//! has arrived everywhere, and never otherwise; so it should be used with acknowledgements after processing.
//!
//! Invariants: a message is delivered at most once; what waits is bounded in number and bytes, and given up when it is
//! too old or its sender left.

mod config;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::BytesMut;

pub use config::TwoPhaseConfig;

use super::held::{Key, Room, lock};
use super::{Above, Arrival, Below, Body, Context, Draft, Flow, Flush, Interceptor, Parcel, Refusal, Rejection};
use crate::Now;
use crate::wire::{Ack, MemberId, Message, MessageId};
use store::Store;

/// In front of the id.
const BEGIN: [u8; 16] = 0x7101_c602_dec4_4bb2_9bf4_20e3_206f_d804_u128.to_be_bytes();
/// Behind the id.
const END: [u8; 16] = 0x36f3_5a6e_2fe1_4be8_afe3_2434_c64d_9238_u128.to_be_bytes();

/// The layer.
#[derive(Debug)]
pub struct TwoPhase {
    config: TwoPhaseConfig,
    store: Mutex<Store>,
    sent: AtomicU64,
}

impl TwoPhase {
    /// Nothing is held yet.
    pub fn new(config: TwoPhaseConfig) -> TwoPhase {
        TwoPhase { store: Mutex::new(Store::new(config.clone())), config, sent: AtomicU64::new(0) }
    }

    /// The id that `message` confirms. Tomcat: one as long as its own; the rest is a message like any other.
    pub fn confirmed(message: &Message) -> Option<MessageId> {
        let body = &message.body;
        let id = body.strip_prefix(&BEGIN)?.strip_suffix(&END)?;
        (id.len() == message.id.0.len()).then(|| MessageId(id.into()))
    }

    fn applies(&self, options: i32) -> bool {
        options & self.config.option_flag == self.config.option_flag
    }
}

fn rejection(kind: &'static str) -> Rejection {
    Rejection { interceptor: TwoPhaseConfig::NAME, kind, answer: Ack::Failed }
}

/// What confirms `message`: as it is here, before any layer below does something to either of them.
///
/// Differs from Tomcat: there it takes over what a layer below did to the options of the message, so that over gzip it
/// says to be compressed and is not. Test: over_gzip_the_confirmation_is_read.
fn confirmation(cx: &mut Context<'_>, message: &Draft) -> Draft {
    let mut id = [0; 16];
    (cx.random)(&mut id);
    // Version and variant of a random UUID, as every id has them.
    id[6] = 0x40 | (id[6] & 0x0f);
    id[8] = 0x80 | (id[8] & 0x3f);
    let mut body = BytesMut::with_capacity(48);
    [BEGIN, message.id, END].iter().for_each(|part| body.extend_from_slice(part));
    Draft { id, body: Body::from(body.freeze()), ..*message }
}

impl Interceptor for TwoPhase {
    fn name(&self) -> &'static str {
        TwoPhaseConfig::NAME
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refusal> {
        if !self.applies(parcel.draft.options) {
            return Ok(Flow::Pass);
        }
        self.sent.fetch_add(1, Relaxed);
        let confirmation = confirmation(cx, &parcel.draft);
        below.pass_then(cx, parcel, confirmation)?;
        Ok(Flow::Taken)
    }

    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, above: &mut Above<'_>) -> Result<Flow, Rejection> {
        if !self.applies(arrival.message.options) {
            return Ok(Flow::Pass);
        }
        let message = &arrival.message;
        let message = match TwoPhase::confirmed(message) {
            Some(id) => lock(&self.store).confirmed(cx.now.mono, Key { sender: message.from.id.clone(), id })?,
            None => {
                let room = Room::of(arrival, above);
                lock(&self.store).arrived(cx.now.mono, message, room)?
            }
        };
        let Some(message) = message else { return Ok(Flow::Taken) };
        // Whichever came last stands for both of them: its sender hears what became of the message.
        arrival.message = message;
        Ok(Flow::Pass)
    }

    fn deadline(&self) -> Option<Instant> {
        lock(&self.store).deadline()
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.config.expire)
    }

    fn held_bytes(&self) -> usize {
        lock(&self.store).held_bytes()
    }

    fn overdue(&self, now: Now, _: &mut Vec<MemberId>) {
        lock(&self.store).expire(now.mono);
    }

    fn flush(&self, cx: &mut Context<'_>, sender: &MemberId, why: Flush, _: &mut Above<'_>) {
        if why == Flush::Left {
            lock(&self.store).left(cx.now.mono, sender);
        }
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut counters = vec![("sent", self.sent.load(Relaxed))];
        counters.extend(lock(&self.store).counters());
        counters
    }
}
