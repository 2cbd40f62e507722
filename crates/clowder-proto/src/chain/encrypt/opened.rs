//! Memory for messages that are opened.
//!
//! They are pieces of one buffer, as received messages are pieces of the buffer that they were read into: an allocation
//! for each would take half as long as the cipher.

use bytes::{Bytes, BytesMut};

/// Taken at once.
const BUFFER_BYTES: usize = 64 << 10;
/// What is longer has a buffer of its own.
const PIECE_BYTES_MAX: usize = 8 << 10;

/// The buffer that is in use.
#[derive(Debug, Default)]
pub(super) struct Buffer(BytesMut);

impl Buffer {
    /// A copy to work in.
    pub(super) fn copy(&mut self, message: &Bytes) -> BytesMut {
        if message.len() > PIECE_BYTES_MAX {
            return BytesMut::from(&message[..]);
        }
        if self.0.capacity() < message.len() {
            self.0 = BytesMut::with_capacity(BUFFER_BYTES);
        }
        self.0.extend_from_slice(message);
        self.0.split()
    }
}

#[cfg(test)]
mod tests {
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
        assert!(buffer.0.capacity() > 0, "it is still in use");
    }
}
