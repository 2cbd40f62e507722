//! What Clowder adds behind the object of a session message, where a Java reader has stopped reading.
//!
//! Layout: magic `CLWS`, one byte version, one byte kind, four bytes length of the content, the content, four bytes
//! checksum of everything before. Anything that does not check is no trailer: the message counts as one of a Tomcat.

use bytes::{BufMut, Bytes, BytesMut};

use crate::session::{CellKind, JavaStr, Stamp};

const MAGIC: &[u8; 4] = b"CLWS";
const VERSION: u8 = 1;
const HEADER: usize = MAGIC.len() + 2 + 4;

/// The additions, one kind for each need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::session) enum Trailer {
    /// Id change: its stamp.
    Stamp(Stamp),
    /// Delta: a stamp for each action.
    Stamps(Vec<Stamp>),
    /// Question for state: only these sessions.
    Ids(Vec<JavaStr>),
    /// Expiry: it was explicit. End of a transfer: the sender's own state is complete.
    Flag(bool),
    /// State: one for each session.
    Sessions(Vec<SessionExtra>),
}

/// What Tomcat's form of a session has no place for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::session) struct SessionExtra {
    /// Milliseconds since the last request, by the sender's clock.
    pub(in crate::session) idle: u64,
    pub(in crate::session) max_inactive_stamp: Stamp,
    /// Stamps of the cells in the session's own form, in their order there.
    pub(in crate::session) stamps: Vec<Stamp>,
    /// Cells that the form does not list, tombstones included.
    pub(in crate::session) cells: Vec<ExtraCell>,
}

/// A cell of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::session) struct ExtraCell {
    pub(in crate::session) kind: CellKind,
    pub(in crate::session) name: JavaStr,
    pub(in crate::session) value: Option<Bytes>,
    pub(in crate::session) stamp: Stamp,
}

impl Trailer {
    fn kind(&self) -> u8 {
        match self {
            Trailer::Stamp(_) => 1,
            Trailer::Stamps(_) => 2,
            Trailer::Ids(_) => 3,
            Trailer::Flag(_) => 4,
            Trailer::Sessions(_) => 5,
        }
    }

    pub(in crate::session) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_slice(MAGIC);
        out.put_u8(VERSION);
        out.put_u8(self.kind());
        out.put_u32(0);
        match self {
            Trailer::Stamp(stamp) => put_stamp(&mut out, *stamp),
            Trailer::Stamps(stamps) => put_stamps(&mut out, stamps),
            Trailer::Ids(ids) => {
                put_count(&mut out, ids.len());
                ids.iter().for_each(|id| put_bytes(&mut out, id.as_bytes()));
            }
            Trailer::Flag(flag) => out.put_u8(u8::from(*flag)),
            Trailer::Sessions(sessions) => {
                put_count(&mut out, sessions.len());
                sessions.iter().for_each(|session| put_session(&mut out, session));
            }
        }
        let length = u32::try_from(out.len() - HEADER).expect("messages are bounded far below 4 GiB");
        out[HEADER - 4..HEADER].copy_from_slice(&length.to_be_bytes());
        let sum = checksum(&out);
        out.put_u32(sum);
        out.freeze()
    }

    /// `None`: there is none that can be understood.
    pub(in crate::session) fn decode(bytes: &Bytes) -> Option<Trailer> {
        let header = bytes.get(..HEADER)?;
        if !header.starts_with(MAGIC) || header[4] != VERSION {
            return None;
        }
        let length = u32::from_be_bytes(header[HEADER - 4..].try_into().ok()?) as usize;
        let end = HEADER.checked_add(length)?;
        let sum = bytes.get(end..end.checked_add(4)?)?;
        if checksum(&bytes[..end]).to_be_bytes() != sum {
            return None;
        }
        let mut reader = Reader { bytes, at: HEADER, end };
        let trailer = match header[5] {
            1 => Trailer::Stamp(reader.stamp()?),
            2 => Trailer::Stamps(reader.stamps()?),
            3 => Trailer::Ids(reader.list(4, |reader| Some(JavaStr::from_modified_utf8(&reader.bytes()?)))?),
            4 => Trailer::Flag(reader.u8()? != 0),
            5 => Trailer::Sessions(reader.list(20, Reader::session)?),
            _ => return None,
        };
        (reader.at == end).then_some(trailer)
    }
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u32(u32::try_from(count).expect("counts are bounded by the limits"));
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.put_slice(bytes);
}

fn put_stamp(out: &mut BytesMut, stamp: Stamp) {
    out.put_u64(stamp.time);
    out.put_u32(stamp.node);
}

fn put_stamps(out: &mut BytesMut, stamps: &[Stamp]) {
    put_count(out, stamps.len());
    stamps.iter().for_each(|stamp| put_stamp(out, *stamp));
}

