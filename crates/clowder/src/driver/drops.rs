//! What was refused from the network: counted always, logged once per source, cause and minute.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use clowder_proto::group::DropCause;

/// Sources that are remembered at a time; those beyond are counted and not logged.
const SOURCES_MAX: usize = 1024;
const PAUSE: Duration = Duration::from_secs(60);

/// When each source was last complained about.
#[derive(Debug, Default)]
pub(crate) struct DropLog {
    logged: HashMap<(IpAddr, &'static str), Instant>,
}

impl DropLog {
    pub(crate) fn dropped(&mut self, now: Instant, from: SocketAddr, cause: &DropCause) {
        metrics::counter!("clowder_membership_dropped_total", "cause" => cause.label()).increment(1);
        if self.may_log(now, from.ip(), cause.label()) {
            tracing::warn!(%from, ?cause, "dropped a message of the membership; further ones are counted for a minute");
        }
    }

    fn may_log(&mut self, now: Instant, from: IpAddr, label: &'static str) -> bool {
        let key = (from, label);
        if self.logged.get(&key).is_some_and(|last| now.saturating_duration_since(*last) < PAUSE) {
            return false;
        }
        if self.logged.len() >= SOURCES_MAX {
            self.logged.retain(|_, last| now.saturating_duration_since(*last) < PAUSE);
        }
        if self.logged.len() >= SOURCES_MAX {
            return false;
        }
        self.logged.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_per_source_cause_and_minute() {
        let mut log = DropLog::default();
        let (start, a, b) = (Instant::now(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(log.may_log(start, a, "malformed"));
        assert!(!log.may_log(start + Duration::from_secs(59), a, "malformed"));
        assert!(log.may_log(start, a, "stale") && log.may_log(start, b, "malformed"));
        assert!(log.may_log(start + Duration::from_secs(61), a, "malformed"));
    }

    #[test]
    fn many_sources_do_not_grow_it_without_bound() {
        let mut log = DropLog::default();
        let start = Instant::now();
        for source in 0..5000_u32 {
            log.may_log(start, IpAddr::from(source.to_be_bytes()), "malformed");
        }
        assert_eq!(log.logged.len(), SOURCES_MAX);
        assert!(log.may_log(start + PAUSE, IpAddr::from([1, 2, 3, 4]), "malformed"), "old ones make room");
        assert_eq!(log.logged.len(), 1);
    }
}
