//! Random bytes that nobody can predict, many of them: the system is asked once for a few thousand.

use std::cell::RefCell;

const POOL: usize = 4096;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

/// Fill `out`. Bytes that were given out are not kept.
fn fill(out: &mut [u8]) {
    RANDOM.with_borrow_mut(|pool| {
        for byte in out {
            if pool.used == POOL {
                // Without it nothing secret can be sent: the process cannot go on, and has no reason to expect this
                // after the channel's start drew from the same source.
                getrandom::fill(&mut pool.bytes).expect("the system's random source worked at the start");
                pool.used = 0;
            }
            *byte = std::mem::take(&mut pool.bytes[pool.used]);
            pool.used += 1;
        }
    });
}

/// Give `work` a source of random bytes.
pub(crate) fn with<T>(work: impl FnOnce(&mut dyn FnMut(&mut [u8])) -> T) -> T {
    work(&mut fill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_come_twice() {
        let mut seen = std::collections::HashSet::new();
        with(|random| {
            for _ in 0..2 * POOL / 12 {
                let mut nonce = [0; 12];
                random(&mut nonce);
                assert!(seen.insert(nonce));
            }
        });
    }
}
