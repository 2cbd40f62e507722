//! TLS between Clowder nodes: what is configured, and what becomes of the files. The connections are in `driver/tls`.

pub(crate) mod certificate;
mod config;
mod error;
mod load;
mod verify;

pub use config::TlsConfig;
pub use error::TlsError;
pub(crate) use load::Loaded;
