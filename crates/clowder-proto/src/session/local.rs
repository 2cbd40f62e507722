//! What requests of this node do with sessions.

use std::borrow::Cow;

use bytes::Bytes;

use super::out::{EndCause, SessionEvent};
use super::pending::Change;
use super::send::Kind;
use super::state::{CellKey, CellKind, Merge, State};
use super::store::{Entry, SlotRef};
use super::wire::{self, Action, ActionKind, Delta, Event, Trailer};
use super::{JavaStr, Replication, Sessions, Snapshot, Token, id, java_str};
use crate::Now;

/// The note that names the session to FORM authentication. Tomcat: Constants.SESSION_ID_NOTE.
pub(super) const SESSION_ID_NOTE: &str = "org.apache.catalina.authenticator.SESSION_ID";

/// Why a local operation was refused. The caller is at fault, or a limit was reached; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// No session of this id, or it has ended.
    #[error("no such session")]
    NoSuchSession,
    /// The id is that of another session.
    #[error("the session id is taken")]
    IdTaken,
    /// `sessions_max` is reached.
    #[error("{limit} sessions exist, no more are allowed")]
    TooManySessions {
        /// The limit.
        limit: usize,
    },
    /// `attributes_max` is reached.
    #[error("the session holds {limit} values, no more are allowed")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// `attribute_bytes_max` is exceeded.
    #[error("a value of {length} bytes exceeds the limit of {limit}")]
    ValueTooLarge {
        /// Of the value.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The value is not a Java stream with exactly one object.
    #[error("the value is not a Java object stream")]
    NotAValue,
    /// The name does not fit a message (65,535 bytes).
    #[error("a name of {length} bytes is too long")]
    NameTooLong {
        /// Of the name in modified UTF-8.
        length: usize,
    },
}

/// What a request has to wait for. Empty in asynchronous mode, and when nothing is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Each of them comes back as [`SessionsOut::Settled`](super::SessionsOut::Settled), exactly once.
    pub tokens: Vec<Token>,
}

impl Sessions {
    /// Makes a session and tells the others at once.
    ///
    /// # Errors
    /// [`SessionError::TooManySessions`], [`SessionError::IdTaken`].
    pub fn create(&mut self, now: Now, session_id: JavaStr) -> Result<Snapshot, SessionError> {
        if self.store.find(session_id.as_bytes()).is_some() {
            return Err(SessionError::IdTaken);
        }
        check_name(session_id.as_bytes())?;
        let limit = self.config.limits.sessions_max;
        if self.store.len() >= limit {
            self.stats.refused += 1;
            return Err(SessionError::TooManySessions { limit });
        }
        let (ms, wall) = (self.ms(now), now.wall_ms());
        let mut state = State::new(wall, self.config.max_inactive);
        state.max_inactive_stamp = self.clock.tick(wall, state.max_inactive_stamp);
        let mut entry = Entry::new(session_id.clone(), state, ms, wall);
        entry.is_new = true;
        entry.primary = true;
        // A first delta without MAXINTERVAL would leave the peers with the timeout of their own context.
        entry.active_mut().record(Change::IsNew);
        entry.active_mut().record(Change::MaxInactive);
        self.store.ended.remove(session_id.as_bytes());
        self.store.renamed.remove(session_id.as_bytes());
        let slot = self.store.insert(entry);
        self.watch(slot);
        self.stats.created += 1;
        let body = self.message(Event::Created, session_id.as_bytes(), Some(wall), None, None);
        self.tell_all(slot, Kind::Session(Vec::new()), body);
        self.event(SessionEvent::Created { id: session_id, local: true });
        Ok(Snapshot::of(self.store.get(slot).expect("inserted above")))
    }

    /// A request joins the session. `None`: there is none, or it has just ended.
    pub fn access(&mut self, now: Now, session_id: &str) -> Option<Snapshot> {
        let slot = self.named(now, session_id)?;
        if self.end_if_idle(now, slot) {
            return None;
        }
        let ms = self.ms(now);
        let entry = self.store.get_mut(slot)?;
        entry.touch(ms, now.wall_ms());
        Some(Snapshot::of(entry))
    }

