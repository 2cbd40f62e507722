//! Large bodies in pieces, so that they do not hog a connection. Tomcat: `FragmentationInterceptor`.
//!
//! A body that is not cut gets a zero byte behind it, always. A piece has its data, its number, the count of pieces
//! and a byte one behind it. All pieces carry the message's id.
//!
//! Invariants: a message is delivered at most once; what incomplete messages hold is bounded in number and bytes, and
//! given up when it is too old or its sender left.

mod config;
mod pieces;
#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub use config::FragmentConfig;

use super::held::{Room, lock};
use super::{Above, Arrival, Below, Body, Context, Draft, Flow, Flush, Interceptor, Parcel, Refusal, Rejection};
use crate::Now;
use crate::wire::{Ack, MemberId};
use pieces::{Piece, Pieces};

/// The byte behind a body that was not cut.
const WHOLE: u8 = 0;
/// The byte behind a piece. Any other but [`WHOLE`] is read as this.
const PIECE: u8 = 1;
/// Number, count, and the last byte.
const TRAILER: usize = 9;

/// The layer.
#[derive(Debug)]
pub struct Fragment {
    config: FragmentConfig,
    pieces: Mutex<Pieces>,
    cut: AtomicU64,
}

impl Fragment {
    /// Nothing is held yet.
    pub fn new(config: FragmentConfig) -> Fragment {
        // The configuration can also be made without `set`.
        let config = FragmentConfig { max_size: config.max_size.max(1), ..config };
        Fragment { pieces: Mutex::new(Pieces::new(config.clone())), config, cut: AtomicU64::new(0) }
    }

    fn cuts(&self, draft: &Draft) -> bool {
        let flag = self.config.option_flag;
        draft.body.len() > self.config.max_size && draft.options & flag == flag
    }

    fn refusal(&self, length: usize) -> Refusal {
        let FragmentConfig { max_size, pieces_max, .. } = self.config;
        let reason = format!(
            "{length} bytes in pieces of {max_size} are more than {pieces_max} pieces; send less at a time, or raise \
             maxSize on every node"
        );
        Refusal { interceptor: self.name(), reason }
    }
}

fn rejection(kind: &'static str) -> Rejection {
    // Tomcat: each of them is an exception, which a sender that asked for the outcome hears of.
    Rejection { interceptor: FragmentConfig::NAME, kind, answer: Ack::Failed }
}

impl Interceptor for Fragment {
    fn name(&self) -> &'static str {
        FragmentConfig::NAME
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refusal> {
        if !self.cuts(&parcel.draft) {
            parcel.draft.body.append(&[WHOLE]);
            return Ok(Flow::Pass);
        }
        let body = std::mem::take(&mut parcel.draft.body).into_bytes();
        let count = body.len().div_ceil(self.config.max_size);
        if count > self.config.pieces_max {
            return Err(self.refusal(body.len()));
        }
        let count = u32::try_from(count).map_err(|_| self.refusal(body.len()))?;
        self.cut.fetch_add(1, Relaxed);
        let mut rest = body;
        for number in 0..count {
            let mut piece = Body::from(rest.split_to(rest.len().min(self.config.max_size)));
            let mut trailer = [PIECE; TRAILER];
            trailer[..4].copy_from_slice(&number.to_be_bytes());
            trailer[4..8].copy_from_slice(&count.to_be_bytes());
            piece.append(&trailer);
            let draft = Draft { body: piece, ..parcel.draft.clone() };
            below.pass(cx, &mut Parcel { draft, targets: parcel.targets })?;
        }
        Ok(Flow::Taken)
    }

    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, above: &mut Above<'_>) -> Result<Flow, Rejection> {
        let body = &arrival.message.body;
        match body.last() {
            None => return Err(rejection("no_flag")),
            Some(&WHOLE) => {
                let length = body.len() - 1;
                arrival.message.body.truncate(length);
                return Ok(Flow::Pass);
            }
            Some(_) => {}
        }
        let piece = Piece::of(&arrival.message)?;
        let room = Room::of(arrival, above);
        let complete = lock(&self.pieces).arrived(cx.now.mono, &arrival.message, piece, room)?;
        let Some(complete) = complete else { return Ok(Flow::Taken) };
        // The last piece stands for all of them.
        arrival.message = complete.join();
        Ok(Flow::Pass)
    }

    fn deadline(&self) -> Option<Instant> {
        lock(&self.pieces).deadline()
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.config.expire)
    }

    fn held_bytes(&self) -> usize {
        lock(&self.pieces).held_bytes()
    }

    fn overdue(&self, now: Now, _: &mut Vec<MemberId>) {
        lock(&self.pieces).expire(now.mono);
    }

    fn flush(&self, cx: &mut Context<'_>, sender: &MemberId, why: Flush, _: &mut Above<'_>) {
        if why == Flush::Left {
            lock(&self.pieces).left(cx.now.mono, sender);
        }
    }

    fn shares_ids(&self) -> bool {
        true
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut counters = vec![("cut", self.cut.load(Relaxed))];
        counters.extend(lock(&self.pieces).counters());
        counters
    }
}
