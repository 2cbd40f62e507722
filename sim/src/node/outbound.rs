//! The sending side of a process: a link for each peer, and its connections.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use clowder_proto::Now;
use clowder_proto::link::{AckReader, Cause, ConnId, Link, LinkConfig, LinkOut};
use clowder_proto::wire::{Member, MemberId};

use super::{Effect, GroupInput, Process, Turn};
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
    /// The peer of a member; made if it is new.
    pub(super) fn peer(&mut self, turn: &Turn<'_>, member: &Member) -> &mut Peer {
        let (links, settings) = (&mut self.links, turn.settings);
        // The record of the view knows more than one that another member relayed.
        let record = self.view.iter().find(|seen| *seen == member).unwrap_or(member);
        let peer = self.peers.entry(member.id.clone()).or_insert_with(|| {
            *links += 1;
            let mut config: LinkConfig = settings.link.clone();
            if settings.sabotage == Sabotage::TakesTooMuch {
                config.queue_bytes_max *= 4;
            }
            Peer { number: *links, link: Link::new(config), conns: BTreeMap::new() }
        });
        if !settings.lanes {
            peer.link.announced(turn.now, record.capabilities());
        }
        peer
    }

    /// A member's record arrived: if messages go to it, its capabilities matter.
    pub(super) fn announced(&mut self, turn: &Turn<'_>, member: &Member) {
        if let Some(peer) = self.peers.get_mut(&member.id).filter(|_| !turn.settings.lanes) {
            peer.link.announced(turn.now, member.capabilities());
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
        let mut peers = std::mem::take(&mut self.peers);
        for (id, peer) in &mut peers {
            busy |= self.drain_link(turn, peer, id);
        }
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
                LinkOut::Done { token, outcome, .. } => self.outcomes.push_back((token, outcome)),
            }
        }
        busy
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
