//! What is wrong with a message that is a Java object.

use java_object_stream::ReadError;

use super::WireErrorKind;

/// A malformed object. Its sender is at fault; nothing of this node changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {at}")]
pub struct ObjectError {
    /// What is wrong.
    pub kind: ObjectErrorKind,
    /// Offset in the stream that holds the object.
    pub at: usize,
}

/// The ways in which an object can be malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectErrorKind {
    /// The object stream cannot be read.
    #[error(transparent)]
    Stream(ReadError),
    /// The stream begins with something else.
    #[error("the value is no {0}")]
    NotA(&'static str),
    /// A field is null or not there.
    #[error("the object has no {0}")]
    Missing(&'static str),
    /// A length is negative.
    #[error("length of {what} is negative ({length})")]
    NegativeLength {
        /// The field.
        what: &'static str,
        /// As it stands on the wire.
        length: i32,
    },
    /// Allowed by the format and refused by a limit of this node.
    #[error("{what} of {length} bytes exceeds the limit of {limit}")]
    OverLimit {
        /// The field.
        what: &'static str,
        /// As it stands on the wire.
        length: usize,
        /// The limit of this node.
        limit: usize,
    },
    /// The member record inside is malformed; its offset counts in the record.
    #[error("member record: {0}")]
    Member(WireErrorKind),
}

impl ObjectErrorKind {
    pub(crate) fn at(self, at: usize) -> ObjectError {
        ObjectError { kind: self, at }
    }
}

impl From<ReadError> for ObjectError {
    fn from(error: ReadError) -> Self {
        let at = error.at;
        ObjectErrorKind::Stream(error).at(at)
    }
}

/// Bytes with their length before them, as primitive data of an object.
pub(crate) fn read_field(
    cursor: &mut java_object_stream::Cursor<'_>,
    what: &'static str,
    limit: usize,
) -> Result<bytes::Bytes, ObjectError> {
    let at = cursor.offset();
    let length = cursor.read_i32()?;
    let Ok(length) = usize::try_from(length) else {
        return Err(ObjectErrorKind::NegativeLength { what, length }.at(at));
    };
    if length > limit {
        return Err(ObjectErrorKind::OverLimit { what, length, limit }.at(at));
    }
    Ok(cursor.read_bytes(length)?.into())
}

/// The counterpart of [`read_field`].
///
/// # Panics
/// If the field has 2 GiB or more: fields are ids and records, which are bounded where they are made.
pub(crate) fn write_field(writer: &mut java_object_stream::Writer, bytes: &[u8]) {
    writer.write_i32(i32::try_from(bytes.len()).expect("ids and records are bounded"));
    writer.write_bytes(bytes);
}
