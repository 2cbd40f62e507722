//! Frames: `FLT2002`, length, content, `TLF2003`. No version, no checksum, no handshake.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Limits, WireError, WireErrorKind};

const START: &[u8; 7] = b"FLT2002";
const END: &[u8; 7] = b"TLF2003";
const HEADER: usize = START.len() + 4;

/// Bytes of a frame that are not content.
pub const FRAME_OVERHEAD: usize = HEADER + END.len();

/// What stands in front of a content of `length` bytes.
pub fn frame_header(length: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..START.len()].copy_from_slice(START);
    header[START.len()..].copy_from_slice(&length.to_be_bytes());
    header
}

/// What stands behind a content.
pub const fn frame_trailer() -> &'static [u8; 7] {
    END
}

/// A whole frame around `content`.
///
/// # Panics
/// If `content` is 2 GiB or larger; a body of that size is refused before it gets here.
pub fn encode_frame(content: &[u8]) -> Bytes {
    let length = i32::try_from(content.len()).expect("bodies are bounded far below 2 GiB");
    let mut frame = BytesMut::with_capacity(content.len() + FRAME_OVERHEAD);
    frame.put_slice(START);
    frame.put_i32(length);
    frame.put_slice(content);
    frame.put_slice(END);
    frame.freeze()
}

/// Cuts a stream of bytes into the contents of frames, the same for every split of the stream.
///
/// Differs from Tomcat: there is no resynchronisation. Where Tomcat gets stuck, replays or loses messages, the first
/// violation is an error and ends the stream; frames in front of it have been given out.
/// Test: every_malformed_frame_ends_the_stream_and_what_stood_before_it_counts.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    frame_bytes_max: usize,
    /// Bytes of earlier frames, so that an error names the offset in the stream.
    consumed: usize,
}

impl FrameDecoder {
    /// An empty decoder.
    pub fn new(limits: &Limits) -> Self {
        FrameDecoder { buffer: BytesMut::new(), frame_bytes_max: limits.frame_bytes_max, consumed: 0 }
    }

    /// Where the driver puts what it read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes that wait for the rest of their frame.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// How many bytes the frame at the front still lacks, as far as its length is known; for sizing the next read.
    pub fn missing(&self) -> usize {
        match self.length() {
            Ok(Some(length)) => (length + FRAME_OVERHEAD).saturating_sub(self.buffer.len()),
            _ => 0,
        }
    }

    /// The content of the next complete frame; `None`: more bytes are needed.
    ///
    /// # Errors
    /// The stream is not a sequence of frames. Every later call says the same: close the connection.
    #[allow(clippy::should_implement_trait)] // an Iterator cannot be fed between two calls
    pub fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(length) = self.length()? else { return Ok(None) };
        if self.buffer.len() < length + FRAME_OVERHEAD {
            return Ok(None);
        }
        let end = HEADER + length;
        if self.buffer[end..end + END.len()] != END[..] {
            return Err(WireErrorKind::EndMarker("frame").at(self.consumed + end));
        }
        self.consumed += length + FRAME_OVERHEAD;
        let frame = self.buffer.split_to(length + FRAME_OVERHEAD).freeze();
        Ok(Some(frame.slice(HEADER..end)))
    }

    /// The length of the frame at the front, once its header is there.
    fn length(&self) -> Result<Option<usize>, WireError> {
        let marker = self.buffer.len().min(START.len());
        if self.buffer[..marker] != START[..marker] {
            return Err(WireErrorKind::StartMarker("frame").at(self.consumed));
        }
        let Some(field) = self.buffer.get(START.len()..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Ok(None);
        };
        let at = self.consumed + START.len();
        let length = i32::from_be_bytes(*field);
        let length =
            usize::try_from(length).map_err(|_| WireErrorKind::NegativeLength { what: "frame", length }.at(at))?;
        if length > self.frame_bytes_max {
            return Err(WireErrorKind::OverLimit { what: "frame", length, limit: self.frame_bytes_max }.at(at));
        }
        Ok(Some(length))
    }
}
