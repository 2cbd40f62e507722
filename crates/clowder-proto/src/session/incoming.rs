//! A received session message as a value, decoded without the machine.

use bytes::Bytes;

use super::wire::{
    self, Delta, Event, SessionData, SessionExtra, SessionMessage, SessionWireError, SessionWireErrorKind, Trailer,
};
use super::{JavaStr, SessionLimits, Stamp};

/// What a body says. Decoding a large block takes milliseconds: do it before taking the lock around the machine.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub(super) context: Option<JavaStr>,
    pub(super) time: i64,
    /// Bytes of the body, for the accounts of what is parked.
    pub(super) bytes: usize,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Created(JavaStr),
    Expired {
        id: JavaStr,
        /// Known from Clowder nodes only.
        explicit: Option<bool>,
    },
    Accessed(JavaStr),
    /// Empty: everything.
    GetAll(Vec<JavaStr>),
    Data(Vec<ReceivedSession>),
    Delta {
        id: JavaStr,
        delta: Delta,
        /// `None`: from a Tomcat.
        stamps: Option<Vec<Stamp>>,
    },
    Complete {
        /// False: the sender waits for state itself.
        ready: bool,
    },
    ChangeId {
        old: JavaStr,
        new: JavaStr,
        stamp: Option<Stamp>,
    },
    NoContextManager,
    Unknown,
}

impl What {
    /// The session that it changes, under its present id; a block changes many.
    pub(super) fn session(&self) -> Option<&JavaStr> {
        match self {
            What::Created(id) | What::Expired { id, .. } | What::Delta { id, .. } | What::ChangeId { new: id, .. } => {
                Some(id)
            }
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ReceivedSession {
    pub(super) data: SessionData,
    pub(super) extra: Option<SessionExtra>,
}

impl Incoming {
    /// True if a body is a session message, by its first bytes. Cheap.
    pub fn matches(body: &[u8]) -> bool {
        SessionMessage::matches(body)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It is not a session message, or its payload is malformed or exceeds a limit; the sender is at fault.
    pub fn decode(body: &Bytes, limits: &SessionLimits) -> Result<Incoming, SessionWireError> {
        let message = SessionMessage::decode(body, limits)?;
        let trailer = Trailer::decode(&message.trailer);
        let missing = |what| SessionWireErrorKind::Missing(what).at(0);
        let id = || wire::checked_id(message.session_id.clone().ok_or(missing("session id"))?);
        let payload = || message.payload.clone().ok_or(missing("payload"));
        let what = match message.event {
            Event::Created => What::Created(id()?),
            Event::Expired => What::Expired {
                id: id()?,
                explicit: match trailer {
                    Some(Trailer::Flag(explicit)) => Some(explicit),
                    _ => None,
                },
            },
            Event::Accessed => What::Accessed(id()?),
            Event::GetAll => What::GetAll(match trailer {
                Some(Trailer::Ids(ids)) => ids,
                _ => Vec::new(),
            }),
            Event::Data => What::Data(sessions(&payload()?, trailer, limits)?),
            Event::Delta => What::Delta {
                id: id()?,
                delta: Delta::decode(&payload()?, limits)?,
                stamps: match trailer {
                    Some(Trailer::Stamps(stamps)) => Some(stamps),
                    _ => None,
                },
            },
            Event::Complete => What::Complete { ready: !matches!(trailer, Some(Trailer::Flag(false))) },
            Event::ChangeId => What::ChangeId {
                old: id()?,
                new: wire::decode_new_id(&payload()?, limits)?,
                stamp: match trailer {
                    Some(Trailer::Stamp(stamp)) => Some(stamp),
                    _ => None,
                },
            },
            Event::NoContextManager => What::NoContextManager,
            Event::Unknown(_) => What::Unknown,
        };
        let context = message.context;
        Ok(Incoming { context, time: message.time.unwrap_or(0), bytes: body.len(), what })
    }

    /// True if the sender asks for state, and must get an answer even from a node that has none to give.
    pub fn asks_for_state(&self) -> bool {
        matches!(self.what, What::GetAll(_))
    }

    /// The manager that the message is for; `None`: every manager.
    pub fn context(&self) -> Option<&JavaStr> {
        self.context.as_ref()
    }
}

/// Whole sessions, with what Clowder adds to them if the numbers agree.
fn sessions(
    payload: &Bytes,
    trailer: Option<Trailer>,
    limits: &SessionLimits,
) -> Result<Vec<ReceivedSession>, SessionWireError> {
    let sessions = wire::decode_sessions(payload, limits)?;
    let extras = match trailer {
        Some(Trailer::Sessions(extras)) if extras.len() == sessions.len() => extras.into_iter().map(Some).collect(),
        _ => vec![None; sessions.len()],
    };
    Ok(sessions.into_iter().zip(extras).map(|(data, extra)| ReceivedSession { data, extra }).collect())
}

/// The body of the answer to a question for the state of a context that does not run here. Send it with the options
/// and the key of [`Send`](super::Send), or a Tomcat that starts waits for a minute.
pub fn no_context_manager(context: &JavaStr) -> Bytes {
    SessionMessage::no_context_manager(context).encode()
}
