//! What the number of a message means.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::{Numbers, number_at, slot};
use crate::wire::MessageId;

/// How long after a number was given up its message counts as late; a later one is of another count.
const LATE_MAX: Duration = Duration::from_secs(30);
/// For a while, numbers that are nearer than this to where a former count ended belong to it, if the present one is far
/// from there.
pub(super) const NEAR: u32 = 64;
/// How long what was under way when a new count began can take.
const STALE_MAX: Duration = Duration::from_secs(3);
/// No count lets so many messages wait.
const FAR: i32 = 1 << 24;

/// Enough of a message's id to tell two messages apart. Zero, as of no id: equal to nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(pub(super) u64);

impl Mark {
    pub(super) fn of(id: &MessageId) -> Mark {
        Mark(id.0.chunks(8).fold(0u64, |mark, chunk| {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            mark.rotate_left(29) ^ u64::from_le_bytes(bytes)
        }))
    }

    pub(super) fn is(self, other: Mark) -> bool {
        self.0 == other.0 && self.0 != 0
    }
}

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is the one expected.
    Next,
    /// It waits, at this place.
    Ahead(i64),
    /// It was given up, and comes all the same.
    Late(i64),
    /// It waits.
    Waits,
    /// It was delivered.
    Copy,
    /// Of a new count, whose next message has this number: 1, or what follows those that came as late ones.
    Restart(i64),
    /// The rest of a former count.
    Stale,
    /// Of a new count, most likely, whose first message is still to come.
    Anew,
}

impl Numbers {
    pub(super) fn judge(&self, now: Instant, number: i32, mark: Mark) -> Kind {
        let ahead = number.wrapping_sub(number_at(self.expected));
        let place = self.expected + i64::from(ahead);
        if ahead == 0 {
            return Kind::Next;
        }
        if self.anew.get(&number).is_some_and(|waiting| waiting.mark.is(mark)) {
            return Kind::Waits;
        }
        if ahead > 0 {
            self.judge_ahead(now, number, place, ahead, mark)
        } else {
            self.judge_behind(now, number, place, mark)
        }
    }

    fn judge_ahead(&self, now: Instant, number: i32, place: i64, ahead: i32, mark: Mark) -> Kind {
        if number == 1 && ahead > FAR {
            return Kind::Restart(1);
        }
        let former = self.former.is_some_and(|(end, since)| {
            number.wrapping_sub(end).unsigned_abs() < NEAR && now.saturating_duration_since(since) < STALE_MAX
        });
        if former && ahead.unsigned_abs() > NEAR {
            return Kind::Stale;
        }
        match self.waiting.get(&place) {
            None => Kind::Ahead(place),
            Some(waiting) if waiting.mark.is(mark) => Kind::Waits,
            Some(_) => Kind::Anew,
        }
    }

    fn judge_behind(&self, now: Instant, number: i32, place: i64, mark: Mark) -> Kind {
        let (recent, known) = self.recent[slot(place)];
        if recent == place && known.is(mark) || number == 1 && self.first.is(mark) {
            return Kind::Copy;
        }
        let begins = number == 1 && self.left;
        let late = |(places, since): &(Range<i64>, Instant)| {
            places.contains(&place) && now.saturating_duration_since(*since) < LATE_MAX
        };
        if !begins && self.skipped.iter().any(late) {
            return Kind::Late(place);
        }
        if number == 1 {
            return Kind::Restart(1);
        }
        if self.late_first > 0 { Kind::Restart(i64::from(self.late_first) + 1) } else { Kind::Anew }
    }
}
