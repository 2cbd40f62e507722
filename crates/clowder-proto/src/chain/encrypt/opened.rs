//! Memory for messages that are opened.
//!
//! They are pieces of one buffer, as received messages are pieces of the buffer that they were read into: an allocation
//! for each would take half as long as the cipher.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Taken at once.
const BUFFER_BYTES: usize = 64 << 10;
/// What is longer has a buffer of its own.
const PIECE_BYTES_MAX: usize = 8 << 10;
/// Buffers that are kept to be used again when all their messages are gone. New memory for each costs more than the copy:
/// the system has to find it, and it is in no cache.
const KEPT_MAX: usize = 3;

/// The buffer that is in use, and those that were before it, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    current: BytesMut,
    full: VecDeque<BytesMut>,
}

impl Buffer {
    /// A copy to work in.
    pub(super) fn copy(&mut self, message: &Bytes) -> BytesMut {
        if message.len() > PIECE_BYTES_MAX {
            return BytesMut::from(&message[..]);
        }
        if self.current.capacity() < message.len() {
            let next = self.next();
            self.full.push_back(std::mem::replace(&mut self.current, next));
        }
        self.current.extend_from_slice(message);
        self.current.split()
    }

    fn next(&mut self) -> BytesMut {
        let free = self.full.iter_mut().position(|buffer| buffer.try_reclaim(BUFFER_BYTES));
        if let Some(buffer) = free.and_then(|at| self.full.remove(at)) {
            return buffer;
        }
        if self.full.len() >= KEPT_MAX {
            self.full.pop_front();
        }
        BytesMut::with_capacity(BUFFER_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn small_copies_share_a_buffer_and_large_ones_do_not() {
        let mut buffer = Buffer::default();
        let message = |byte: u8, length| Bytes::from(vec![byte; length]);
        let small: Vec<BytesMut> = (0..200).map(|byte| buffer.copy(&message(byte, 1000))).collect();
        let follows = |pair: &[BytesMut]| pair[0].as_ptr_range().end == pair[1].as_ptr();
        assert_eq!(small.windows(2).filter(|pair| !follows(pair)).count(), 200 / 65);
        for (byte, copy) in (0..).zip(small) {
            assert_eq!(copy, message(byte, 1000));
        }
        let large = buffer.copy(&message(1, PIECE_BYTES_MAX + 1));
        assert_eq!(large, message(1, PIECE_BYTES_MAX + 1));
        assert!(buffer.current.capacity() > 0, "it is still in use");
    }

    #[test]
    fn a_buffer_is_used_again_when_its_messages_are_gone_and_never_before() {
        let mut buffer = Buffer::default();
        let message = Bytes::from(vec![7; 1000]);
        let mut kept: Vec<BytesMut> = Vec::new();
        let mut places = HashSet::new();
        for number in 0..10_000 {
            let copy = buffer.copy(&message);
            assert!(kept.iter().all(|other| other.as_ptr() != copy.as_ptr()), "{number}");
            places.insert(copy.as_ptr() as usize / BUFFER_BYTES);
            // Some stay for long; the others go soon.
            if number % 1_000 == 0 {
                kept.push(copy);
            }
            assert!(buffer.full.len() <= KEPT_MAX);
        }
        // Each piece that is kept costs a buffer. One can lie across two of these places.
        assert!(places.len() <= 2 * (kept.len() + KEPT_MAX + 1), "{}", places.len());
        assert!(kept.iter().all(|copy| *copy == message));
    }
}
