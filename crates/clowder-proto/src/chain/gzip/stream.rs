//! Streams in the gzip format (RFC 1952), made and read with pooled states of deflate.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// As Java 16 and later write it: no time, no name, an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// CRC-32 and length, both little-endian.
const TRAILER_LEN: usize = 8;
/// An empty member: a header, an empty block, a trailer. What is shorter cannot start another member.
const MEMBER_BYTES_MIN: usize = HEADER.len() + 2 + TRAILER_LEN;

/// States kept for later; those of deflate are 300 KB each. More are made when more are in use at once.
const IDLE_MAX: usize = 8;
/// Capacity of an output buffer that is kept with its state.
const SCRATCH_BYTES_MAX: usize = 1 << 20;
/// How much larger than the stream the first buffer for its content may be, whatever the stream promises.
const PROMISE_RATIO_MAX: usize = 64;

/// Why a stream has no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not begin with a gzip header.
    NotGzip,
    /// It is cut short, or its blocks, its check sum or its length are wrong.
    Damaged,
    /// The content is larger than allowed.
    TooLarge,
}

struct Deflater {
    state: Compress,
    out: Vec<u8>,
}

/// Makes and reads streams.
#[derive(Default)]
pub(super) struct Codec {
    deflaters: Pool<Deflater>,
    inflaters: Pool<Decompress>,
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

impl Codec {
    /// One member with `plain` inside; `None` if the length has no place in the format's 32 bits.
    pub(super) fn compress(&self, plain: &[u8]) -> Option<Bytes> {
        let length = u32::try_from(plain.len()).ok()?;
        let fresh = || Deflater { state: Compress::new(Compression::default(), false), out: Vec::new() };
        let mut deflater = self.deflaters.take().unwrap_or_else(fresh);
        deflater.out.extend_from_slice(&HEADER);
        deflate(&mut deflater, plain)?;
        let mut crc = Crc::new();
        crc.update(plain);
        deflater.out.extend_from_slice(&crc.sum().to_le_bytes());
        deflater.out.extend_from_slice(&length.to_le_bytes());
        let stream = Bytes::copy_from_slice(&deflater.out);
        deflater.state.reset();
        deflater.out.clear();
        if deflater.out.capacity() > SCRATCH_BYTES_MAX {
            deflater.out = Vec::new();
        }
        self.deflaters.give(deflater);
        Some(stream)
    }

    /// The joined content of all members, at most `bytes_max`. What follows the last member and starts no other one is
    /// passed over.
    pub(super) fn decompress(&self, stream: &[u8], bytes_max: usize) -> Result<Bytes, Fault> {
        let mut rest = skip_header(stream).ok_or(Fault::NotGzip)?;
        let mut state = self.inflaters.take().unwrap_or_else(|| Decompress::new(false));
        let mut plain = Vec::with_capacity(promised(stream).min(bytes_max));
        let result = loop {
            rest = match inflate(&mut state, rest, &mut plain, bytes_max) {
                Ok(rest) => rest,
                Err(fault) => break Err(fault),
            };
            match skip_header(rest).filter(|_| rest.len() >= MEMBER_BYTES_MIN) {
                Some(next) => rest = next,
                None => break Ok(()),
            }
        };
        self.inflaters.give(state);
        result?;
        if plain.capacity() / 2 > plain.len() {
            plain.shrink_to_fit();
        }
        Ok(plain.into())
    }
}

fn deflate(deflater: &mut Deflater, plain: &[u8]) -> Option<()> {
    let Deflater { state, out } = deflater;
    // Most bodies shrink to less than a half; this is in one step for those, and never more than needed by much.
    out.reserve(plain.len() / 2 + 64);
    let mut done = 0;
    loop {
        let before = (done, out.len());
        let status = state.compress_vec(&plain[done..], out, FlushCompress::Finish).ok()?;
        done = usize::try_from(state.total_in()).ok()?;
        if status == Status::StreamEnd {
            return Some(());
        }
        let full = out.len() == out.capacity();
        if !full && before == (done, out.len()) {
            return None;
        }
        out.reserve(out.len());
    }
}

/// Append the content of one member, whose blocks begin `stream`; gives what stands behind its trailer.
fn inflate<'a>(
    state: &mut Decompress,
    stream: &'a [u8],
    plain: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<&'a [u8], Fault> {
    state.reset(false);
    let begin = plain.len();
    let mut done = 0;
    loop {
        if plain.len() == plain.capacity() {
            // One byte more than allowed, to see that there is more.
            let room = bytes_max.saturating_add(1) - plain.len();
            plain.reserve_exact(plain.len().max(1024).min(room));
        }
        let before = (done, plain.len());
        let status = state.decompress_vec(&stream[done..], plain, FlushDecompress::None);
        done = usize::try_from(state.total_in()).map_err(|_| Fault::Damaged)?;
        if plain.len() > bytes_max {
            return Err(Fault::TooLarge);
        }
        match status {
            Ok(Status::StreamEnd) => break,
            Ok(_) if before != (done, plain.len()) => {}
            _ => return Err(Fault::Damaged),
        }
    }
    let rest = &stream[done..];
    let (trailer, rest) = rest.split_at_checked(TRAILER_LEN).ok_or(Fault::Damaged)?;
    let mut crc = Crc::new();
    crc.update(&plain[begin..]);
    // The length counts modulo 2 to the 32.
    let length = (plain.len() - begin) as u32;
    if trailer[..4] != crc.sum().to_le_bytes() || trailer[4..] != length.to_le_bytes() {
        return Err(Fault::Damaged);
    }
    Ok(rest)
}

/// The length that the end of a stream promises, within reason.
fn promised(stream: &[u8]) -> usize {
    let length = stream.last_chunk().map_or(0, |last: &[u8; 4]| u32::from_le_bytes(*last));
    (length as usize).min(stream.len().saturating_mul(PROMISE_RATIO_MAX))
}

/// What stands behind the header; `None`: it is none.
fn skip_header(stream: &[u8]) -> Option<&[u8]> {
    const CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let fixed: &[u8; 10] = stream.first_chunk()?;
    if fixed[..3] != HEADER[..3] {
        return None;
    }
    let flags = fixed[3];
    let mut at = HEADER.len();
    if flags & EXTRA != 0 {
        let length: [u8; 2] = stream.get(at..at + 2)?.try_into().ok()?;
        at += 2 + usize::from(u16::from_le_bytes(length));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            at += stream.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    if flags & CRC != 0 {
        let mut crc = Crc::new();
        crc.update(stream.get(..at)?);
        let low = crc.sum().to_le_bytes();
        if *stream.get(at..at + 2)? != low[..2] {
            return None;
        }
        at += 2;
    }
    stream.get(at..)
}

/// States that nobody uses at the moment.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<T> Pool<T> {
    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, state: T) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(state);
        }
    }
}
