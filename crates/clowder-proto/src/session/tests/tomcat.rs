//! A Tomcat's DeltaManager with its flaws, as far as they matter to a peer.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::net::CONTEXT;
use crate::Now;
use crate::session::wire::{
    self, Action, ActionKind, Delta, Event, SessionData, SessionMessage, decode_sessions, encode_sessions,
};
use crate::session::{JavaStr, SessionLimits};
use crate::wire::Member;

#[derive(Debug, Default, Clone)]
pub(super) struct TomcatSession {
    pub(super) attributes: BTreeMap<String, Bytes>,
    pub(super) max_inactive: i32,
    pub(super) auth_type: Option<Bytes>,
    pub(super) notes: BTreeMap<String, Bytes>,
    /// Changes of running requests that were not sent.
    pub(super) pending: Vec<(String, Option<Bytes>)>,
    pub(super) accessed: i64,
    primary: bool,
}

#[derive(Debug, Default)]
pub(super) struct Tomcat {
    pub(super) sessions: HashMap<String, TomcatSession>,
    /// `None`: to all members.
    pub(super) outbox: Vec<(Option<Member>, Bytes)>,
    /// What its log would show at level warning or above.
    pub(super) warnings: Vec<String>,
    /// The application is not started: questions for state are refused.
    pub(super) no_context: bool,
    /// It does not answer questions for state, as one that waits for state itself.
    pub(super) waiting: bool,
}

fn message(event: Event, id: &str, time: i64, payload: Option<Bytes>) -> Bytes {
    SessionMessage::of(event, &JavaStr::from(CONTEXT), id.as_bytes(), Some(time), payload).encode()
}

impl Tomcat {
    pub(super) fn create(&mut self, now: Now, id: &str) {
        let session = TomcatSession { max_inactive: 1800, primary: true, ..TomcatSession::default() };
        self.sessions.insert(id.to_owned(), session);
        self.outbox.push((None, message(Event::Created, id, now.wall_ms(), None)));
    }

    /// A request sets an attribute and has not ended yet.
    pub(super) fn set(&mut self, id: &str, name: &str, value: Bytes) {
        let session = self.sessions.get_mut(id).expect("the test made it");
        session.attributes.insert(name.to_owned(), value.clone());
        session.pending.push((name.to_owned(), Some(value)));
    }

    /// The request ends. Tomcat: DeltaManager.requestCompleted.
    pub(super) fn complete(&mut self, now: Now, id: &str) {
        let time = now.wall_ms();
        let session = self.sessions.get_mut(id).expect("the test made it");
        session.accessed = time;
        let pending = std::mem::take(&mut session.pending);
        let was_primary = std::mem::replace(&mut session.primary, true);
        if pending.is_empty() {
            if !was_primary {
                self.outbox.push((None, message(Event::Accessed, id, time, None)));
            }
            return;
        }
        let actions = pending.into_iter().map(|(name, value)| Action {
            kind: ActionKind::Attribute,
            remove: value.is_none(),
            name: JavaStr::from(name.as_str()),
            value,
        });
        let delta = Delta { session_id: JavaStr::from(id), record_all: false, actions: actions.collect() };
        let (payload, left_out) = delta.encode();
        assert_eq!(left_out, 0);
        self.outbox.push((None, message(Event::Delta, id, time, Some(payload))));
    }

    pub(super) fn ask(&mut self, now: Now, whom: &Member) {
        self.outbox.push((Some(whom.clone()), message(Event::GetAll, "GET-ALL", now.wall_ms(), None)));
    }

