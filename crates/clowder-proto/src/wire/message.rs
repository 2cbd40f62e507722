//! The message record: options, time, id, sender and body. One frame carries one.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::read::Reader;
use super::{FRAME_OVERHEAD, Limits, Member, ShortBytes, WireError, frame_header, frame_trailer};

/// Identifies a message; a resend carries the same. 16 bytes from Tomcat, any length is read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MessageId(pub ShortBytes);

impl MessageId {
    /// Version and variant as of a UUID version 4, around 16 random bytes.
    pub fn from_random(mut random: [u8; 16]) -> Self {
        random[6] = 0x40 | (random[6] & 0x0f);
        random[8] = 0x80 | (random[8] & 0x3f);
        MessageId(random.into())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One message, a value: the steps of a chain make new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Bits of [`options`](super::options).
    pub options: i32,
    /// Sender's wall clock in milliseconds when it made the message. Nobody reads it.
    pub timestamp: i64,
    /// For recognising resends.
    pub id: MessageId,
    /// Source and reply address. Nothing vouches for it.
    pub from: Member,
    /// Raw bytes with option 1, else a Java object stream.
    pub body: Bytes,
}

/// Length of the fields of fixed size.
const FIXED: usize = 24;

impl Message {
    /// Length of the record, without a frame.
    pub fn encoded_len(&self) -> usize {
        FIXED + self.id.0.len() + self.from.encoded_len() + self.body.len()
    }

    /// Append the record.
    ///
    /// # Panics
    /// If a field is 2 GiB or larger; bodies are bounded far below.
    pub fn encode_into(&self, out: &mut BytesMut) {
        let length = |length: usize| i32::try_from(length).expect("messages are bounded far below 2 GiB");
        out.reserve(self.encoded_len());
        out.put_i32(self.options);
        out.put_i64(self.timestamp);
        out.put_i32(length(self.id.0.len()));
        out.put_slice(&self.id.0);
        out.put_i32(length(self.from.encoded_len()));
        self.from.encode_into(out);
        out.put_i32(length(self.body.len()));
        out.put_slice(&self.body);
    }

    /// The whole frame, in one buffer: what every destination gets.
    ///
    /// # Panics
    /// As [`Message::encode_into`].
    pub fn encode_frame(&self) -> Bytes {
        let length = self.encoded_len();
        let mut out = BytesMut::with_capacity(length + FRAME_OVERHEAD);
        out.put_slice(&frame_header(u32::try_from(length).expect("messages are bounded far below 2 GiB")));
        self.encode_into(&mut out);
        out.put_slice(frame_trailer());
        out.freeze()
    }

    /// Read the content of a frame. Bytes behind the body are ignored, as Tomcat does.
    ///
    /// Differs from Tomcat: every inner length must fit the frame; Tomcat fills up with bytes of earlier messages.
    /// Test: every_malformed_frame_ends_the_stream_and_what_stood_before_it_counts.
    ///
    /// # Errors
    /// The bytes are not a message record with a valid member, or exceed `limits`.
    pub fn decode(bytes: &Bytes, limits: &Limits) -> Result<Message, WireError> {
        let mut reader = Reader::new(bytes);
        let options = reader.i32("options")?;
        let timestamp = reader.i64("timestamp")?;
        let id_len = reader.length("message id", limits.id_bytes_max)?;
        let id = MessageId(reader.short(id_len, "message id")?);
        let member_len = reader.length("member", limits.member_bytes_max)?;
        let from = reader.within(member_len, |member| Member::read(member, limits))?;
        let body = reader.field("body", limits.frame_bytes_max)?;
        Ok(Message { options, timestamp, id, from, body })
    }
}