    /// A request joins a session that a balancer routed here: a session of another route takes the own one.
    ///
    /// The snapshot has the id to put into the cookie. Tomcat: JvmRouteBinderValve.
    pub fn access_routed(&mut self, now: Now, session_id: &str, route: &str) -> Option<Snapshot> {
        let Some(new) = id::rerouted(session_id, route) else { return self.access(now, session_id) };
        let current = self.named(now, session_id).and_then(|slot| self.store.get(slot)).map(|entry| &entry.id);
        if current.is_none_or(|id| *id == JavaStr::from(new.as_str())) {
            // Another request was faster.
            return self.access(now, &new);
        }
        self.access(now, session_id)?;
        self.change_id(now, session_id, JavaStr::from(new.as_str())).ok()?;
        self.access(now, &new)
    }

    /// The session without a request.
    pub fn snapshot(&self, session_id: &str) -> Option<Snapshot> {
        self.store.get(self.store.find(&java_str::modified_utf8(session_id))?).map(Snapshot::of)
    }

    /// Sets an attribute; `value` is a Java stream with one object.
    ///
    /// Nothing is sent for a value that is there already, byte for byte.
    ///
    /// # Errors
    /// The session is gone or the value is not acceptable, see [`SessionError`].
    pub fn set_attribute(&mut self, now: Now, session_id: &str, name: &str, value: Bytes) -> Result<(), SessionError> {
        self.set(now, session_id, CellKind::Attribute, name, Some(value))
    }

    /// Removes an attribute; without effect if it is not there.
    ///
    /// # Errors
    /// [`SessionError::NoSuchSession`].
    pub fn remove_attribute(&mut self, now: Now, session_id: &str, name: &str) -> Result<(), SessionError> {
        self.set(now, session_id, CellKind::Attribute, name, None)
    }

    /// Sets (or with `None` removes) a note, the principal or the authentication scheme; the name counts for notes.
    ///
    /// # Errors
    /// As [`set_attribute`](Self::set_attribute).
    pub fn set(
        &mut self,
        now: Now,
        session_id: &str,
        kind: CellKind,
        name: &str,
        value: Option<Bytes>,
    ) -> Result<(), SessionError> {
        let slot = self.held(now, session_id)?;
        let name = match kind {
            CellKind::Attribute | CellKind::Note => java_str::modified_utf8(name),
            CellKind::Principal | CellKind::AuthType | CellKind::Listener => Cow::Borrowed(&[][..]),
        };
        check_name(&name)?;
        self.check_value(value.as_ref())?;
        self.write(now, slot, kind, &name, value)
    }

    /// Adds or removes a listener that travels with the session; `listener` is a Java stream.
    ///
    /// # Errors
    /// As [`set_attribute`](Self::set_attribute).
    pub fn set_listener(
        &mut self,
        now: Now,
        session_id: &str,
        listener: &Bytes,
        present: bool,
    ) -> Result<(), SessionError> {
        let slot = self.held(now, session_id)?;
        self.check_value(Some(listener))?;
        self.write(now, slot, CellKind::Listener, listener, present.then(|| listener.clone()))
    }

    /// Seconds without a request after which the session ends; 0 or negative: never.
    ///
    /// # Errors
    /// [`SessionError::NoSuchSession`].
    pub fn set_max_inactive(&mut self, now: Now, session_id: &str, seconds: i32) -> Result<(), SessionError> {
        let slot = self.held(now, session_id)?;
        let ms = self.ms(now);
        let entry = self.store.get_mut(slot).expect("found above");
        if entry.state.max_inactive == seconds {
            return Ok(());
        }
        let stamp = self.clock.tick(now.wall_ms(), entry.state.max_inactive_stamp);
        let state = entry.state_mut();
        (state.max_inactive, state.max_inactive_stamp) = (seconds, stamp);
        entry.changed = ms;
        entry.active_mut().record(Change::MaxInactive);
        self.watch(slot);
        Ok(())
    }

    /// Gives the session another id and tells the others at once; changes that were not sent follow under the new id.
    ///
    /// # Errors
    /// [`SessionError::NoSuchSession`], [`SessionError::IdTaken`].
    pub fn change_id(&mut self, now: Now, session_id: &str, new: JavaStr) -> Result<(), SessionError> {
        let slot = self.held(now, session_id)?;
        check_name(new.as_bytes())?;
        let (ms, wall) = (self.ms(now), now.wall_ms());
        let stamp = self.clock.tick(wall, super::Stamp::default());
        let old = self.store.rename(ms, slot, &new, stamp).ok_or(SessionError::IdTaken)?;
        self.store.ended.remove(new.as_bytes());
        self.store.get_mut(slot).expect("renamed above").changed = ms;
        let body = self.message(
            Event::ChangeId,
            old.as_bytes(),
            Some(wall),
            Some(wire::encode_new_id(&new)),
            Some(&Trailer::Stamp(stamp)),
        );
        self.tell_all(slot, Kind::Renamed { old: old.clone(), new: new.clone() }, body);
        self.follow_id(now, slot, &old, &new);
        self.event(SessionEvent::IdChanged { old, new, local: true });
        Ok(())
    }

