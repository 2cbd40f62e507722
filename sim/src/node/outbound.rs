//! The sending side of a process: a link for each peer, and what becomes of each message.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use clowder_proto::Now;
use clowder_proto::group::SendFailure;
use clowder_proto::link::{
    AckReader, Cause, ConnId, Failure, Link, LinkConfig, LinkOut, Order, Outcome, Outgoing as Queued, Token,
};
use clowder_proto::session::Token as SessionToken;
use clowder_proto::wire::{Member, MemberId, Message as Record, MessageId, options};

use super::{Effect, GroupInput, Process, Turn};
use crate::history::{Kind, Sent};
use crate::network::Key;
use crate::{Sabotage, Who};

/// A target of messages.
pub(crate) struct Peer {
    number: u32,
    pub(crate) link: Link,
    conns: BTreeMap<ConnId, Conn>,
}

/// The driver's side of one connection.
#[derive(Default)]
struct Conn {
    out: Vec<Bytes>,
    /// Its turn to write is coming.
    scheduled: bool,
    open: bool,
    reader: AckReader,
}

/// Who wants an outcome.
pub(super) struct Waiter {
    message: usize,
    target: MemberId,
}

/// A message whose outcomes are gathered.
pub(super) struct Message {
    session: Option<SessionToken>,
    missing: usize,
    outcomes: Vec<(MemberId, bool)>,
}

/// A message to be sent.
pub(super) struct Outgoing {
    pub(super) kind: Kind,
    pub(super) body: Bytes,
    pub(super) options: i32,
    pub(super) key: Option<u64>,
}

/// What an application sends.
pub(crate) struct App {
    pub(crate) body: Bytes,
    pub(crate) options: i32,
    pub(crate) key: Option<u64>,
}

impl Peer {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.link.deadline()
    }

    pub(super) fn handle_deadline(&mut self, now: Now) {
        if self.link.deadline().is_some_and(|at| at <= now.mono) {
            self.link.handle_deadline(now);
        }
    }
}

impl Process {
    /// A message of the application to these members.
    pub(crate) fn send_app(&mut self, turn: &mut Turn<'_>, to: &[Member], app: App) {
        let App { body, options, key } = app;
        self.send(turn, to, Outgoing { kind: Kind::Application, body, options, key }, None);
        self.settle(turn);
    }

    pub(super) fn send(
        &mut self,
        turn: &mut Turn<'_>,
        to: &[Member],
        outgoing: Outgoing,
        session: Option<SessionToken>,
    ) {
        let Outgoing { kind, body, options, key } = outgoing;
        let id = MessageId::from_random(turn.rng.u128(..).to_be_bytes());
        let acked = options & options::USE_ACK != 0;
        let sent =
            Sent { sender: self.who, at: turn.now.mono, kind, acked, body: body.clone(), outcomes: BTreeMap::new() };
        let message = turn.history.sent(&id, sent);
        let record = Record { options, timestamp: turn.now.wall_ms(), id, from: self.local.clone(), body };
        let frame = record.encode_frame();
        self.messages.insert(message, Message { session, missing: to.len(), outcomes: Vec::new() });
        for member in to {
            turn.history.sent[message].outcomes.entry(member.id.clone()).or_default();
            let token = self.tokens;
            self.tokens += 1;
            self.waiters.insert(token, Waiter { message, target: member.id.clone() });
            let order = key.map_or(Order::All, Order::Keyed);
            let queued = Queued { token: Token(token), frame: frame.clone(), acked, order };
            self.peer(turn, member).link.queued(turn.now, queued);
        }
    }

    /// The peer of a member; made if it is new.
    fn peer(&mut self, turn: &Turn<'_>, member: &Member) -> &mut Peer {
        let links = &mut self.links;
        self.peers.entry(member.id.clone()).or_insert_with(|| {
            *links += 1;
            let mut config: LinkConfig = turn.settings.link.clone();
            if turn.settings.sabotage == Sabotage::TakesTooMuch {
                config.queue_bytes_max *= 4;
            }
            let mut link = Link::new(config);
            link.announced(turn.now, member.capabilities());
            Peer { number: *links, link, conns: BTreeMap::new() }
        })
    }

    /// A member's record arrived: if messages go to it, its capabilities matter.
    pub(super) fn announced(&mut self, now: Now, member: &Member) {
        if let Some(peer) = self.peers.get_mut(&member.id) {
            peer.link.announced(now, member.capabilities());
        }
    }

    /// A member left: what is on its way to it fails.
    pub(super) fn close_peer(&mut self, turn: &mut Turn<'_>, member: &MemberId) {
        let Some(mut peer) = self.peers.remove(member) else { return };
        peer.link.closed(turn.now);
        self.drain_link(turn, &mut peer, member);
    }

    pub(super) fn drain_links(&mut self, turn: &mut Turn<'_>) -> bool {
        let mut busy = false;
        // Taken out, for an outcome can be an input of everything else.
        let mut peers = std::mem::take(&mut self.peers);
        for (id, peer) in &mut peers {
            busy |= self.drain_link(turn, peer, id);
        }
        debug_assert!(self.peers.is_empty(), "an outcome makes no peer");
        self.peers = peers;
        busy
    }

