//! What a received message says to the membership service.

use bytes::Bytes;

use super::message::MemberMessage;
use crate::rpc::{RpcContent, RpcMessage};
use crate::wire::{Limits, ObjectError};

/// A message of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceMessage {
    /// Said, and to be answered.
    Asked {
        /// Of the request; the answer carries it, too.
        uuid: Bytes,
        /// What was said.
        said: MemberMessage,
    },
    /// Said, plainly or in an answer.
    Told(MemberMessage),
    /// The one that was asked has no such service.
    NoService,
}

impl ServiceMessage {
    /// An RPC message, whose rpc id is that of the service.
    ///
    /// # Errors
    /// Its payload is something else, or malformed.
    pub fn of_rpc(message: &RpcMessage, limits: &Limits) -> Result<ServiceMessage, ObjectError> {
        Ok(match &message.content {
            RpcContent::NoChannel => ServiceMessage::NoService,
            RpcContent::Request(payload) => {
                ServiceMessage::Asked { uuid: message.uuid.clone(), said: MemberMessage::decode(payload, limits)? }
            }
            // Tomcat: replies, also late ones, are processed as if received plainly.
            RpcContent::Reply(payload) => ServiceMessage::Told(MemberMessage::decode(payload, limits)?),
        })
    }
}
