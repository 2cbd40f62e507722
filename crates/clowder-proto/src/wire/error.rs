//! What is wrong with bytes from a peer, and where.

/// Malformed bytes. The peer is at fault; nothing of this node changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {at}")]
pub struct WireError {
    /// What is wrong.
    pub kind: WireErrorKind,
    /// Offset in the input of the decoder that reports it.
    pub at: usize,
}

/// The ways in which bytes can be malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// The start marker of a frame or a member record is not there.
    #[error("no start marker of a {0}")]
    StartMarker(&'static str),
    /// The end marker is not where the length says.
    #[error("no end marker of a {0}")]
    EndMarker(&'static str),
    /// A length is negative.
    #[error("length of {what} is negative ({length})")]
    NegativeLength {
        /// The field.
        what: &'static str,
        /// As it stands on the wire.
        length: i32,
    },
    /// A length points outside of what contains it.
    #[error("length of {what} ({length}) is more than the {left} bytes that remain")]
    TooLong {
        /// The field.
        what: &'static str,
        /// As it stands on the wire.
        length: usize,
        /// What is there.
        left: usize,
    },
    /// A length is allowed by the format and refused by a limit of this node.
    #[error("{what} of {length} bytes exceeds the limit of {limit}")]
    OverLimit {
        /// The field.
        what: &'static str,
        /// As it stands on the wire.
        length: usize,
        /// The limit of this node.
        limit: usize,
    },
    /// A list is longer than a limit of this node.
    #[error("{count} {what} exceed the limit of {limit}")]
    TooMany {
        /// The elements.
        what: &'static str,
        /// As it stands on the wire.
        count: usize,
        /// The limit of this node.
        limit: usize,
    },
    /// The input ends inside a field.
    #[error("input ends inside {0}")]
    Truncated(&'static str),
    /// The content of a frame is neither a message nor an acknowledgement.
    #[error("neither a message nor an acknowledgement")]
    UnknownContent,
}

impl WireErrorKind {
    pub(crate) fn at(self, at: usize) -> WireError {
        WireError { kind: self, at }
    }
}
