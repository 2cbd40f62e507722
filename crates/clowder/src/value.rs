//! Attribute values: Rust on one side, standalone Java object streams on the other.
//!
//! An attribute is kept as the bytes in which it came or was written. It is read when somebody asks, so what cannot be
//! read troubles nobody but the one who asks.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::SessionError;

/// The value as a stream with one object.
pub(crate) fn write<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<Bytes, SessionError> {
    java_object_stream::to_bytes(value).map_err(|source| SessionError::Unwritable { name: name.to_owned(), source })
}

/// The stream's object as a Rust value.
pub(crate) fn read<T: DeserializeOwned>(name: &str, stream: &Bytes) -> Result<T, SessionError> {
    java_object_stream::from_bytes(stream).map_err(|source| unreadable(name, stream, source))
}

fn unreadable(name: &str, stream: &Bytes, source: java_object_stream::Error) -> SessionError {
    let class = java_object_stream::class_name(stream).unwrap_or_else(|_| "?".into()).to_string();
    metrics::counter!("clowder_session_attributes_unreadable_total").increment(1);
    SessionError::Unreadable { name: name.to_owned(), class, source }
}
