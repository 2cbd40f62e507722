//! TLS on the secure port. Without the feature `tls` the same names stand for values that cannot exist.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod accept;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(feature = "tls")]
mod stream;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{ReadHalf, Tls, WriteHalf, complaint, run};
#[cfg(feature = "tls")]
pub(crate) use accept::run;
#[cfg(feature = "tls")]
pub(crate) use handshake::{Tls, complaint};
#[cfg(feature = "tls")]
pub(crate) use stream::{ReadHalf, WriteHalf};
