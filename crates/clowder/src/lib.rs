//! Replicated web sessions and group communication, on the wire protocol of Apache Tomcat.

mod http;
mod session;
mod sessions;
mod value;

pub use self::http::{ResponseFuture, SameSite, SessionLayer, SessionService};
pub use session::Session;
pub use sessions::{Replication, SessionError, SessionStats, Sessions, SessionsBuilder};
