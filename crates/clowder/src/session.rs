//! One request's handle on its session: typed reading and writing.
//!
//! The session itself lives in the manager, shared by all requests of this node; the handle knows its id, whether this
//! request wrote, and what its cookie must say. No lock is held while code of the caller runs (a closure, a `Serialize`
//! or `Deserialize` implementation). Lock order: the handle's state, then the manager's.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use clowder_proto::session::JavaStr;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sessions::{Confirmation, Core, Facts, Sessions, Ticket};
use crate::{SessionError, value};

/// The session of one request; cheap to clone, and usable after the answer as well.
///
/// A session comes into being with the first write, and until then a request costs the cluster nothing. Values cross
/// to Java through serde: `i32` is an `Integer`, `i64` a `Long`, `f64` a `Double`, `bool` a `Boolean`, `String` a
/// `String`, a sequence an `ArrayList`, a struct or map a `LinkedHashMap`. An attribute whose class nothing here
/// understands is kept and passed on as it came; see [`raw`](Session::raw).
///
/// Changes are seen at once by other requests of this node. They are sent when the handler is done; what is written
/// through a clone after that is sent with each write, and nobody waits for its confirmation.
///
/// When the session was invalidated or expired while the request ran, writing fails with [`SessionError::Ended`] and
/// reading finds nothing: a late request never brings a session back.
#[derive(Clone)]
pub struct Session {
    request: Arc<Request>,
}

struct Request {
    core: Arc<Core>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The session, once there is one.
    id: Option<JavaStr>,
    /// The session was made by this request.
    created: bool,
    /// This request changed the session that `id` names.
    wrote: bool,
    /// The handler is done.
    finished: bool,
    /// Messages about sessions that this request ended.
    farewells: Vec<Arc<Ticket>>,
    cookie: CookieChange,
}

/// What the answer tells the browser about its cookie.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum CookieChange {
    /// Nothing.
    #[default]
    Keep,
    /// This is the id from now on.
    Set(JavaStr),
    /// There is no session any more.
    Remove,
}

/// What is left to do when the handler is done.
pub(crate) struct Finished {
    pub(crate) cookie: CookieChange,
    pub(crate) confirmation: Confirmation,
}

