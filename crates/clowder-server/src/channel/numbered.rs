//! Bodies that tell whether a message was lost, repeated, overtaken or damaged: what `channel send --size` sends and
//! `channel listen` checks.
//!
//! | offset | size | content, numbers big endian |
//! |---|---|---|
//! | 0 | 4 | `CWN1` |
//! | 4 | 4 | CRC-32 (IEEE) of all bytes behind it |
//! | 8 | 4 | the first four bytes of the sender's unique id |
//! | 12 | 4 | lane: messages that one sender sends one after the other; random |
//! | 16 | 4 | number in the lane, from 0 |
//! | 20 | | filler: even numbers have bytes that compress, odd ones bytes that do not |
//!
//! A body too short for that is filler alone, and not recognised.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

const MAGIC: &[u8; 4] = b"CWN1";
const SUMMED: usize = 8;
const HEADER: usize = 20;

/// Lanes that are followed; those beyond are not checked for gaps.
const LANES_MAX: usize = 4_096;
/// Missing numbers remembered of all lanes together; those beyond count as lost, even if they still come.
const MISSING_MAX: usize = 65_536;

/// Whether a body of this size has room for a number. One without must not use one up: it would be missed.
pub(super) fn has_number(size: usize) -> bool {
    size >= HEADER
}

/// A numbered body.
pub(super) fn make(unique_id: &[u8; 16], lane: u32, number: u32, size: usize) -> Bytes {
    // A period beyond the window of deflate, so that the bytes of odd numbers do not compress.
    let mut filler = [0; 1 << 16];
    if number.is_multiple_of(2) {
        let first = number.to_be_bytes()[3];
        filler.iter_mut().zip((0..=255_u8).cycle()).for_each(|(byte, offset)| *byte = first.wrapping_add(offset));
    } else {
        fastrand::Rng::with_seed(u64::from(lane) << 32 | u64::from(number)).fill(&mut filler);
    }
    let mut body = filler.repeat(size.div_ceil(filler.len()));
    body.truncate(size);
    if has_number(size) {
        body[..4].copy_from_slice(MAGIC);
        body[8..12].copy_from_slice(&unique_id[..4]);
        body[12..16].copy_from_slice(&lane.to_be_bytes());
        body[16..20].copy_from_slice(&number.to_be_bytes());
        let sum = crc32(&body[SUMMED..]);
        body[4..8].copy_from_slice(&sum.to_be_bytes());
    }
    body.into()
}

/// What a numbered body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    /// The first bytes of its sender's unique id.
    pub(super) sender: u32,
    pub(super) lane: u32,
    pub(super) number: u32,
    /// Its checksum holds.
    pub(super) intact: bool,
}

impl Numbered {
    /// `None`: it is not numbered.
    pub(super) fn read(body: &[u8]) -> Option<Numbered> {
        let field = |at: usize| Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?));
        if body.len() < HEADER || !body.starts_with(MAGIC) {
            return None;
        }
        let intact = field(4)? == crc32(&body[SUMMED..]);
        Some(Numbered { sender: field(8)?, lane: field(12)?, number: field(16)?, intact })
    }
}

/// What the numbers say about many messages.
#[derive(Debug, Default)]
pub(super) struct Account {
    lanes: HashMap<(u32, u32), Lane>,
    missing: usize,
    /// Numbers skipped and no longer remembered.
    forgotten: u64,
    /// Bodies whose checksum does not hold.
    pub(super) damaged: u64,
    /// Messages that had come before.
    pub(super) repeated: u64,
    /// Messages that came behind one with a greater number.
    pub(super) overtaken: u64,
}

#[derive(Debug, Default)]
struct Lane {
    /// The smallest number above all that came.
    next: u32,
    missing: BTreeSet<u32>,
}

impl Account {
    /// A message came.
    pub(super) fn add(&mut self, message: Numbered) {
        if !message.intact {
            self.damaged += 1;
            return; // its number may be the damage
        }
        let key = (message.sender, message.lane);
        if self.lanes.len() >= LANES_MAX && !self.lanes.contains_key(&key) {
            return;
        }
        let lane = self.lanes.entry(key).or_default();
        let number = message.number;
        if number >= lane.next {
            for skipped in lane.next..number {
                if self.missing < MISSING_MAX {
                    self.missing += usize::from(lane.missing.insert(skipped));
                } else {
                    self.forgotten += u64::from(number - skipped);
                    break;
                }
            }
            lane.next = number.saturating_add(1);
        } else if lane.missing.remove(&number) {
            self.missing -= 1;
            self.overtaken += 1;
        } else {
            self.repeated += 1;
        }
    }

    /// Messages that did not come, though a later one of their lane did.
    pub(super) fn lost(&self) -> u64 {
        self.missing as u64 + self.forgotten
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    static TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut remainder = index as u32;
            let mut bit = 0;
            while bit < 8 {
                remainder = (remainder >> 1) ^ (0xedb8_8320 * (remainder & 1));
                bit += 1;
            }
            table[index] = remainder;
            index += 1;
        }
        table
    };
    let mut sum = !0_u32;
    for byte in bytes {
        sum = (sum >> 8) ^ TABLE[(sum as u8 ^ byte) as usize];
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_is_made_is_recognised_and_damage_is_seen() {
        for size in [HEADER, HEADER + 1, 1000] {
            for number in [6, 7] {
                let body = make(&[0xab; 16], 5, number, size);
                let expected = Numbered { sender: 0xabab_abab, lane: 5, number, intact: true };
                assert_eq!((body.len(), Numbered::read(&body)), (size, Some(expected)));
                for at in [4, 9, 19, size - 1] {
                    let mut damaged = body.to_vec();
                    damaged[at] ^= 1;
                    assert!(!Numbered::read(&damaged).unwrap().intact, "byte {at} of {size}");
                }
            }
        }
        for size in [0, 1, HEADER - 1] {
            let body = make(&[0; 16], 1, 0, size);
            assert_eq!((body.len(), Numbered::read(&body)), (size, None));
        }
        assert_eq!(Numbered::read(&[b'x'; 100]), None);
    }

    fn account(numbers: impl IntoIterator<Item = u32>) -> Account {
        let mut account = Account::default();
        for number in numbers {
            account.add(Numbered { sender: 1, lane: 2, number, intact: true });
        }
        account
    }

    fn counts(account: &Account) -> [u64; 4] {
        [account.lost(), account.overtaken, account.repeated, account.damaged]
    }

    #[test]
    fn gaps_late_ones_and_repeated_ones_are_told_apart() {
        assert_eq!(counts(&account([0, 1, 2])), [0, 0, 0, 0]);
        assert_eq!(counts(&account([1, 0, 2])), [0, 1, 0, 0]);
        assert_eq!(counts(&account([0, 3])), [2, 0, 0, 0]);
        assert_eq!(counts(&account([0, 1, 1, 0])), [0, 0, 2, 0]);
        assert_eq!(counts(&account([2, 0, 0])), [1, 1, 1, 0]);
        let mut account = account([0]);
        account.add(Numbered { sender: 1, lane: 2, number: 70_000, intact: false });
        account.add(Numbered { sender: 1, lane: 3, number: 0, intact: true });
        assert_eq!(counts(&account), [0, 0, 0, 1]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_lost_is_not() {
        let account = account([u32::MAX]);
        assert_eq!(account.lost(), u64::from(u32::MAX));
        assert!(account.missing <= MISSING_MAX);
        let mut account = Account::default();
        for lane in 0..5_000 {
            account.add(Numbered { sender: 1, lane, number: 1, intact: true });
        }
        assert!(account.lanes.len() <= LANES_MAX);
    }
}
