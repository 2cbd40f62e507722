//! Questions to members and their answers. Tomcat: `org.apache.catalina.tribes.group.RpcChannel`.
//!
//! An RPC channel is a name, the **rpc id**; requests and replies are ordinary channel messages that hold one
//! [`RpcMessage`]. [`Calls`] is the side that asks. The side that answers needs no machine: a reply is the request's
//! [uuid and id](RpcMessage::reply) with another payload.

mod calls;
mod wire;

#[cfg(test)]
mod tests;

pub use calls::{CallEnd, CallError, CallId, Calls, CallsConfig, CallsOut, CallsStats, NewCall, RpcFate, RpcMode};
pub use wire::{NULL, RpcContent, RpcLimits, RpcMessage};