    /// The note that repeats the id follows it, as far as it did before. Tomcat: JvmRouteBinderValve.
    fn follow_id(&mut self, now: Now, slot: SlotRef, old: &JavaStr, new: &JavaStr) {
        let Some(entry) = self.store.get(slot) else { return };
        if entry.state.value(CellKind::Note, SESSION_ID_NOTE.as_bytes()) == Some(&wire::string(old)) {
            let followed = self.write(now, slot, CellKind::Note, SESSION_ID_NOTE.as_bytes(), Some(wire::string(new)));
            debug_assert_eq!(followed, Ok(()), "the note exists, so it can be replaced");
        }
    }

    /// Ends the session here and everywhere. The completion is for the request that did it.
    ///
    /// # Errors
    /// [`SessionError::NoSuchSession`].
    pub fn invalidate(&mut self, now: Now, session_id: &str) -> Result<Completion, SessionError> {
        let slot = self.held(now, session_id)?;
        self.stats.invalidated += 1;
        let tokens = self.end_and_tell(now, slot, EndCause::Invalidated);
        Ok(self.completion(tokens))
    }

    /// The request is done with the session: one message with all its changes, or none.
    ///
    /// Unknown ids complete nothing. Changes of parallel requests on this session go out together; a request that finds
    /// its changes sent by another waits for that message.
    pub fn request_completed(&mut self, now: Now, session_id: &str) -> Completion {
        let Ok(slot) = self.held(now, session_id) else { return Completion::default() };
        self.flush(now, slot);
        let tokens = self.store.get(slot).and_then(|entry| entry.active.as_ref()).map(|a| a.in_flight().to_vec());
        self.completion(tokens.unwrap_or_default())
    }

    fn completion(&mut self, tokens: Vec<Token>) -> Completion {
        match self.config.replication {
            Replication::Synchronous => Completion { tokens: self.await_all(tokens) },
            Replication::Asynchronous => Completion::default(),
        }
    }

    /// The request, and what it changed, becomes known to the others.
    fn flush(&mut self, now: Now, slot: SlotRef) {
        let ms = self.ms(now);
        let Some(entry) = self.store.get_mut(slot) else { return };
        let was_primary = std::mem::replace(&mut entry.primary, true);
        if self.peers.is_empty() {
            // The session itself is what a later member gets. Tomcat: ReplicationValve.resetReplicationRequest.
            if let Some(active) = &mut entry.active {
                active.take_pending();
            }
            entry.settle();
            return;
        }
        if entry.active.as_ref().is_some_and(|active| active.has_pending()) {
            self.send_delta(now, slot);
            return;
        }
        // Differs from Tomcat: a mere read sends nothing, where Tomcat sends a delta with ISNEW for every request; the
        // others hear of it often enough not to end the session.
        // Tests: w14_a_read_sends_nothing_and_an_unchanged_value_is_not_sent, w14_reads_become_known_well_within_the_interval.
        let every = self.notice_every(entry_interval(&self.store, slot));
        let entry = self.store.get_mut(slot).expect("found above");
        let due = ms.saturating_sub(entry.noticed) >= if was_primary { every } else { every / 2 };
        if due && entry.state.max_inactive > 0 {
            entry.noticed = ms;
            self.stats.accesses_sent += 1;
            let session_id = entry.id.clone();
            let body = self.message(Event::Accessed, session_id.as_bytes(), Some(now.wall_ms()), None, None);
            self.tell_all(slot, Kind::Access, body);
        }
    }

    /// One delta with everything that is pending, to all members.
    pub(super) fn send_delta(&mut self, now: Now, slot: SlotRef) -> Option<Token> {
        let ms = self.ms(now);
        let entry = self.store.get_mut(slot)?;
        let changes = entry.active.as_mut()?.take_pending();
        entry.noticed = ms;
        let (actions, stamps) = self.actions(slot, &changes);
        if actions.is_empty() {
            self.store.get_mut(slot)?.settle();
            return None;
        }
        let entry = self.store.get(slot)?;
        let delta = Delta { session_id: entry.id.clone(), record_all: false, actions };
        let (payload, unwritable) = delta.encode();
        self.stats.unwritable += unwritable as u64;
        self.stats.deltas_sent += 1;
        let session_id = delta.session_id;
        let trailer = Trailer::Stamps(stamps);
        let body =
            self.message(Event::Delta, session_id.as_bytes(), Some(now.wall_ms()), Some(payload), Some(&trailer));
        self.tell_all(slot, Kind::Session(changes), body)
    }

