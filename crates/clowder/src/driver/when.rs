//! When a frame that was queued is best written: by whoever queued it, or with others in one system call.

use std::time::{Duration, Instant};

/// A message that nobody acknowledges is done when it is written, so that one caller after the other finds nothing else
/// under way. If one was written so short a time ago, more are likely to come.
const BURST: Duration = Duration::from_micros(50);

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// At once.
    Now,
    /// By the connection's task, with what gathers until it runs.
    Soon,
    /// At once, unless this is in the middle of a burst: then by the connection's task behind all callers that are ready
    /// now. Holds the time.
    NowUnlessBurst(Instant),
}

impl When {
    /// `is_alone`: nothing else is under way.
    pub(super) fn of(acked: bool, is_alone: bool, now: Instant) -> When {
        match (acked, is_alone) {
            (false, true) => When::NowUnlessBurst(now),
            (true, true) => When::Now,
            (_, false) => When::Soon,
        }
    }

    /// `written`: when something was written before, if it was.
    pub(super) fn is_now(self, written: Option<Instant>) -> bool {
        match self {
            When::Now => true,
            When::Soon => false,
            When::NowUnlessBurst(now) => written.is_none_or(|written| now.saturating_duration_since(written) >= BURST),
        }
    }

    /// The connection's task lets callers that are ready go first.
    pub(super) fn gathers(self) -> bool {
        matches!(self, When::NowUnlessBurst(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_nobody_acknowledges_leave_together_in_a_burst_and_at_once_before_it() {
        let start = Instant::now();
        let when = When::of(false, true, start + BURST);
        assert!(when.is_now(None) && when.is_now(Some(start)));
        assert!(!when.is_now(Some(start + Duration::from_nanos(1))));
        assert!(when.gathers());
    }

    #[test]
    fn others_leave_at_once_if_nothing_is_under_way() {
        let now = Instant::now();
        assert!(When::of(true, true, now).is_now(Some(now)));
        for acked in [true, false] {
            let when = When::of(acked, false, now);
            assert!(!when.is_now(None) && !when.gathers());
        }
    }
}