fn put_session(out: &mut BytesMut, session: &SessionExtra) {
    out.put_u64(session.idle);
    put_stamp(out, session.max_inactive_stamp);
    put_stamps(out, &session.stamps);
    put_count(out, session.cells.len());
    for cell in &session.cells {
        out.put_u8(cell.kind.number());
        put_bytes(out, cell.name.as_bytes());
        put_stamp(out, cell.stamp);
        out.put_u8(u8::from(cell.value.is_some()));
        if let Some(value) = &cell.value {
            put_bytes(out, value);
        }
    }
}

impl CellKind {
    fn number(self) -> u8 {
        match self {
            CellKind::Attribute => 0,
            CellKind::Principal => 1,
            CellKind::AuthType => 4,
            CellKind::Listener => 5,
            CellKind::Note => 6,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => CellKind::Attribute,
            1 => CellKind::Principal,
            4 => CellKind::AuthType,
            5 => CellKind::Listener,
            6 => CellKind::Note,
            _ => return None,
        })
    }
}

/// In words of eight bytes, as FNV-1a does it with bytes: a block's trailer is tens of kilobytes.
fn checksum(bytes: &[u8]) -> u32 {
    let mut chunks = bytes.chunks_exact(8);
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for chunk in &mut chunks {
        let word = u64::from_be_bytes(chunk.try_into().expect("chunks of eight"));
        sum = (sum ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }
    for byte in chunks.remainder() {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    u32::try_from((sum ^ (sum >> 32)) & 0xffff_ffff).expect("masked to 32 bits")
}

/// Reads a content; `None` at the first thing that does not fit.
struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
    end: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.end)?;
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let end = self.at.checked_add(N).filter(|end| *end <= self.end)?;
        let array = self.bytes[self.at..end].try_into().ok()?;
        self.at = end;
        Some(array)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.array::<1>()?[0])
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        self.take(length)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        let time = u64::from_be_bytes(self.array()?);
        Some(Stamp { time, node: u32::from_be_bytes(self.array()?) })
    }

    fn stamps(&mut self) -> Option<Vec<Stamp>> {
        self.list(12, Reader::stamp)
    }

    /// A counted list whose elements take at least `size` bytes each: no count can make this allocate more than
    /// the bytes justify.
    fn list<T>(&mut self, size: usize, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = u32::from_be_bytes(self.array()?) as usize;
        if count > (self.end - self.at) / size {
            return None;
        }
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(one(self)?);
        }
        Some(list)
    }

    fn session(&mut self) -> Option<SessionExtra> {
        Some(SessionExtra {
            idle: u64::from_be_bytes(self.array()?),
            max_inactive_stamp: self.stamp()?,
            stamps: self.stamps()?,
            cells: self.list(18, Reader::cell)?,
        })
    }

    fn cell(&mut self) -> Option<ExtraCell> {
        let kind = CellKind::of_number(self.u8()?)?;
        let name = JavaStr::from_modified_utf8(&self.bytes()?);
        let stamp = self.stamp()?;
        let value = match self.u8()? {
            0 => None,
            // A copy: the value outlives the message, whose buffer is large.
            _ => Some(Bytes::copy_from_slice(&self.bytes()?)),
        };
        Some(ExtraCell { kind, name, value, stamp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all() -> Vec<Trailer> {
        let stamp = Stamp { time: 7, node: 9 };
        let cell = |value| ExtraCell { kind: CellKind::Note, name: JavaStr::from("n"), value, stamp };
        let session = SessionExtra {
            idle: 12,
            max_inactive_stamp: stamp,
            stamps: vec![stamp, stamp],
            cells: vec![cell(None), cell(Some(Bytes::from_static(b"v")))],
        };
        vec![
            Trailer::Stamp(stamp),
            Trailer::Stamps(vec![stamp; 3]),
            Trailer::Ids(vec![JavaStr::from("A"), JavaStr::from("")]),
            Trailer::Flag(true),
            Trailer::Flag(false),
            Trailer::Sessions(vec![session, SessionExtra::default()]),
        ]
    }

    #[test]
    fn every_kind_comes_back() {
        for trailer in all() {
            assert_eq!(Trailer::decode(&trailer.encode()), Some(trailer));
        }
    }

    #[test]
    fn a_damaged_trailer_is_none() {
        for trailer in all() {
            let good = trailer.encode();
            for at in 0..good.len() {
                let mut bad = good.to_vec();
                bad[at] ^= 0x40;
                assert_eq!(Trailer::decode(&Bytes::from(bad)), None, "byte {at} of {trailer:?}");
                assert_eq!(Trailer::decode(&good.slice(..at)), None, "cut at {at} of {trailer:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(kind in 0u8..8, content in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut out = BytesMut::new();
            out.put_slice(MAGIC);
            out.put_u8(VERSION);
            out.put_u8(kind);
            out.put_u32(content.len() as u32);
            out.put_slice(&content);
            let sum = checksum(&out);
            out.put_u32(sum);
            let _ = Trailer::decode(&out.freeze());
        }
    }
}
