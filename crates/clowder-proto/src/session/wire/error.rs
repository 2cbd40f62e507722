//! What is wrong with a session message.

use java_object_stream::ReadError;

/// A malformed session message. Its sender is at fault; nothing of this node changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {at}")]
pub struct SessionWireError {
    /// What is wrong.
    pub kind: SessionWireErrorKind,
    /// Offset in the stream that holds the fault: the body, or the payload inside it.
    pub at: usize,
}

/// The ways in which a session message can be malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionWireErrorKind {
    /// The object stream cannot be read.
    #[error(transparent)]
    Stream(ReadError),
    /// The stream holds an object of another class.
    #[error("the object is not a session message")]
    NotASessionMessage,
    /// A field that the event needs is null.
    #[error("the message has no {0}")]
    Missing(&'static str),
    /// A value has not the type that belongs there.
    #[error("{what} is not a {expected}")]
    WrongType {
        /// The field.
        what: &'static str,
        /// Its Java type.
        expected: &'static str,
    },
    /// The input ends inside a field.
    #[error("input ends inside {0}")]
    Truncated(&'static str),
    /// A count is negative, or more than the bytes can hold.
    #[error("count of {what} is {count}")]
    BadCount {
        /// The things counted.
        what: &'static str,
        /// As it stands on the wire.
        count: i32,
    },
    /// Allowed by the format and refused by a limit of this node.
    #[error("{what} of {size} exceeds the limit of {limit}")]
    OverLimit {
        /// The thing.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit of this node.
        limit: usize,
    },
}

impl SessionWireErrorKind {
    pub(crate) fn at(self, at: usize) -> SessionWireError {
        SessionWireError { kind: self, at }
    }
}

impl From<ReadError> for SessionWireError {
    fn from(error: ReadError) -> Self {
        let at = error.at;
        SessionWireErrorKind::Stream(error).at(at)
    }
}
