//! Errors of reading and writing streams.
//!
//! A [`ReadError`] is always the fault of the bytes (or of a reader who expects something else in them);
//! a [`WriteError`] is always the fault of the program that writes.

use crate::limits::Limit;
use thiserror::Error;

/// What is wrong with a stream, and at which byte of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} at offset {at}")]
pub struct ReadError {
    /// What is wrong.
    pub kind: ReadErrorKind,
    /// Offset from the start of the stream, its header included.
    pub at: usize,
}

impl ReadError {
    pub(crate) fn new(kind: ReadErrorKind, at: usize) -> Self {
        ReadError { kind, at }
    }
}

/// The ways in which a stream can be unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The bytes do not begin with `aced0005`.
    #[error("no object stream header")]
    NotAStream,
    /// A length goes beyond the end of the bytes.
    #[error("{needed} bytes needed, the stream ends before")]
    Truncated {
        /// Bytes that the item needs from the offset on; saturated for absurd lengths.
        needed: usize,
    },
    /// A code that cannot stand here.
    #[error("code {code:#04x} where {expected} was expected")]
    UnexpectedCode {
        /// The byte found.
        code: u8,
        /// What may stand there.
        expected: &'static str,
    },
    /// A reference to a handle that was not given out.
    #[error("reference to unknown handle {0:#x}")]
    UnknownHandle(u32),
    /// A reference that stands for a class leads to something else.
    #[error("the value is not a class descriptor")]
    NotADescriptor,
    /// A descriptor is used, or extended, inside itself.
    #[error("class descriptor used before its end")]
    UnfinishedDescriptor,
    /// A field signature or an enum constant is not a string.
    #[error("the value is not a string")]
    NotAString,
    /// A field type other than `BCDFIJSZL[`.
    #[error("unknown field type {0:#04x}")]
    UnknownFieldType(u8),
    /// An array whose class name is not that of an array.
    #[error("not the class name of an array")]
    NotAnArrayClass,
    /// A negative count or length.
    #[error("negative length {0}")]
    NegativeLength(i64),
    /// Externalizable data of protocol version 1: only its own class could find the end.
    #[error("external data without block structure")]
    UnstructuredExternal,
    /// An exception marker inside the exception that a marker announced.
    #[error("exception inside an exception")]
    NestedException,
    /// A limit of the reader was reached.
    #[error("limit reached: {0:?}")]
    Limit(Limit),
    /// A primitive was asked for and the data ends, or an object stands there.
    #[error("no more primitive data here")]
    NoData,
    /// An object was asked for and primitive data stands there.
    #[error("unread primitive data where an object was expected")]
    UnreadData,
    /// An object was asked for and the contents have ended.
    #[error("no more contents")]
    NoMoreContents,
    /// The value's writer failed in its middle and left an exception in its place.
    #[error("the writer gave this value up")]
    Aborted,
    /// Malformed modified UTF-8, or an unpaired surrogate where text is needed.
    #[error("the string is not text")]
    NotText,
    /// A stream that should hold exactly one value holds something else.
    #[error("the stream is not exactly one value")]
    NotOneValue,
    /// The value is null and has no class.
    #[error("null has no class")]
    NullValue,
}

/// Why a [`Writer`](crate::Writer) cannot write something. All are faults of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// `writeUTF` takes at most 65,535 bytes of modified UTF-8.
    #[error("string of {0} bytes is too long for writeUTF")]
    UtfTooLong(usize),
    /// The values written for an object are not what its class says.
    #[error("the values written do not fit the class")]
    Layout,
    /// The end of an object that was not begun.
    #[error("end of an object that was not begun")]
    Unbalanced,
}
