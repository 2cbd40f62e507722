//! The member record: who a node is, in heartbeats and in the address of every message.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};

use super::read::Reader;
use super::{Limits, ShortBytes, WireError, WireErrorKind};

const BEGIN: &[u8; 10] = b"TRIBES-B\x01\0";
const END: &[u8; 10] = b"TRIBES-E\x01\0";
/// Begin marker and body length.
const HEADER: usize = BEGIN.len() + 4;
/// Fields of fixed size in the body.
const FIXED: usize = 49;

/// The only command with a meaning: this member is shutting down.
pub const SHUTDOWN_COMMAND: &[u8] = b"BABY-ALEX";

/// What makes two records the same member: host, TCP port and unique id. A node that restarts has a new unique id and
/// is another member.
///
/// The order is Tomcat's absolute order: a shorter host first, then its bytes unsigned, the port signed, the unique id
/// unsigned.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberId {
    /// Address bytes in network order, 4 or 16 in practice, at most 127.
    pub host: ShortBytes,
    /// TCP port of the receiver.
    pub port: i32,
    /// 16 bytes, new for each start of a channel unless configured.
    pub unique_id: [u8; 16],
}

impl MemberId {
    /// The address to connect to; `None` if host or port are not those of a TCP endpoint.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let port = u16::try_from(self.port).ok().filter(|port| *port != 0)?;
        Some(SocketAddr::new(self.ip()?, port))
    }

    /// The host as an address.
    fn ip(&self) -> Option<IpAddr> {
        match self.host.len() {
            4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(&self.host[..]).ok()?).into()),
            16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(&self.host[..]).ok()?).into()),
            _ => None,
        }
    }

    /// Same host and port: another incarnation of the same node, or the same one.
    pub fn same_endpoint(&self, other: &MemberId) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl std::hash::Hash for MemberId {
    /// The unique id tells members apart; two that share one by mistake share a place in a table.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_le_bytes(self.unique_id));
    }
}

impl Ord for MemberId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.host.len(), &self.host, self.port, &self.unique_id).cmp(&(
            other.host.len(),
            &other.host,
            other.port,
            &other.unique_id,
        ))
    }
}

impl PartialOrd for MemberId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket_addr() {
            Some(addr) => write!(f, "{addr}/")?,
            None => write!(f, "{:?}:{}/", &self.host[..], self.port)?,
        }
        self.unique_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A member record. Equality is that of [`MemberId`] and nothing else, as in Tomcat.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its identity.
    pub id: MemberId,
    /// Milliseconds since the member started, counted by itself. Only a heartbeat received from its owner shows
    /// something real: elsewhere it can be stale, a wall clock, constant or negative.
    pub alive: i64,
    /// Port for secure connections, -1: none. Tomcat carries it and never opens it.
    pub secure_port: i32,
    /// Port of the datagram receiver, -1: none.
    pub udp_port: i32,
    /// Empty, or [`SHUTDOWN_COMMAND`]; anything else is carried and ignored.
    pub command: Bytes,
    /// For the domain filter.
    pub domain: Bytes,
    /// The application's own.
    pub payload: Bytes,
    /// Bytes between payload and end marker, which Tomcat ignores: where Clowder's [`Capabilities`] travel.
    pub extension: Bytes,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Member {}

impl std::hash::Hash for Member {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id, f)
    }
}

impl Member {
    /// A member that only has an address and an id.
    pub fn new(addr: SocketAddr, unique_id: [u8; 16]) -> Self {
        let host = match addr.ip() {
            IpAddr::V4(ip) => ShortBytes::from(ip.octets()),
            IpAddr::V6(ip) => ShortBytes::from(ip.octets()),
        };
        Member {
            id: MemberId { host, port: i32::from(addr.port()), unique_id },
            alive: 0,
            secure_port: -1,
            udp_port: -1,
            command: Bytes::new(),
            domain: Bytes::new(),
            payload: Bytes::new(),
            extension: Bytes::new(),
        }
    }

    /// The record says that this member is a Clowder node.
    pub fn is_clowder(&self) -> bool {
        self.capabilities() != Capabilities::default()
    }

    /// The record with Tomcat's fields and nothing more.
    #[must_use]
    pub fn plain(&self) -> Member {
        Member { extension: Bytes::new(), ..self.clone() }
    }

    /// The record says that this member is shutting down.
    pub fn is_shutting_down(&self) -> bool {
        self.command == SHUTDOWN_COMMAND
    }

