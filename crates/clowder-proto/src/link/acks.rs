//! Reads the acknowledgements that a peer writes. Nothing else may come on a connection that this node made.

use crate::wire::{Ack, WireError, WireErrorKind};

const LENGTH: usize = 21;

/// Cuts a stream into acknowledgements; holds at most the beginning of one.
#[derive(Debug, Default)]
pub struct AckReader {
    partial: [u8; LENGTH],
    length: usize,
    consumed: usize,
}

impl AckReader {
    /// At the beginning of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes came: append the acknowledgements that they complete to `acks`.
    ///
    /// # Errors
    /// They are no acknowledgements. Those in front of the first wrong byte are in `acks`; close the connection.
    pub fn received(&mut self, mut bytes: &[u8], acks: &mut Vec<Ack>) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let taken = bytes.len().min(LENGTH - self.length);
            let (front, rest) = bytes.split_at(taken);
            self.partial[self.length..self.length + taken].copy_from_slice(front);
            self.length += taken;
            bytes = rest;
            let so_far = &self.partial[..self.length];
            let Some(ack) = [Ack::Ok, Ack::Failed].into_iter().find(|ack| ack.frame().starts_with(so_far)) else {
                return Err(WireErrorKind::UnknownContent.at(self.consumed));
            };
            if self.length == LENGTH {
                acks.push(ack);
                self.consumed += LENGTH;
                self.length = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> (Vec<Ack>, Option<usize>) {
        let (mut reader, mut acks) = (AckReader::new(), Vec::new());
        let error = chunks.iter().find_map(|chunk| reader.received(chunk, &mut acks).err());
        (acks, error.map(|error| error.at))
    }

    #[test]
    fn any_split_of_the_stream_gives_the_same() {
        let stream = [Ack::Ok.frame(), Ack::Failed.frame(), Ack::Ok.frame()].concat();
        let expected = (vec![Ack::Ok, Ack::Failed, Ack::Ok], None);
        for size in 1..=stream.len() {
            assert_eq!(read(&stream.chunks(size).collect::<Vec<_>>()), expected, "chunks of {size}");
        }
    }

    #[test]
    fn the_first_wrong_byte_is_an_error_and_what_was_before_it_counts() {
        let good = Ack::Ok.frame();
        assert_eq!(read(&[good, b"FLT2003"]), (vec![Ack::Ok], Some(21)));
        assert_eq!(read(&[b"X"]), (vec![], Some(0)));
        let mut unknown = good.to_vec();
        unknown[12] = 9;
        assert_eq!(read(&[good, good, &unknown]), (vec![Ack::Ok, Ack::Ok], Some(42)));
        assert_eq!(read(&[b"FLT2002\0\0\0\0TLF2003"]), (vec![], Some(0)), "a frame of another length");
    }
}
