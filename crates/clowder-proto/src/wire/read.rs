//! A cursor over bytes that knows its offset.

use bytes::Bytes;

use super::{ShortBytes, WireError, WireErrorKind};

/// Reads fields off the front of `bytes`; an error names the field and the offset in the decoder's input.
pub(crate) struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a Bytes) -> Self {
        Reader { bytes, at: 0, end: bytes.len() }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.end - self.at
    }

    /// Nothing behind `end` (an offset in the input) may be read any more.
    pub(crate) fn limit_to(&mut self, end: usize) {
        debug_assert!(end <= self.end && end >= self.at);
        self.end = end;
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let field =
            self.bytes[self.at..self.end].first_chunk::<N>().ok_or(WireErrorKind::Truncated(what).at(self.at))?;
        self.at += N;
        Ok(*field)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(crate) fn i32(&mut self, what: &'static str) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn id(&mut self, what: &'static str) -> Result<[u8; 16], WireError> {
        self.array(what)
    }

    /// A four byte length that must be backed by that many bytes and stay within `limit`.
    pub(crate) fn length(&mut self, what: &'static str, limit: usize) -> Result<usize, WireError> {
        let at = self.at;
        let length = self.i32(what)?;
        let Ok(length) = usize::try_from(length) else {
            return Err(WireErrorKind::NegativeLength { what, length }.at(at));
        };
        if length > self.left() {
            return Err(WireErrorKind::TooLong { what, length, left: self.left() }.at(at));
        }
        if length > limit {
            return Err(WireErrorKind::OverLimit { what, length, limit }.at(at));
        }
        Ok(length)
    }

    /// `length` bytes as a slice of the input, not a copy.
    pub(crate) fn take(&mut self, length: usize, what: &'static str) -> Result<Bytes, WireError> {
        if length > self.left() {
            return Err(WireErrorKind::Truncated(what).at(self.at));
        }
        let taken = self.bytes.slice(self.at..self.at + length);
        self.at += length;
        Ok(taken)
    }

    /// As [`Reader::take`], without a share in the input.
    pub(crate) fn short(&mut self, length: usize, what: &'static str) -> Result<ShortBytes, WireError> {
        let left = &self.bytes[self.at..self.end];
        let taken = left.get(..length).ok_or(WireErrorKind::Truncated(what).at(self.at))?;
        self.at += length;
        Ok(ShortBytes::from(taken))
    }

    /// These bytes stand at `at`, an offset in the input.
    pub(crate) fn has_at(&self, at: usize, expected: &[u8]) -> bool {
        self.bytes.get(at..self.end).is_some_and(|rest| rest.starts_with(expected))
    }

    /// These bytes are next, or it is false.
    pub(crate) fn skip(&mut self, expected: &[u8]) -> bool {
        let is_next = self.bytes[self.at..self.end].starts_with(expected);
        self.at += if is_next { expected.len() } else { 0 };
        is_next
    }

    /// Read the next `length` bytes and nothing behind them; what `read` leaves of them is passed over.
    pub(crate) fn within<T>(
        &mut self,
        length: usize,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let end = self.at + length.min(self.left());
        let value = read(&mut Reader { bytes: self.bytes, at: self.at, end })?;
        self.at = end;
        Ok(value)
    }

    /// A length and that many bytes.
    pub(crate) fn field(&mut self, what: &'static str, limit: usize) -> Result<Bytes, WireError> {
        let length = self.length(what, limit)?;
        self.take(length, what)
    }
}
