//! Replicated web sessions and group communication, on the wire protocol of Apache Tomcat.

mod builder;
mod channel;
mod config;
pub mod discovery;
mod driver;
mod error;
mod http;
mod inbox;
pub mod membership;
pub mod metrics;
mod route;
mod send;
mod session;
mod sessions;
mod value;
pub mod view;

pub use self::http::{ResponseFuture, SameSite, SessionLayer, SessionService};
pub use builder::ChannelBuilder;
pub use channel::Channel;
pub use clowder_proto::wire::{Member, MemberId, Message, MessageId, options};
pub use config::{ChannelLimits, Timeouts};
#[cfg(feature = "dns-srv")]
pub use discovery::DnsSrv;
#[cfg(feature = "kubernetes")]
pub use discovery::Kubernetes;
pub use discovery::{Discovery, Dns};
pub use error::{Full, SendError, SendFailure, StartError};
pub use inbox::{Delivery, Inbox};
pub use membership::{Multicast, StaticMember, UnicastHeartbeats};
pub use route::Listener;
pub use send::{Fate, Pending, Receipt, SendOptions};
pub use session::Session;
pub use sessions::{Replication, SessionError, SessionStats, Sessions, SessionsBuilder};
