//! The session manager of one web application: the tokio driver of [`clowder_proto::session::Sessions`].
//!
//! The machine decides everything about sessions. Here are its lock ([`core`]), the requests' side ([`requests`]), the
//! channel's side ([`outlet`], [`route`]), and one task for time and membership ([`driver`]).

mod aliases;
mod builder;
mod confirmation;
mod core;
mod driver;
mod error;
mod outlet;
mod publish;
mod requests;
mod route;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use builder::SessionsBuilder;
pub use clowder_proto::session::{Replication, Stats as SessionStats};
pub use error::SessionError;

pub(crate) use self::core::Core;
pub(crate) use confirmation::{Confirmation, Ticket};
pub(crate) use requests::Facts;


/// The sessions of one web application on this node; cheap to clone.
///
/// Every node of the cluster that serves the application has all its sessions, as with Tomcat's `DeltaManager`.
#[derive(Clone)]
pub struct Sessions {
    core: Arc<Core>,
}

impl Sessions {
    /// Sessions of this node alone, for development and for tests. Everything behaves as in a cluster of one.
    pub fn local(context: &str) -> SessionsBuilder {
        SessionsBuilder::new(context)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The name of the context.
    pub fn context(&self) -> &str {
        &self.core.context
    }

    /// How many sessions this node holds.
    pub fn len(&self) -> usize {
        self.core.look(|inner, _| inner.machine.len())
    }

    /// True if this node holds no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counters since the start.
    pub fn stats(&self) -> SessionStats {
        self.core.look(|inner, _| inner.machine.stats())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("context", &self.core.context).field("len", &self.len()).finish()
    }
}