    /// The changes as actions, with the stamp of each.
    fn actions(&mut self, slot: SlotRef, changes: &[Change]) -> (Vec<Action>, Vec<super::Stamp>) {
        let Some(entry) = self.store.get(slot) else { return Default::default() };
        let state = &entry.state;
        let mut actions = Vec::with_capacity(changes.len());
        let mut stamps = Vec::with_capacity(changes.len());
        for change in changes {
            let (action, stamp) = match change {
                Change::IsNew => (Action::set(ActionKind::IsNew, wire::boolean(true)), super::Stamp::default()),
                Change::MaxInactive => {
                    (Action::set(ActionKind::MaxInterval, wire::integer(state.max_inactive)), state.max_inactive_stamp)
                }
                Change::Cell(key) => {
                    let Some(cell) = state.cell(key.kind, key.name.as_bytes()) else { continue };
                    if !self.config.sends(key.kind, &key.name, cell.value.as_deref()) {
                        self.stats.filtered += u64::from(key.kind == CellKind::Attribute);
                        continue;
                    }
                    (Action::of_cell(cell), cell.stamp)
                }
            };
            actions.push(action);
            stamps.push(stamp);
        }
        (actions, stamps)
    }

    /// Writes a cell and records it.
    pub(super) fn write(
        &mut self,
        now: Now,
        slot: SlotRef,
        kind: CellKind,
        name: &[u8],
        value: Option<Bytes>,
    ) -> Result<(), SessionError> {
        let ms = self.ms(now);
        let entry = self.store.get_mut(slot).ok_or(SessionError::NoSuchSession)?;
        let before = entry.state.cell(kind, name);
        if before.and_then(|cell| cell.value.as_ref()) == value.as_ref() {
            return Ok(());
        }
        let stamp = self.clock.tick(now.wall_ms(), before.map(|cell| cell.stamp).unwrap_or_default());
        let name = before.map_or_else(|| JavaStr::from_modified_utf8(name), |cell| cell.name.clone());
        let limit = self.config.limits.attributes_max;
        if entry.state_mut().merge(kind, &name, value, stamp, limit) == Merge::Full {
            return Err(SessionError::TooManyValues { limit });
        }
        entry.changed = ms;
        entry.active_mut().record(Change::Cell(CellKey { kind, name }));
        Ok(())
    }

    fn check_value(&self, value: Option<&Bytes>) -> Result<(), SessionError> {
        let Some(value) = value else { return Ok(()) };
        let limit = self.config.limits.attribute_bytes_max;
        if value.len() > limit {
            return Err(SessionError::ValueTooLarge { length: value.len(), limit });
        }
        if wire::is_value(value) { Ok(()) } else { Err(SessionError::NotAValue) }
    }

    /// The session that a client names. An id of the past is worthless, or a change of the id at log-in would not
    /// protect from who knew the earlier one; only the route may have changed.
    fn named(&self, now: Now, session_id: &str) -> Option<SlotRef> {
        let wanted = java_str::modified_utf8(session_id);
        let slot = self.store.find_renamed(self.ms(now), &wanted)?;
        let entry = self.store.get(slot)?;
        (id::base(entry.id.as_bytes()) == id::base(&wanted)).then_some(slot)
    }

    /// The session that a running request holds, also if a parallel request changed its id meanwhile.
    fn held(&self, now: Now, session_id: &str) -> Result<SlotRef, SessionError> {
        let slot = self.store.find_renamed(self.ms(now), &java_str::modified_utf8(session_id));
        slot.ok_or(SessionError::NoSuchSession)
    }
}

fn entry_interval(store: &super::store::Store, slot: SlotRef) -> i32 {
    store.get(slot).map_or(0, |entry| entry.state.max_inactive)
}

fn check_name(name: &[u8]) -> Result<(), SessionError> {
    if name.len() > usize::from(u16::MAX) {
        return Err(SessionError::NameTooLong { length: name.len() });
    }
    Ok(())
}
