//! Questions to members and their answers. Tomcat: `org.apache.catalina.tribes.group.RpcChannel`.
//!
//! An RPC channel is a name, the **rpc id**; requests and replies are ordinary channel messages that hold one
//! [`RpcMessage`].

mod wire;

#[cfg(test)]
mod tests;

pub use wire::{NULL, RpcContent, RpcLimits, RpcMessage};
