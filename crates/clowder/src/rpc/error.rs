//! What can go wrong with a call, as a whole and at each target.

use bytes::Bytes;
use clowder_proto::link::Failure;
use clowder_proto::rpc::{CallError, RpcFate as Fate};
use serde::de::DeserializeOwned;

/// Why an RPC channel cannot be opened, a call not be made, or a payload not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// Another RPC channel of this node has the id. Nothing was opened.
    #[error("there is an RPC channel with the id {id:?} already")]
    IdTaken {
        /// The id, as text as far as it is some.
        id: String,
    },
    /// The id is longer than what a node reads. Nothing was opened.
    #[error("an rpc id of {len} bytes exceeds the limit of {max}")]
    IdTooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The caller is at fault, or has too many calls open. Nothing was sent.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A value has no Java form. The caller's doing; nothing was sent.
    #[error("the value cannot be written as a Java object")]
    Unwritable(#[source] java_object_stream::Error),
    /// A payload does not fit the type that was asked for.
    #[error("a payload of class {class} cannot be read as asked for")]
    Unreadable {
        /// The Java class of the payload, or `?` where the bytes do not even name one.
        class: String,
        /// What did not fit.
        source: java_object_stream::Error,
    },
}

/// What became of a call at one of its targets.
#[derive(Debug)]
#[non_exhaustive]
pub enum RpcFate<T = Bytes> {
    /// It answered. Without a type, the answer is a Java object stream with exactly one value.
    Answered(T),
    /// It answered with something that the asked type does not fit.
    Unreadable(RpcError),
    /// It has no such RPC channel.
    NoChannel,
    /// The request did not reach it.
    Failed(Failure),
    /// It stopped being a member before it answered.
    Left,
    /// It answered, and there was no room: see [`CallsConfig::reply_bytes_max`](crate::CallsConfig::reply_bytes_max).
    NoRoom,
    /// It did not answer in time.
    TimedOut,
    /// The call needed no more answers. Its request is sent, and an answer is left over.
    NotAwaited,
}

impl RpcFate {
    pub(super) fn of(fate: Fate) -> RpcFate {
        match fate {
            Fate::Answered(payload) => RpcFate::Answered(payload),
            Fate::NoChannel => RpcFate::NoChannel,
            Fate::Failed(failure) => RpcFate::Failed(failure),
            Fate::Left => RpcFate::Left,
            Fate::NoRoom => RpcFate::NoRoom,
            Fate::TimedOut => RpcFate::TimedOut,
            // One that this driver does not know is none that a caller could act on.
            _ => RpcFate::NotAwaited,
        }
    }

    /// The answer as a Rust value.
    pub(super) fn typed<T: DeserializeOwned>(self) -> RpcFate<T> {
        match self {
            RpcFate::Answered(payload) => read(&payload).map_or_else(RpcFate::Unreadable, RpcFate::Answered),
            RpcFate::Unreadable(error) => RpcFate::Unreadable(error),
            RpcFate::NoChannel => RpcFate::NoChannel,
            RpcFate::Failed(failure) => RpcFate::Failed(failure),
            RpcFate::Left => RpcFate::Left,
            RpcFate::NoRoom => RpcFate::NoRoom,
            RpcFate::TimedOut => RpcFate::TimedOut,
            RpcFate::NotAwaited => RpcFate::NotAwaited,
        }
    }
}

/// A payload as a Rust value.
pub(super) fn read<T: DeserializeOwned>(payload: &Bytes) -> Result<T, RpcError> {
    java_object_stream::from_bytes(payload).map_err(|source| {
        let class = java_object_stream::class_name(payload).unwrap_or_else(|_| "?".into()).to_string();
        RpcError::Unreadable { class, source }
    })
}
