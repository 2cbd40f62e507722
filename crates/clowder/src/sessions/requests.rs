//! What a request asks of the manager. Each call is one turn of the lock.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::session::{self as proto, Completion, JavaStr, Snapshot};

use super::SessionError;
use super::builder::seconds;
use super::confirmation::Ticket;
use super::core::{Core, Inner};

/// Random bytes of a session id. Tomcat: StandardSessionIdGenerator — sessionIdLength 16.
const ID_BYTES: usize = 16;

/// A request's session at its arrival.
pub(crate) struct Bound {
    pub(crate) id: JavaStr,
    /// The session was taken over from another route: its id is new, and the browser must learn it.
    pub(crate) rerouted: bool,
}

/// What a session is, apart from its attributes.
pub(crate) struct Facts {
    pub(crate) created: SystemTime,
    pub(crate) last_accessed: SystemTime,
    pub(crate) max_inactive: Option<Duration>,
}

impl Core {
    /// A request came with these ids; the first that names a live session binds it. With `routed`, a session of
    /// another route is taken over.
    pub(crate) fn request_arrived<'a>(
        self: &Arc<Self>,
        candidates: impl Iterator<Item = &'a str>,
        routed: bool,
    ) -> Option<Bound> {
        // Most requests without a session stop here, without a look at the lock.
        let mut candidates = candidates.peekable();
        candidates.peek()?;
        let route = self.config.route.as_deref().filter(|_| routed);
        let grace = self.config.renewal_grace;
        self.input(|inner, now| candidates.find_map(|id| inner.bind(now, id, route, grace)))
    }

    /// The request's handler is done: what it changed is sent. If it `wrote`, what is on its way is added to `open`.
    pub(crate) fn request_completed(self: &Arc<Self>, id: &JavaStr, wrote: bool, open: &mut Vec<Arc<Ticket>>) {
        self.input(|inner, now| {
            let Some(id) = inner.present(id) else { return };
            let completion = inner.machine.request_completed(now, &id.to_text());
            if wrote {
                inner.wait_for(&completion, open);
            }
        });
    }

    /// A new session, told to the cluster at once.
    pub(crate) fn create(self: &Arc<Self>) -> Result<JavaStr, SessionError> {
        let mut random = [0; ID_BYTES];
        getrandom::fill(&mut random).map_err(|_| SessionError::NoRandomness)?;
        let id = proto::session_id(&random, self.config.route.as_deref());
        self.input(|inner, now| inner.machine.create(now, id.clone())).map_err(|error| refused("", error))?;
        Ok(id)
    }

    /// The id that the session has now; `None` if it is gone.
    pub(crate) fn current_id(&self, id: &JavaStr) -> Option<JavaStr> {
        self.look(|inner| inner.present(id))
    }

    pub(crate) fn attribute(&self, id: &JavaStr, name: &str) -> Option<Bytes> {
        self.look(|inner| inner.snapshot(id)?.attribute(name).cloned())
    }

    pub(crate) fn attribute_names(&self, id: &JavaStr) -> Vec<String> {
        // A snapshot is read without the lock; it keeps nothing but itself alive.
        let Some(snapshot) = self.look(|inner| inner.snapshot(id)) else { return Vec::new() };
        snapshot.attributes().map(|(name, _)| name.to_text().into_owned()).collect()
    }

    pub(crate) fn facts(&self, id: &JavaStr) -> Option<Facts> {
        let snapshot = self.look(|inner| inner.snapshot(id))?;
        let interval = u64::try_from(snapshot.max_inactive()).ok().filter(|seconds| *seconds > 0);
        Some(Facts {
            created: time(snapshot.creation()),
            last_accessed: time(snapshot.last_accessed()),
            max_inactive: interval.map(Duration::from_secs),
        })
    }

    pub(crate) fn set_attribute(self: &Arc<Self>, id: &JavaStr, name: &str, value: Bytes) -> Result<(), SessionError> {
        self.change(id, name, |inner, now, id| inner.machine.set_attribute(now, id, name, value))
    }

    /// Writes the attribute if it still is what `expected` says; returns whether it was.
    pub(crate) fn replace_attribute(
        self: &Arc<Self>,
        id: &JavaStr,
        name: &str,
        expected: Option<&Bytes>,
        value: Bytes,
    ) -> Result<bool, SessionError> {
        self.change(id, name, |inner, now, id| {
            // The snapshot must be gone before the write, or the write would copy the session for its sake.
            let same = inner.machine.snapshot(id).is_some_and(|session| session.attribute(name) == expected);
            if same {
                inner.machine.set_attribute(now, id, name, value)?;
            }
            Ok(same)
        })
    }

    /// Returns whether there was such an attribute.
    pub(crate) fn remove_attribute(self: &Arc<Self>, id: &JavaStr, name: &str) -> Result<bool, SessionError> {
        self.change(id, name, |inner, now, id| {
            let there = inner.machine.snapshot(id).is_some_and(|session| session.attribute(name).is_some());
            inner.machine.remove_attribute(now, id, name)?;
            Ok(there)
        })
    }

    pub(crate) fn set_max_inactive(
        self: &Arc<Self>,
        id: &JavaStr,
        interval: Option<Duration>,
    ) -> Result<(), SessionError> {
        self.change(id, "", |inner, now, id| inner.machine.set_max_inactive(now, id, seconds(interval)))
    }

    /// A fresh id for the session, told to the cluster at once.
    pub(crate) fn renew_id(self: &Arc<Self>, id: &JavaStr) -> Result<JavaStr, SessionError> {
        let mut random = [0; ID_BYTES];
        getrandom::fill(&mut random).map_err(|_| SessionError::NoRandomness)?;
        let new = proto::session_id(&random, self.config.route.as_deref());
        self.change(id, "", |inner, now, id| inner.machine.change_id(now, id, new.clone()))?;
        Ok(new)
    }

    /// Ends the session everywhere; what is on its way about it is added to `open`.
    pub(crate) fn invalidate(self: &Arc<Self>, id: &JavaStr, open: &mut Vec<Arc<Ticket>>) {
        self.input(|inner, now| {
            let Some(id) = inner.present(id) else { return };
            if let Ok(completion) = inner.machine.invalidate(now, &id.to_text()) {
                inner.wait_for(&completion, open);
            }
        });
    }

    /// One change of a session that may have another id by now.
    fn change<R>(
        self: &Arc<Self>,
        id: &JavaStr,
        name: &str,
        change: impl FnOnce(&mut Inner, Now, &str) -> Result<R, proto::SessionError>,
    ) -> Result<R, SessionError> {
        self.input(|inner, now| {
            let id = inner.present(id).ok_or(SessionError::Ended)?;
            change(inner, now, &id.to_text()).map_err(|error| refused(name, error))
        })
    }
}