impl Session {
    /// Binds a request to the first of the offered ids that names a live session.
    pub(crate) fn of_request<'a>(sessions: &Sessions, candidates: impl Iterator<Item = &'a str>) -> Self {
        Self::bound(sessions, candidates, true)
    }

    fn bound<'a>(sessions: &Sessions, candidates: impl Iterator<Item = &'a str>, routed: bool) -> Self {
        let core = sessions.core();
        let mut state = State::default();
        if let Some(bound) = core.request_arrived(candidates, routed) {
            if bound.rerouted {
                // A take-over is a change of this request: its answer waits until the replicas know the new id.
                state.wrote = true;
                state.cookie = CookieChange::Set(bound.id.clone());
            }
            state.id = Some(bound.id);
        }
        Self { request: Arc::new(Request { core: core.clone(), state: Mutex::new(state) }) }
    }

    /// A session without a request: for background work, and for services that are not HTTP. With `None` or an unknown
    /// id a session is made with the first write. Changes are sent with each write.
    pub fn open(sessions: &Sessions, id: Option<&str>) -> Self {
        let session = Self::bound(sessions, id.into_iter(), false);
        session.request.state().finished = true;
        session
    }

    /// The handler is done: hands over what is still to send, and what the answer has to wait for.
    pub(crate) fn finish(&self) -> Finished {
        let mut state = self.request.state();
        state.finished = true;
        let mut open = std::mem::take(&mut state.farewells);
        if let Some(id) = &state.id {
            self.request.core.request_completed(id, state.wrote, &mut open);
        }
        state.wrote = false;
        Finished { cookie: std::mem::take(&mut state.cookie), confirmation: Confirmation::of(open) }
    }

    /// The id, `None` before the first write of a request without a session. It changes with
    /// [`renew_id`](Session::renew_id), also with that of a parallel request.
    pub fn id(&self) -> Option<String> {
        let state = self.request.state();
        let id = state.id.as_ref()?;
        Some(self.request.core.current_id(id)?.to_text().into_owned())
    }

    /// True if the session was made by this request, so that the browser has not yet answered with its id.
    pub fn is_new(&self) -> bool {
        let state = self.request.state();
        state.created && state.id.is_some()
    }

    /// Reads an attribute; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`SessionError::Unreadable`] if the attribute does not fit `T`; all others stay readable, and this one stays as
    /// it is.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SessionError> {
        self.raw(name).map(|stream| value::read(name, &stream)).transpose()
    }

    /// The attribute as the standalone Java object stream in which it is kept, whatever its class; `None` if there is
    /// none of this name. [`java_object_stream::class_name`] names the class.
    pub fn raw(&self, name: &str) -> Option<Bytes> {
        let state = self.request.state();
        self.request.core.attribute(state.id.as_ref()?, name)
    }

    /// The names of all attributes, sorted.
    pub fn attribute_names(&self) -> Vec<String> {
        let id = self.request.state().id.clone();
        let mut names = id.map_or_else(Vec::new, |id| self.request.core.attribute_names(&id));
        names.sort_unstable();
        names
    }

    /// Writes an attribute, making the session if there is none.
    ///
    /// # Errors
    /// [`SessionError::Unwritable`] if `T` has no Java form, [`SessionError::Ended`] if the session ended while this
    /// request ran, [`SessionError::TooManySessions`] if a session had to be made and the limit is reached. Nothing is
    /// changed then.
    pub fn set<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), SessionError> {
        self.write(name, value::write(name, value)?)
    }

    /// Writes an attribute as a standalone Java object stream with exactly one object.
    ///
    /// # Errors
    /// [`SessionError::NotAValue`] if the bytes are no such stream; otherwise those of [`set`](Session::set).
    pub fn set_raw(&self, name: &str, stream: Bytes) -> Result<(), SessionError> {
        self.write(name, stream)
    }

    fn write(&self, name: &str, stream: Bytes) -> Result<(), SessionError> {
        self.change(|core, id| core.set_attribute(id, name, stream))
    }

    /// Replaces an attribute by what `change` makes of its present value, atomically among the requests of this node,
    /// and returns the new value. Makes the session if there is none.
    ///
    /// `change` runs without a lock; when another request wrote the attribute meanwhile, it runs again with that value.
    ///
    /// # Errors
    /// Those of [`get`](Session::get) and [`set`](Session::set). Nothing is changed then.
    pub fn update<T, F>(&self, name: &str, mut change: F) -> Result<T, SessionError>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> T,
    {
        loop {
            let old = self.raw(name);
            let new = change(old.as_ref().map(|stream| value::read(name, stream)).transpose()?);
            let stream = value::write(name, &new)?;
            if self.change(|core, id| core.replace_attribute(id, name, old.as_ref(), stream))? {
                return Ok(new);
            }
        }
    }

    /// Writes an attribute only if its present value is `expected` (`None`: only if there is none). Returns whether it
    /// was written. Values are compared in their Java form.
    ///
    /// # Errors
    /// Those of [`set`](Session::set).
    pub fn compare_exchange<T: Serialize>(
        &self,
        name: &str,
        expected: Option<&T>,
        new: &T,
    ) -> Result<bool, SessionError> {
        let expected = expected.map(|value| value::write(name, value)).transpose()?;
        let stream = value::write(name, new)?;
        self.change(|core, id| core.replace_attribute(id, name, expected.as_ref(), stream))
    }

    /// Removes an attribute; returns whether there was one. Makes no session.
    ///
    /// # Errors
    /// [`SessionError::Ended`] if the session ended while this request ran.
    pub fn remove(&self, name: &str) -> Result<bool, SessionError> {
        if self.request.state().id.is_none() {
            return Ok(false);
        }
        self.change(|core, id| core.remove_attribute(id, name))
    }

    /// Gives the session a new id and the browser a new cookie, against session fixation: call it at login. The old
    /// id is worthless from then on, unless a
    /// [`SessionsBuilder::renewal_grace`](crate::SessionsBuilder::renewal_grace) is set. Without a session nothing
    /// happens, as the next write makes one with a fresh id anyway.
    ///
    /// # Errors
    /// [`SessionError::Ended`] if the session ended while this request ran.
    pub fn renew_id(&self) -> Result<(), SessionError> {
        if self.request.state().id.is_none() {
            return Ok(());
        }
        let id = self.change(|core, id| core.renew_id(id))?;
        let mut state = self.request.state();
        state.cookie = CookieChange::Set(id.clone());
        state.id = Some(id);
        Ok(())
    }

    /// Ends the session on all nodes, at once. Requests that run in parallel can no longer write to it, and no message
    /// of another node brings it back. A later write of this request makes a new session.
    pub fn invalidate(&self) {
        let mut state = self.request.state();
        let Some(id) = state.id.take() else { return };
        let state = &mut *state;
        self.request.core.invalidate(&id, &mut state.farewells);
        if state.finished {
            state.farewells.clear();
        }
        (state.created, state.wrote) = (false, false);
        state.cookie = CookieChange::Remove;
    }

    /// How long the session lives without a request; `None`: for ever. `None` if there is no session either.
    pub fn max_inactive(&self) -> Option<Duration> {
        self.facts(|facts| facts.max_inactive)?
    }

    /// Sets how long the session lives without a request, `None` for ever. Whole seconds, rounded up, at least one.
    /// Makes the session if there is none.
    ///
    /// # Errors
    /// Those of [`set`](Session::set).
    pub fn set_max_inactive(&self, interval: impl Into<Option<Duration>>) -> Result<(), SessionError> {
        let interval = interval.into();
        self.change(|core, id| core.set_max_inactive(id, interval))
    }

    /// When the session was made, by the clock of the node that made it.
    pub fn creation_time(&self) -> Option<SystemTime> {
        self.facts(|facts| facts.created)
    }

    /// When the request before this one came, by the clock of this node.
    pub fn last_accessed(&self) -> Option<SystemTime> {
        self.facts(|facts| facts.last_accessed)
    }

    fn facts<R>(&self, read: impl FnOnce(Facts) -> R) -> Option<R> {
        let state = self.request.state();
        self.request.core.facts(state.id.as_ref()?).map(read)
    }

    /// One change of the session, which is made if there is none.
    fn change<R>(
        &self,
        change: impl FnOnce(&Arc<Core>, &JavaStr) -> Result<R, SessionError>,
    ) -> Result<R, SessionError> {
        let core = &self.request.core;
        let mut state = self.request.state();
        let id = match &state.id {
            Some(id) => id.clone(),
            None => {
                let id = core.create()?;
                state.cookie = CookieChange::Set(id.clone());
                (state.id, state.created) = (Some(id.clone()), true);
                id
            }
        };
        let result = change(core, &id)?;
        state.wrote = true;
        if state.finished {
            core.request_completed(&id, false, &mut Vec::new());
        }
        Ok(result)
    }
}

impl Request {
    fn state(&self) -> MutexGuard<'_, State> {
        // No foreign code runs under this lock, so a poisoned state is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    /// Without the id, which is a secret of the browser and does not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.request.state();
        f.debug_struct("Session").field("exists", &state.id.is_some()).field("new", &state.created).finish()
    }
}
