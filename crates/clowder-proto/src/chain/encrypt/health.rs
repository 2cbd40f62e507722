//! What an operator should hear of: clocks that differ, a window that is too small, a key in use for too long.

use std::time::{Duration, Instant};

use super::replay::Refused;

/// Pause between two lines.
const PAUSE: Duration = Duration::from_secs(60);
/// Messages encrypted with one key. From here on the chance that two random nonces of all are equal is no longer
/// negligible (NIST SP 800-38D, 8.3); all members together count.
const MESSAGES_OF_A_KEY_MAX: u64 = 1 << 32;

/// What has happened since the last line.
#[derive(Debug, Default)]
pub(super) struct Health {
    last: Option<Instant>,
    late: u64,
    late_ms_max: u64,
    early: u64,
    early_ms_max: u64,
    forgotten: u64,
    told_key: bool,
}

impl Health {
    /// An authentic message was refused; the clock and its time stamp are `now` and `time`.
    pub(super) fn refused(&mut self, refused: Refused, now: i64, time: i64) {
        match refused {
            Refused::TooLate => {
                self.late += 1;
                self.late_ms_max = self.late_ms_max.max(now.abs_diff(time));
            }
            Refused::TooEarly => {
                self.early += 1;
                self.early_ms_max = self.early_ms_max.max(now.abs_diff(time));
            }
            Refused::Forgotten => self.forgotten += 1,
            // Somebody sends messages again, which is what the window is for; the counters tell.
            Refused::Replayed => {}
        }
    }

    /// Another key is used to send.
    pub(super) fn key_changed(&mut self) {
        self.told_key = false;
    }

    /// The next line, if there is something to tell. `sealed`: messages encrypted with the present key.
    pub(super) fn report(&mut self, now: Instant, sealed: u64) -> Option<String> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return None;
        }
        let mut parts = Vec::new();
        if self.late > 0 {
            let (count, by) = (self.late, self.late_ms_max);
            parts.push(format!(
                "dropped {count} messages that are up to {by} ms old: they waited too long, or their senders' clocks \
                 are behind"
            ));
        }
        if self.early > 0 {
            let (count, by) = (self.early, self.early_ms_max);
            parts.push(format!("dropped {count} messages that are up to {by} ms ahead of this clock"));
        }
        if self.forgotten > 0 {
            parts.push(format!(
                "dropped {} messages no later than what the replay window has forgotten: raise \
                 replayWindowMessageCount, unless this clock was set back",
                self.forgotten
            ));
        }
        if sealed >= MESSAGES_OF_A_KEY_MAX && !self.told_key {
            self.told_key = true;
            parts.push(format!("{sealed} messages were encrypted with one key: it is time for another one"));
        }
        if parts.is_empty() {
            return None;
        }
        *self = Health { last: Some(now), told_key: self.told_key, ..Health::default() };
        Some(parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_use_for_too_long_is_told_once_and_the_next_one_again() {
        let start = Instant::now();
        let mut health = Health::default();
        let mut told = |minutes, sealed| health.report(start + PAUSE * minutes, sealed).is_some();
        assert!(!told(0, MESSAGES_OF_A_KEY_MAX - 1));
        assert!(told(1, MESSAGES_OF_A_KEY_MAX));
        assert!(!told(2, MESSAGES_OF_A_KEY_MAX + 1));
        health.key_changed();
        assert_eq!(health.report(start + PAUSE * 3, 1), None);
        assert!(health.report(start + PAUSE * 4, MESSAGES_OF_A_KEY_MAX).is_some());
    }
}