    /// What the member announced that Tomcat does not know.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::decode(&self.extension)
    }

    /// Where it takes TLS connections, if it said so. A Tomcat's record may name a secure port that nobody opens.
    pub fn secure_addr(&self) -> Option<SocketAddr> {
        if !self.capabilities().contains(Capabilities::TLS) {
            return None;
        }
        let port = u16::try_from(self.secure_port).ok().filter(|port| *port != 0)?;
        let addr = self.id.socket_addr()?;
        Some(SocketAddr::new(addr.ip(), port))
    }

    /// Where it receives datagrams; `None` if it announces no port for them.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        let port = u16::try_from(self.udp_port).ok().filter(|port| *port != 0)?;
        Some(SocketAddr::new(self.id.ip()?, port))
    }

    /// Length of the record in bytes.
    pub fn encoded_len(&self) -> usize {
        HEADER + self.body_len() + END.len()
    }

    fn body_len(&self) -> usize {
        FIXED + self.id.host.len() + self.command.len() + self.domain.len() + self.payload.len() + self.extension.len()
    }

    /// Append the record.
    ///
    /// # Panics
    /// If the host is longer than 127 bytes or a field than 2 GiB: members are built by [`Member::new`] or decoded,
    /// and neither lets them be.
    pub fn encode_into(&self, out: &mut BytesMut) {
        let field = |out: &mut BytesMut, bytes: &Bytes| {
            out.put_i32(i32::try_from(bytes.len()).expect("fields of a member are bounded"));
            out.put_slice(bytes);
        };
        out.reserve(self.encoded_len());
        out.put_slice(BEGIN);
        out.put_i32(i32::try_from(self.body_len()).expect("a member is bounded"));
        out.put_i64(self.alive);
        out.put_i32(self.id.port);
        out.put_i32(self.secure_port);
        out.put_i32(self.udp_port);
        out.put_i8(i8::try_from(self.id.host.len()).expect("a host has at most 127 bytes"));
        out.put_slice(&self.id.host);
        field(out, &self.command);
        field(out, &self.domain);
        out.put_slice(&self.id.unique_id);
        field(out, &self.payload);
        out.put_slice(&self.extension);
        out.put_slice(END);
    }

    /// The record alone: a heartbeat datagram.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_len());
        self.encode_into(&mut out);
        out.freeze()
    }

    /// Read a record. Bytes behind its end marker are ignored, as Tomcat does.
    ///
    /// Differs from Tomcat: inner lengths must fit the body, not only the array.
    /// Test: every_member_vector_is_written_to_the_same_bytes.
    ///
    /// # Errors
    /// The bytes are not a member record of version 1.0, or exceed `limits.member_bytes_max`.
    pub fn decode(bytes: &Bytes, limits: &Limits) -> Result<Member, WireError> {
        Member::read(&mut Reader::new(bytes), limits)
    }

    pub(super) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Member, WireError> {
        let max = limits.member_bytes_max;
        if !reader.skip(BEGIN) {
            return Err(WireErrorKind::StartMarker("member").at(reader.at()));
        }
        let body = reader.length("member body", max)?;
        let end = reader.at() + body;
        if !reader.has_at(end, END) {
            return Err(WireErrorKind::EndMarker("member").at(end));
        }
        reader.limit_to(end);
        let alive = reader.i64("alive")?;
        let port = reader.i32("port")?;
        let secure_port = reader.i32("secure port")?;
        let udp_port = reader.i32("udp port")?;
        let host_at = reader.at();
        let host_len = reader.u8("host length")?.cast_signed();
        let Ok(host_len) = usize::try_from(host_len) else {
            return Err(WireErrorKind::NegativeLength { what: "host", length: i32::from(host_len) }.at(host_at));
        };
        let host = reader.short(host_len, "host")?;
        let command = reader.field("command", max)?;
        let domain = reader.field("domain", max)?;
        let unique_id = reader.id("unique id")?;
        let payload = reader.field("payload", max)?;
        let extension = reader.take(reader.left(), "extension")?;
        Ok(Member {
            id: MemberId { host, port, unique_id },
            alive,
            secure_port,
            udp_port,
            command,
            domain,
            payload,
            extension,
        })
    }
}

/// What a Clowder node announces in the extension bytes of its member record; Tomcat ignores them.
///
/// Layout: magic `CLWD`, one byte version, four bytes of flags, four bytes FNV-1a checksum of what precedes. Unknown
/// flags are ignored; anything that does not check is no announcement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u32);

impl Capabilities {
    /// Processes the messages of one connection in order and answers in order: many may be in flight.
    pub const PIPELINE: Capabilities = Capabilities(1);
    /// Its secure port is open and speaks TLS.
    pub const TLS: Capabilities = Capabilities(2);
    /// Everything that every node can do, however it is configured.
    pub const ALL: Capabilities = Capabilities(1);

    const MAGIC: &'static [u8; 4] = b"CLWD";
    const VERSION: u8 = 1;

    /// All of `other`'s are there.
    pub fn contains(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and `other`'s.
    #[must_use]
    pub fn and(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// The extension bytes.
    pub fn encode(self) -> Bytes {
        let mut out = BytesMut::with_capacity(13);
        out.put_slice(Self::MAGIC);
        out.put_u8(Self::VERSION);
        out.put_u32(self.0);
        let sum = fnv1a(&out);
        out.put_u32(sum);
        out.freeze()
    }

    fn decode(extension: &[u8]) -> Capabilities {
        let Some((record, _)) = extension.split_first_chunk::<13>() else { return Capabilities::default() };
        let (signed, sum) = record.split_at(9);
        let valid = signed.starts_with(Self::MAGIC) && signed[4] == Self::VERSION && sum == fnv1a(signed).to_be_bytes();
        if !valid {
            return Capabilities::default();
        }
        Capabilities(u32::from_be_bytes([signed[5], signed[6], signed[7], signed[8]]))
    }
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
