//! The body of an outgoing message: bytes, and a few more behind them.

use bytes::{BufMut, Bytes, BytesMut};

/// Room behind the data, for what the layers of Tomcat append: at most 4 + 9 bytes.
const TAIL_MAX: usize = 16;

/// Bytes on their way to the wire. Appending a few costs no copy of what stands in front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    data: Bytes,
    tail: [u8; TAIL_MAX],
    tail_len: usize,
}

impl Body {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.data.len() + self.tail_len
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
        out.put_slice(&self.data);
        out.put_slice(&self.tail[..self.tail_len]);
    }

    /// In one piece; copies only if something was appended.
    pub fn into_bytes(self) -> Bytes {
        if self.tail_len == 0 {
            return self.data;
        }
        let mut joined = BytesMut::with_capacity(self.len());
        self.copy_to(&mut joined);
        joined.freeze()
    }
}

impl From<Bytes> for Body {
    fn from(data: Bytes) -> Body {
        Body { data, ..Body::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_stands_behind_the_data_however_much_it_is() {
        for lengths in [[0, 0, 0], [4, 9, 0], [4, 9, 3], [4, 9, 4], [40, 1, 2]] {
            let mut body = Body::from(Bytes::from_static(b"data"));
            let mut expected = b"data".to_vec();
            for length in lengths {
                let piece: Vec<u8> = (0..length).collect();
                body.append(&piece);
                expected.extend(&piece);
            }
            let mut copied = Vec::new();
            body.copy_to(&mut copied);
            assert_eq!((body.len(), &copied), (expected.len(), &expected), "{lengths:?}");
            assert_eq!(body.into_bytes(), expected, "{lengths:?}");
        }
    }
}
