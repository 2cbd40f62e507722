//! The time, as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The two clocks that the machines are told: one that never jumps, one that the wire shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For every decision about durations.
    pub mono: Instant,
    /// For time stamps that travel; never compared with a clock of another machine.
    pub wall: SystemTime,
}

impl Now {
    /// Milliseconds since 1970, the unit of every time stamp on the wire.
    pub fn wall_ms(&self) -> i64 {
        match self.wall.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        }
    }

    /// The same moment, later by `by` on both clocks.
    pub fn later(&self, by: Duration) -> Now {
        Now { mono: self.mono + by, wall: self.wall + by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_in_milliseconds_on_both_sides_of_1970() {
        let at = |wall| Now { mono: Instant::now(), wall };
        assert_eq!(at(UNIX_EPOCH + Duration::from_millis(1_700_000_000_000)).wall_ms(), 1_700_000_000_000);
        assert_eq!(at(UNIX_EPOCH - Duration::from_millis(5)).wall_ms(), -5);
    }

    #[test]
    fn later_moves_both_clocks() {
        let now = Now { mono: Instant::now(), wall: UNIX_EPOCH };
        let then = now.later(Duration::from_secs(2));
        assert_eq!((then.mono - now.mono, then.wall_ms()), (Duration::from_secs(2), 2000));
    }
}