impl Inner {
    fn bind(&mut self, now: Now, id: &str, route: Option<&str>, grace: Duration) -> Option<Bound> {
        if let Some(session) = self.access(now, id, route) {
            // Only a change of the route gives the session another id on the way.
            return Some(Bound { rerouted: session.id().as_bytes() != id.as_bytes(), id: session.id().clone() });
        }
        // Whoever knows only the former id is let in for a while, but does not learn the new one: it may be the one
        // who planted it.
        let id = self.aliases.admit(now.mono, id.as_bytes(), grace)?.to_text().into_owned();
        let session = self.access(now, &id, None)?;
        Some(Bound { id: session.id().clone(), rerouted: false })
    }

    fn access(&mut self, now: Now, id: &str, route: Option<&str>) -> Option<Snapshot> {
        match route {
            Some(route) => self.machine.access_routed(now, id, route),
            None => self.machine.access(now, id),
        }
    }

    /// The present id of a session to which a running request is bound.
    fn present(&self, id: &JavaStr) -> Option<JavaStr> {
        let lives = |id: &JavaStr| self.machine.order_key(&id.to_text()).is_some();
        if lives(id) { Some(id.clone()) } else { self.aliases.follow(id.as_bytes()).filter(|id| lives(id)).cloned() }
    }

    fn snapshot(&self, id: &JavaStr) -> Option<Snapshot> {
        let found = self.machine.snapshot(&id.to_text());
        found.or_else(|| self.machine.snapshot(&self.aliases.follow(id.as_bytes())?.to_text()))
    }

    /// The tickets of the messages that the request has to wait for.
    pub(super) fn wait_for(&mut self, completion: &Completion, open: &mut Vec<Arc<Ticket>>) {
        for token in &completion.tokens {
            open.push(self.awaited.entry(*token).or_insert_with(Ticket::open).clone());
        }
    }
}

fn time(wall_ms: i64) -> SystemTime {
    let distance = Duration::from_millis(wall_ms.unsigned_abs());
    let time = if wall_ms < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.unwrap_or(UNIX_EPOCH)
}

/// The machine's refusal, in terms of the application.
fn refused(name: &str, error: proto::SessionError) -> SessionError {
    use proto::SessionError as Refusal;
    // What is shown of a name that is too long.
    let name = || name.chars().take(64).collect();
    match error {
        Refusal::TooManySessions { limit } => SessionError::TooManySessions { max: limit },
        Refusal::TooManyValues { limit } => SessionError::TooManyAttributes { name: name(), max: limit },
        Refusal::ValueTooLarge { length, limit } => SessionError::TooLarge { name: name(), len: length, max: limit },
        Refusal::NameTooLong { length } => {
            SessionError::TooLarge { name: name(), len: length, max: usize::from(u16::MAX) }
        }
        Refusal::NotAValue => SessionError::NotAValue { name: name() },
        // A taken id: another session has drawn the same 128 random bits, or an id was forced on this one by a peer.
        _ => SessionError::Ended,
    }
}
