//! The session manager of one web application: the tokio driver of [`clowder_proto::session::Sessions`].
//!
//! The machine decides everything about sessions. Here are its lock ([`core`]), the requests' side ([`requests`]), the
//! channel's side ([`outlet`], [`route`], [`cluster`]), and the tasks for time ([`driver`]) and membership.

mod aliases;
mod builder;
mod cluster;
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

use crate::Channel;

/// The sessions of one web application on this node; cheap to clone.
///
/// Every node of the cluster that serves the application has all its sessions, as with Tomcat's `DeltaManager`.
///
/// ```
/// use axum::{Router, routing::get};
/// use clowder::{Session, SessionError, SessionLayer, Sessions};
///
/// async fn home(session: Session) -> Result<String, SessionError> {
///     let visits = session.update("visits", |visits: Option<i32>| visits.unwrap_or(0) + 1)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// # async fn serve() -> Result<(), SessionError> {
/// let sessions = Sessions::local("localhost#/shop").await?;
/// let app: Router = Router::new().route("/", get(home)).layer(SessionLayer::new(sessions));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sessions {
    core: Arc<Core>,
}

impl Sessions {
    /// Sessions that all nodes of the channel's cluster share. Await the result to start: it is ready when this node
    /// holds the sessions that the cluster has, or when there is nobody to ask.
    ///
    /// `context` must be equal on all nodes. Tomcat's name for it is the context path, behind `host#` if its cluster is
    /// configured at the engine: `localhost#/app`; for one at the host it is `/app`. The ROOT application is
    /// `localhost#`, or empty.
    pub fn delta(channel: &Channel, context: &str) -> SessionsBuilder {
        SessionsBuilder::new(Some(channel.clone()), context)
    }

    /// Sessions of this node alone, for development and for tests. Everything behaves as in a cluster of one.
    pub fn local(context: &str) -> SessionsBuilder {
        SessionsBuilder::new(None, context)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Sends what running requests have changed so far, and waits until it is confirmed or given up. Call it when no
    /// more requests come and before the channel stops; the other nodes keep all sessions.
    pub async fn stop(&self) {
        let mut open = Vec::new();
        self.core.input(|inner, now| {
            let completion = inner.machine.stop(now);
            inner.wait_for(&completion, &mut open);
        });
        Confirmation::of(open).await;
    }

    /// The name of the context.
    pub fn context(&self) -> &str {
        &self.core.context
    }

    /// How many sessions this node holds.
    pub fn len(&self) -> usize {
        self.core.look(|inner| inner.machine.len())
    }

    /// True if this node holds no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counters since the start.
    pub fn stats(&self) -> SessionStats {
        self.core.look(|inner| inner.machine.stats())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("context", &self.core.context).field("len", &self.len()).finish()
    }
}
