//! The bytes in front of an encrypted message, which make equal messages look different.
//!
//! With AES-GCM no two messages of one key may have the same, or both can be read and others forged; whether somebody
//! can guess the next one does not matter. They are counted from a random start, and from another one after a while:
//! that two nodes, or two lives of one, hit upon the same is less likely than with random ones, by a factor of half a
//! run, and they cost next to nothing. The other modes need bytes that nobody can guess.
//!
//! Differs from Tomcat: all are random there.
//! Test: with_gcm_they_are_counted_from_a_random_start_and_soon_from_another.

use std::sync::{Mutex, PoisonError};

use super::Algorithm;
use super::algorithm::{GCM_IV_LEN, IV_LEN_MAX};
use crate::chain::Context;

/// IVs that are counted from one start: as few as a copy of a running machine may repeat.
const RUN: u32 = 256;

/// Makes the IVs of one node.
#[derive(Debug, Default)]
pub(super) struct Ivs(Mutex<Run>);

#[derive(Debug, Default)]
struct Run {
    next: u128,
    left: u32,
}

/// An IV.
pub(super) struct Iv {
    bytes: [u8; IV_LEN_MAX],
    length: usize,
}

impl AsRef<[u8]> for Iv {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Ivs {
    /// One that no message has had.
    pub(super) fn next(&self, cx: &mut Context<'_>, algorithm: Algorithm) -> Iv {
        let mut iv = Iv { bytes: [0; IV_LEN_MAX], length: algorithm.iv_len() };
        if algorithm.is_authenticated() {
            iv.bytes[..GCM_IV_LEN].copy_from_slice(&self.counted(cx));
        } else {
            (cx.random)(&mut iv.bytes[..iv.length]);
        }
        iv
    }

    fn counted(&self, cx: &mut Context<'_>) -> [u8; GCM_IV_LEN] {
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if run.left == 0 {
            let mut start = [0; 16];
            (cx.random)(&mut start[..GCM_IV_LEN]);
            *run = Run { next: u128::from_le_bytes(start), left: RUN };
        }
        let iv = run.next.to_le_bytes();
        *run = Run { next: run.next.wrapping_add(1), left: run.left - 1 };
        std::array::from_fn(|at| iv[at])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::chain::tests::vectors::at;

    #[test]
    fn with_gcm_they_are_counted_from_a_random_start_and_soon_from_another() {
        let ivs = Ivs::default();
        let mut starts = 0_u8;
        let mut random = |out: &mut [u8]| {
            starts += 1;
            out.fill(starts);
            // The first one counts over the end.
            out[0] = 0xfe;
        };
        let mut cx = Context { now: at(0), random: &mut random };
        let made: Vec<_> = (0..RUN + 1).map(|_| ivs.next(&mut cx, Algorithm::AesGcm).as_ref().to_vec()).collect();
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        let start = |byte| [[0xfe].as_slice(), &[byte; 11]].concat();
        assert_eq!((&made[0], &made[RUN as usize]), (&start(1), &start(2)));
        assert_eq!(made[2], [[0, 2].as_slice(), &[1; 10]].concat());
        assert_eq!(starts, 2);
    }

    #[test]
    fn in_the_other_modes_each_is_random() {
        let ivs = Ivs::default();
        let mut asked = Vec::new();
        let mut random = |out: &mut [u8]| asked.push(out.len());
        let mut cx = Context { now: at(0), random: &mut random };
        for algorithm in [Algorithm::AesCbc, Algorithm::AesCbc, Algorithm::DesEdeCbc, Algorithm::AesOfb] {
            ivs.next(&mut cx, algorithm);
        }
        assert_eq!(asked, [16, 16, 8, 16]);
    }
}
