//! The body of an outgoing message: bytes, a few more behind them, and room around them for the frame.

use bytes::{BufMut, Bytes, BytesMut};

/// Room behind the data, for what the layers of Tomcat append: at most 4 + 9 bytes.
const TAIL_MAX: usize = 16;
/// Room in front of a body that a layer made, for what stands there in a frame: 51 bytes and the sender's record, of
/// some 100 bytes. What does not fit is copied.
const HEAD_ROOM: usize = 192;
/// Room behind it, for the tail and the end of a frame.
const END_ROOM: usize = TAIL_MAX + 16;

/// Bytes on their way to the wire. Appending a few costs no copy of what stands in front.
#[derive(Clone, Debug, Default)]
pub struct Body {
    data: Data,
    tail: [u8; TAIL_MAX],
    tail_len: usize,
}

#[derive(Debug)]
enum Data {
    /// As the application gave it.
    Shared(Bytes),
    /// Made by a layer, behind [`HEAD_ROOM`] bytes: it becomes the frame where it is.
    Roomy(Vec<u8>),
}

impl Default for Data {
    fn default() -> Data {
        Data::Shared(Bytes::new())
    }
}

impl Clone for Data {
    fn clone(&self) -> Data {
        match self {
            Data::Shared(bytes) => Data::Shared(bytes.clone()),
            Data::Roomy(room) => {
                let mut copy = Vec::with_capacity(room.len() + END_ROOM);
                copy.extend_from_slice(room);
                Data::Roomy(copy)
            }
        }
    }
}

/// A body in the making: bytes with room around them, which no other message shares.
#[derive(Debug)]
pub(super) struct Making(Vec<u8>);

impl Making {
    /// Nothing yet. More than `len_max` bytes cost another allocation.
    pub(super) fn new(len_max: usize) -> Making {
        let mut room = Vec::with_capacity(HEAD_ROOM + len_max + END_ROOM);
        room.resize(HEAD_ROOM, 0);
        Making(room)
    }

    /// Where to append. What is there already is not to be touched.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// What it is so far.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0[HEAD_ROOM..]
    }
}

impl Body {
    fn data(&self) -> &[u8] {
        match &self.data {
            Data::Shared(bytes) => bytes,
            Data::Roomy(room) => &room[HEAD_ROOM..],
        }
    }

    fn tail(&self) -> &[u8] {
        &self.tail[..self.tail_len]
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.data().len() + self.tail_len
    }

    /// No bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Put `bytes` behind it.
    pub fn append(&mut self, bytes: &[u8]) {
        if self.tail_len + bytes.len() > TAIL_MAX {
            let mut joined = BytesMut::with_capacity(self.len() + bytes.len());
            self.copy_to(&mut joined);
            joined.put_slice(bytes);
            *self = Body::from(joined.freeze());
            return;
        }
        self.tail[self.tail_len..self.tail_len + bytes.len()].copy_from_slice(bytes);
        self.tail_len += bytes.len();
    }

    /// Append all of it to `out`.
    pub fn copy_to(&self, out: &mut impl BufMut) {
        out.put_slice(self.data());
        out.put_slice(self.tail());
    }

    /// In one piece; copies only if something was appended.
    pub fn into_bytes(self) -> Bytes {
        match self.data {
            Data::Shared(bytes) if self.tail_len == 0 => bytes,
            _ => self.into_frame(0, |_| {}, &[]),
        }
    }

    /// With `head_len` bytes in front, which `write_head` writes, and `end` behind it: one allocation, or none if there
    /// is room around it.
    pub fn into_frame(mut self, head_len: usize, write_head: impl FnOnce(&mut [u8]), end: &[u8]) -> Bytes {
        let (mut frame, start) = match &mut self.data {
            Data::Roomy(room) if head_len <= HEAD_ROOM => (std::mem::take(room), HEAD_ROOM - head_len),
            _ => {
                let mut frame = Vec::with_capacity(head_len + self.len() + end.len());
                frame.resize(head_len, 0);
                frame.extend_from_slice(self.data());
                (frame, 0)
            }
        };
        write_head(&mut frame[start..start + head_len]);
        frame.extend_from_slice(self.tail());
        frame.extend_from_slice(end);
        Bytes::from(frame).split_off(start)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        self.len() == other.len() && self.data().iter().chain(self.tail()).eq(other.data().iter().chain(other.tail()))
    }
}

impl Eq for Body {}

impl From<Bytes> for Body {
    fn from(data: Bytes) -> Body {
        Body { data: Data::Shared(data), ..Body::default() }
    }
}

impl From<Making> for Body {
    fn from(made: Making) -> Body {
        Body { data: Data::Roomy(made.0), ..Body::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(data: &[u8]) -> Body {
        let mut making = Making::new(data.len());
        making.end().extend_from_slice(data);
        assert_eq!(making.bytes(), data);
        Body::from(making)
    }

    #[test]
    fn what_is_appended_stands_behind_the_data_however_much_it_is() {
        for lengths in [[0, 0, 0], [4, 9, 0], [4, 9, 3], [4, 9, 4], [40, 1, 2]] {
            for mut body in [Body::from(Bytes::from_static(b"data")), made(b"data")] {
                let mut expected = b"data".to_vec();
                for length in lengths {
                    let piece: Vec<u8> = (0..length).collect();
                    body.append(&piece);
                    expected.extend(&piece);
                }
                let mut copied = Vec::new();
                body.copy_to(&mut copied);
                assert_eq!((body.len(), &copied), (expected.len(), &expected), "{lengths:?}");
                assert_eq!(body, Body::from(Bytes::from(expected.clone())));
                assert_eq!(body.into_bytes(), expected, "{lengths:?}");
            }
        }
    }

    #[test]
    fn a_frame_stands_around_the_body_whether_there_is_room_or_not() {
        for head_len in [0, 1, 150, HEAD_ROOM, HEAD_ROOM + 1, 5000] {
            for mut body in [Body::from(Bytes::from_static(b"data")), made(b"data")] {
                body.append(b"tail");
                let frame = body.into_frame(head_len, |head| head.fill(7), b"end");
                assert_eq!(frame, [&vec![7; head_len], &b"datatailend"[..]].concat(), "{head_len}");
            }
        }
    }

    #[test]
    fn a_body_that_was_made_becomes_its_frame_where_it_is() {
        let mut making = Making::new(1000);
        making.end().resize(HEAD_ROOM + 1000, 9);
        let first = Body::from(making);
        let second = first.clone();
        for mut body in [first, second] {
            let place = body.data().as_ptr();
            body.append(&[1; TAIL_MAX]);
            let frame = body.into_frame(150, |_| {}, b"TLF2003");
            assert_eq!(frame[150..].as_ptr(), place);
        }
    }
}
