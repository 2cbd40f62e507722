//! Messages between coordinators: bytes to values and back.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::read::Reader;
use crate::wire::{Limits, Member, MessageId, WireError, WireErrorKind};

/// Tomcat: `NonBlockingCoordinator.COORD_HEADER`.
const HEADER: [u8; 16] = 0xaa26_dee3_9e5a_413f_af86_fa92_63ca_0d3f_u128.to_be_bytes();
/// Tomcat: `NonBlockingCoordinator.COORD_REQUEST`.
const REQUEST: [u8; 16] = 0x68a1_a4d6_72dc_47ed_b114_7a65_ffd0_cf1e_u128.to_be_bytes();
/// Tomcat: `NonBlockingCoordinator.COORD_CONF`.
const CONFIRMATION: [u8; 16] = 0x4358_6baa_4517_4cba_a5e9_a9e7_8356_4b14_u128.to_be_bytes();
/// Tomcat: `NonBlockingCoordinator.COORD_ALIVE`: defined, never sent, and swallowed.
const ALIVE: [u8; 64] = [
    0x4f, 0x87, 0xe7, 0xf1, 0xc5, 0x05, 0x40, 0x5e, 0xb3, 0x71, 0x89, 0xa8, 0x34, 0x72, 0xc8, 0xd2, 0xee, 0x66, 0x0a,
    0x22, 0x81, 0xf7, 0x47, 0x73, 0xba, 0x48, 0x9b, 0x58, 0x48, 0x84, 0x7f, 0x6f, 0x4a, 0x4c, 0x8c, 0x32, 0x6f, 0x67,
    0x41, 0x03, 0xb3, 0x33, 0xdd, 0x00, 0x77, 0x75, 0x09, 0xe6, 0x77, 0x32, 0xb5, 0x97, 0x9a, 0x24, 0x4f, 0x25, 0xbc,
    0xac, 0x85, 0x0f, 0xea, 0x93, 0x6a, 0xc9,
];

/// The message is for the coordinator and must not be delivered: it starts as one, whatever follows and whatever its
/// options say.
pub fn is_coordination(body: &[u8]) -> bool {
    body.starts_with(&HEADER) || body.starts_with(&ALIVE)
}

/// Names an election and the view that comes of it.
///
/// Tomcat's are random. A Clowder node's are 12 random bytes, the same for all its elections, and four that count them:
/// so the later of two is known, in whatever order they arrive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewId(pub [u8; 16]);

impl ViewId {
    /// Version and variant as of a UUID version 4, around random bytes of which the last four do not matter.
    pub(super) fn new(random: [u8; 16], count: u32) -> ViewId {
        let mut id = [0; 16];
        id.copy_from_slice(&MessageId::from_random(random).0);
        id[12..].copy_from_slice(&count.to_be_bytes());
        ViewId(id)
    }

    /// Of the same node.
    pub(super) fn is_akin(self, other: ViewId) -> bool {
        self.0[..12] == other.0[..12]
    }

    /// Of an earlier election of the same node.
    pub(super) fn is_before(self, other: ViewId) -> bool {
        self.is_akin(other) && self.0 < other.0
    }
}

impl fmt::Display for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an election message says of its list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionKind {
    /// The token: it goes from member to member, and each adds whom it knows.
    Request,
    /// The leader's word: this is the view.
    Confirmation,
}

/// A token of an election, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionMessage {
    /// Who ranks first among the members, as far as the sender of this hop knows.
    pub leader: Member,
    /// Who started the election.
    pub source: Member,
    /// Everybody known so far, in absolute order when it comes from a Tomcat or a Clowder node.
    pub members: Vec<Member>,
    /// Of the election, and of its view.
    pub id: ViewId,
    /// Token or view.
    pub kind: ElectionKind,
}

/// A body that [`is_coordination`] recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoordinationMessage {
    /// Takes part in an election.
    Election(Box<ElectionMessage>),
    /// Says nothing: only swallowed.
    Alive,
}

impl ElectionMessage {
    /// The body of a message, byte for byte as Tomcat's.
    pub fn encode(&self) -> Bytes {
        let records = [&self.leader, &self.source].into_iter().chain(&self.members);
        let length = HEADER.len() + 4 + records.map(|member| 4 + member.encoded_len()).sum::<usize>() + 16 + 16;
        let mut out = BytesMut::with_capacity(length);
        out.put_slice(&HEADER);
        put_member(&mut out, &self.leader);
        put_member(&mut out, &self.source);
        out.put_u32(u32::try_from(self.members.len()).expect("members are bounded by their limit"));
        self.members.iter().for_each(|member| put_member(&mut out, member));
        out.put_slice(&self.id.0);
        out.put_slice(match self.kind {
            ElectionKind::Request => &REQUEST,
            ElectionKind::Confirmation => &CONFIRMATION,
        });
        debug_assert_eq!(out.len(), length, "the length is known before");
        out.freeze()
    }

    /// The body as others are told it: members have Tomcat's fields, as a Tomcat keeps the records and relays them.
    pub(super) fn told(&self) -> Bytes {
        let members = self.members.iter().map(Member::plain).collect();
        ElectionMessage { leader: self.leader.plain(), source: self.source.plain(), members, ..*self }.encode()
    }
}

fn put_member(out: &mut BytesMut, member: &Member) {
    out.put_u32(u32::try_from(member.encoded_len()).expect("a member is bounded"));
    member.encode_into(out);
}

impl CoordinationMessage {
    /// Read the body of a message.
    ///
    /// Tomcat: `CoordinationMessage.parse`: a type that is not the confirmation is a request, and what follows the
    /// type is ignored.
    ///
    /// # Errors
    /// The body is cut, its lengths do not fit, it starts as something else, or it exceeds `limits`.
    pub fn decode(body: &Bytes, limits: &Limits) -> Result<CoordinationMessage, WireError> {
        const WHAT: &str = "coordination message";
        if body.starts_with(&ALIVE) {
            return Ok(CoordinationMessage::Alive);
        }
        if !body.starts_with(&HEADER) {
            return Err(WireErrorKind::StartMarker(WHAT).at(0));
        }
        let limit = limits.coordination_bytes_max;
        if body.len() > limit {
            return Err(WireErrorKind::OverLimit { what: WHAT, length: body.len(), limit }.at(0));
        }
        let mut reader = Reader::new(body);
        reader.take(HEADER.len(), "header")?;
        let leader = member(&mut reader, "leader", limits)?;
        let source = member(&mut reader, "source", limits)?;
        let members = members(&mut reader, limits)?;
        let id = ViewId(reader.id("view id")?);
        let kind = match reader.id("type")? {
            CONFIRMATION => ElectionKind::Confirmation,
            _ => ElectionKind::Request,
        };
        Ok(CoordinationMessage::Election(Box::new(ElectionMessage { leader, source, members, id, kind })))
    }
}

fn members(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Member>, WireError> {
    let (at, limit) = (reader.at(), limits.coordination_members_max);
    let count = reader.i32("number of members")?;
    let Ok(count) = usize::try_from(count) else {
        return Err(WireErrorKind::NegativeLength { what: "members", length: count }.at(at));
    };
    if count > limit {
        return Err(WireErrorKind::TooMany { what: "members", count, limit }.at(at));
    }
    (0..count).map(|_| member(reader, "member", limits)).collect()
}

fn member(reader: &mut Reader<'_>, what: &'static str, limits: &Limits) -> Result<Member, WireError> {
    let record = reader.field(what, limits.member_bytes_max)?;
    let start = reader.at() - record.len();
    Member::decode(&record, limits).map_err(|error| WireError { at: start + error.at, ..error })
}
