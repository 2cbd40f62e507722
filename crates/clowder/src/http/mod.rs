//! Sessions in HTTP: a tower layer that reads and writes the session cookie, and the extractor for handlers.
//!
//! The layer knows nothing of replication: it binds a request to a session, tells the manager when the handler is
//! done, and in synchronous mode holds the answer back until the manager says that it may leave.

mod cookie;
#[cfg(feature = "axum")]
mod extract;
mod layer;
mod service;

pub use cookie::SameSite;
pub use layer::SessionLayer;
pub use service::{ResponseFuture, SessionService};