    pub(super) fn received(&mut self, now: Now, from: &Member, body: &Bytes) {
        let limits = SessionLimits::default();
        let decoded = SessionMessage::decode(body, &limits).expect("a Tomcat reads what we write");
        assert_eq!(decoded.context, Some(JavaStr::from(CONTEXT)));
        let id = decoded.session_id.as_ref().map(JavaStr::to_string).expect("always there");
        let time = now.wall_ms();
        match decoded.event {
            Event::Created => {
                // The flaw: an existing session is replaced by an empty one.
                let session = TomcatSession { max_inactive: 1800, accessed: time, ..TomcatSession::default() };
                self.sessions.insert(id, session);
            }
            Event::Expired => {
                self.sessions.remove(&id);
            }
            Event::Accessed => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.primary = false;
                    session.accessed = time;
                }
            }
            Event::GetAll => self.asked(now, from),
            Event::Data => {
                let payload = decoded.payload.expect("a block has a payload");
                for data in decode_sessions(&payload, &limits).expect("a Tomcat reads our blocks") {
                    self.take(now, data);
                }
            }
            Event::Delta => {
                let delta = Delta::decode(&decoded.payload.expect("a delta has one"), &limits).expect("decodes");
                assert_eq!(delta.session_id.to_string(), id, "Tomcat refuses the delta");
                self.apply(now, &id, delta);
            }
            Event::ChangeId => {
                let new = wire::decode_new_id(&decoded.payload.expect("has one"), &limits).expect("decodes");
                if let Some(mut session) = self.sessions.remove(&id) {
                    session.primary = false;
                    self.sessions.insert(new.to_string(), session);
                }
            }
            Event::Complete | Event::NoContextManager => {}
            Event::Unknown(number) => panic!("event {number} does not exist"),
        }
    }

    fn asked(&mut self, now: Now, from: &Member) {
        let time = now.wall_ms();
        if self.waiting {
            return;
        }
        if self.no_context {
            self.warnings.push("no context manager".to_owned());
            let body = SessionMessage::no_context_manager(&JavaStr::from(CONTEXT)).encode();
            self.outbox.push((Some(from.clone()), body));
            return;
        }
        let mut sessions: Vec<SessionData> = self.sessions.iter().map(|(id, session)| session.data(id)).collect();
        sessions.sort_by(|a, b| a.id.cmp(&b.id));
        let payload = encode_sessions(&sessions);
        self.outbox.push((Some(from.clone()), message(Event::Data, "SESSION-STATE", time, Some(payload))));
        self.outbox.push((Some(from.clone()), message(Event::Complete, "SESSION-STATE-TRANSFERRED", time, None)));
    }

    fn take(&mut self, now: Now, data: SessionData) {
        let id = data.id.to_string();
        let mut session =
            TomcatSession { max_inactive: data.max_inactive, accessed: now.wall_ms(), ..TomcatSession::default() };
        session.attributes = data.attributes.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        if self.sessions.insert(id.clone(), session).is_some() {
            self.warnings.push(format!("session {id} replaced"));
        }
    }

    fn apply(&mut self, now: Now, id: &str, delta: Delta) {
        // Unknown: the flaw that loses first attributes.
        let Some(session) = self.sessions.get_mut(id) else { return };
        // The flaw: what running requests recorded is forgotten.
        session.pending.clear();
        session.primary = false;
        session.accessed = now.wall_ms();
        for action in delta.actions {
            let name = action.name.to_string();
            match (action.kind, action.value.filter(|_| !action.remove)) {
                (ActionKind::Attribute, Some(value)) => {
                    session.attributes.insert(name, value);
                }
                (ActionKind::Attribute, None) => {
                    session.attributes.remove(&name);
                }
                (ActionKind::MaxInterval, Some(value)) => {
                    session.max_inactive = wire::integer_value(&value).expect("an Integer");
                }
                (ActionKind::AuthType, value) => session.auth_type = value,
                (ActionKind::Note, Some(value)) => {
                    session.notes.insert(name, value);
                }
                _ => {}
            }
        }
    }
}

impl TomcatSession {
    fn data(&self, id: &str) -> SessionData {
        SessionData {
            id: JavaStr::from(id),
            creation: 1_795_355_000_000,
            last_accessed: self.accessed,
            this_accessed: self.accessed,
            max_inactive: self.max_inactive,
            is_valid: true,
            attributes: self.attributes.iter().map(|(n, v)| (JavaStr::from(n.as_str()), v.clone())).collect(),
            ..SessionData::default()
        }
    }
}
