//! Questions to other members and their answers. Tomcat: `RpcChannel`, with the same bytes.
//!
//! An RPC channel is a name on a channel. [`core`] holds the machine of its calls, [`serve`] answers the questions of
//! others; the [`hub`] of the channel brings each received message to the RPC channel that it names.

mod builder;
mod call;
mod core;
mod error;
mod hub;
mod serve;

pub use builder::{RpcChannelBuilder, RpcChannelLimits};
pub use call::{RpcChannel, RpcResult};
pub use clowder_proto::rpc::{CallsConfig, RpcMode};
pub use error::{RpcError, RpcFate};
pub(crate) use hub::listen;
pub use serve::{RpcLeftOver, RpcReply, RpcRequest};
