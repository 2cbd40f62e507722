//! The tasks and sockets behind the public types.

pub(crate) mod control;
mod drops;
pub(crate) mod mcast;
mod probe;
