//! Acknowledgements: frames with a content of three bytes and no message id.

/// The outcome of one message, as the receiver tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ack {
    /// Received, or processed.
    Ok,
    /// The receiver's listener failed.
    Failed,
}

impl Ack {
    /// The whole frame, 21 bytes.
    pub const fn frame(self) -> &'static [u8] {
        match self {
            Ack::Ok => b"FLT2002\0\0\0\x03\x06\x02\x03TLF2003",
            Ack::Failed => b"FLT2002\0\0\0\x03\x0b\0\x05TLF2003",
        }
    }

    /// `None`: the content of a frame is something else.
    pub fn decode(content: &[u8]) -> Option<Ack> {
        match content {
            [0x06, 0x02, 0x03] => Some(Ack::Ok),
            [0x0b, 0x00, 0x05] => Some(Ack::Failed),
            _ => None,
        }
    }
}
