//! Time that processes spent on processors, which other load of the machine changes less than it changes throughput.

use std::fs;
use std::time::Duration;

/// Of all threads of these processes that live, together. `None`: this system does not tell.
///
/// Source: `/proc/PID/task/TID/schedstat`, whose first number is nanoseconds.
pub(super) fn used(pids: &[u32]) -> Option<Duration> {
    pids.iter().map(|pid| of_process(*pid)).sum()
}

fn of_process(pid: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    threads.map(|thread| parsed(&fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?)).sum()
}

fn parsed(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_the_time() {
        assert_eq!(parsed("1500000 20 3\n"), Some(Duration::from_micros(1500)));
        assert_eq!((parsed(""), parsed("x 1 2")), (None, None));
    }

    #[test]
    fn a_process_that_is_not_there_has_no_time() {
        assert_eq!(used(&[u32::MAX]), None);
    }
}