    fn drain_link(&mut self, turn: &mut Turn<'_>, peer: &mut Peer, id: &MemberId) -> bool {
        let mut busy = false;
        while let Some(out) = peer.link.poll() {
            busy = true;
            let key = |conn| Key { from: self.who, link: peer.number, conn };
            match out {
                LinkOut::Connect { conn } => {
                    peer.conns.insert(conn, Conn::default());
                    turn.effects.push(Effect::Connect(key(conn), id.clone()));
                }
                LinkOut::Write { conn, frame } => {
                    let Some(io) = peer.conns.get_mut(&conn) else { continue };
                    io.out.push(frame);
                    if !std::mem::replace(&mut io.scheduled, true) {
                        turn.effects.push(Effect::Writable(key(conn)));
                    }
                }
                LinkOut::Close { conn } => {
                    if peer.conns.remove(&conn).is_some() {
                        turn.effects.push(Effect::Close(key(conn)));
                    }
                }
                LinkOut::Done { token, outcome, .. } => self.done(turn, token.0, outcome),
            }
        }
        busy
    }

    /// The outcome of a message at one target.
    fn done(&mut self, turn: &mut Turn<'_>, token: u64, outcome: Outcome) {
        let Some(Waiter { message, target }) = self.waiters.remove(&token) else {
            let what = format!("{:?}: a second outcome of a message", self.who);
            return turn.history.violated("outcomes", what);
        };
        let outcome = match turn.settings.sabotage {
            Sabotage::LosesOutcomes if turn.rng.u8(..20) == 0 => return,
            Sabotage::LiesAboutOutcomes => Outcome::Delivered,
            _ => outcome,
        };
        turn.history.outcome(message, &target, outcome);
        if let Outcome::Failed(failure) = outcome {
            self.suspect(&target, failure);
        }
        let Some(gathered) = self.messages.get_mut(&message) else { return };
        gathered.outcomes.push((target, !matches!(outcome, Outcome::Failed(_))));
        gathered.missing -= 1;
        if gathered.missing > 0 {
            return;
        }
        let gathered = self.messages.remove(&message).expect("found above");
        if let Some(session) = gathered.session {
            self.session_message_done(turn, session, &gathered.outcomes);
        }
    }

    /// The failure detector wants to know, unless it is this node's own doing.
    fn suspect(&mut self, target: &MemberId, failure: Failure) {
        let cause = match failure {
            Failure::RemoteProcess => SendFailure::NegativeAck,
            Failure::Timeout | Failure::Connect | Failure::ConnectionLost | Failure::Protocol => {
                SendFailure::Connection
            }
            _ => return,
        };
        self.report(GroupInput::SendFailed(target.clone(), cause));
    }

    fn conn(&mut self, key: Key) -> Option<(&MemberId, &mut Peer)> {
        self.peers.iter_mut().find(|(_, peer)| peer.number == key.link && peer.conns.contains_key(&key.conn))
    }

    pub(crate) fn connected(&mut self, turn: &mut Turn<'_>, key: Key) {
        let now = turn.now;
        if let Some((_, peer)) = self.conn(key) {
            peer.conns.entry(key.conn).or_default().open = true;
            peer.link.connected(now, key.conn);
        }
        self.settle(turn);
    }

    /// A connection of this process ended or could not be made.
    pub(crate) fn lost(&mut self, turn: &mut Turn<'_>, key: Key, cause: Cause) {
        let now = turn.now;
        if let Some((member, peer)) = self.conn(key) {
            let member = member.clone();
            peer.conns.remove(&key.conn);
            peer.link.lost(now, key.conn, cause);
            if cause == Cause::Lost {
                self.report(GroupInput::ConnectionLost(member));
            }
        }
        self.settle(turn);
    }

    /// The turn of a connection to write: some of what waits. Returns the bytes and the number of frames.
    pub(crate) fn write(&mut self, turn: &mut Turn<'_>, key: Key) -> Option<(Bytes, usize)> {
        let (_, peer) = self.conn(key)?;
        let conn = peer.conns.get_mut(&key.conn)?;
        conn.scheduled = false;
        if conn.out.is_empty() || !conn.open {
            return None;
        }
        let count = turn.rng.usize(1..=conn.out.len());
        let mut bytes = BytesMut::new();
        conn.out.drain(..count).for_each(|frame| bytes.put_slice(&frame));
        if !conn.out.is_empty() {
            conn.scheduled = true;
            turn.effects.push(Effect::Writable(key));
        }
        Some((bytes.freeze(), count))
    }

    /// The driver reports what it wrote.
    pub(crate) fn written(&mut self, turn: &mut Turn<'_>, key: Key, count: usize) {
        let now = turn.now;
        if let Some((_, peer)) = self.conn(key) {
            peer.link.written(now, key.conn, count);
        }
        self.settle(turn);
    }

    /// Bytes of a peer on a connection that this process made.
    pub(crate) fn acks_received(&mut self, turn: &mut Turn<'_>, key: Key, bytes: &[u8]) {
        let now = turn.now;
        let mut acks = Vec::new();
        let Some((_, peer)) = self.conn(key) else { return };
        let Some(conn) = peer.conns.get_mut(&key.conn) else { return };
        let result = conn.reader.received(bytes, &mut acks);
        for ack in acks {
            peer.link.acked(now, key.conn, ack);
        }
        if result.is_err() {
            turn.effects.push(Effect::Close(key));
            return self.lost(turn, key, Cause::Protocol);
        }
        self.settle(turn);
    }

    /// What each link holds for its peer: messages and bytes.
    pub(crate) fn queued(&self) -> impl Iterator<Item = (usize, usize)> {
        self.peers.values().map(|peer| (peer.link.unfinished(), peer.link.bytes()))
    }

    /// The members that this process sees now.
    pub(crate) fn sees(&self, who: Who) -> bool {
        self.view.contains(&who.member())
    }
}
