//! When the members are sent a ping: a message that means nothing, so that a broken connection shows.
//!
//! Tomcat: `TcpPingInterceptor` without a `TcpFailureDetector` below it.

use std::time::{Duration, Instant};

use super::PingConfig;

#[derive(Debug)]
pub(super) struct Pinger {
    interval: Duration,
    pub(super) static_only: bool,
    next: Instant,
}

impl Pinger {
    pub(super) fn new(config: &PingConfig, now: Instant) -> Self {
        let interval = config.interval.max(Duration::from_millis(1));
        Pinger { interval, static_only: config.static_only, next: now + interval }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.next
    }

    /// A ping is due: the caller sends it. One that was missed is not made up for.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let due = self.next <= now;
        if due {
            self.next = now + self.interval;
        }
        due
    }
}
