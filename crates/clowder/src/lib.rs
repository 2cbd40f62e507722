//! Replicated web sessions and group communication, on the wire protocol of Apache Tomcat.

mod builder;
mod channel;
mod config;
pub mod discovery;
mod driver;
mod error;
mod http;
mod inbox;
mod leader;
pub mod membership;
pub mod metrics;
mod outgoing;
mod pause;
mod route;
mod rpc;
mod send;
mod session;
mod sessions;
#[cfg(feature = "tls")]
mod tls;
pub mod transport;
mod value;
pub mod view;
mod way;

pub use self::http::{ResponseFuture, SameSite, SessionLayer, SessionService};
pub use builder::ChannelBuilder;
pub use channel::Channel;
pub use clowder_proto::chain;
pub use clowder_proto::election::{CoordinatorConfig, ElectionConfig, SimpleConfig, ViewId};
pub use clowder_proto::wire::{Ack, Member, MemberId, Message, MessageId, options};
pub use config::{ChannelLimits, Timeouts};
#[cfg(feature = "dns-srv")]
pub use discovery::DnsSrv;
#[cfg(feature = "kubernetes")]
pub use discovery::Kubernetes;
pub use discovery::{Discovery, Dns};
pub use driver::refused::{Refusal, RefusalEvents};
pub use error::{Full, SendError, SendFailure, StartError};
pub use inbox::{Delivery, Inbox};
pub use leader::{Leaders, Leadership};
pub use membership::{Multicast, StaticMember, StaticService, UnicastHeartbeats};
pub use route::Listener;
pub use rpc::{
    CallsConfig, RpcChannel, RpcChannelBuilder, RpcChannelLimits, RpcError, RpcFate, RpcLeftOver, RpcMode, RpcReply,
    RpcRequest, RpcResult,
};
pub use send::{Fate, Pending, Receipt, SendOptions};
pub use session::Session;
pub use sessions::{Replication, SessionError, SessionStats, Sessions, SessionsBuilder};
#[cfg(feature = "tls")]
pub use tls::{TlsConfig, TlsError};
pub use transport::{ReceiverKind, TransportConfig};
