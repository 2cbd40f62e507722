//! The tasks and sockets behind the public types.

pub(crate) mod accept;
pub(crate) mod acks;
mod budget;
mod conn;
pub(crate) mod control;
mod dial;
mod drops;
pub(crate) mod env;
mod linger;
pub(crate) mod mcast;
pub(crate) mod net;
pub(crate) mod peer;
mod probe;
mod refused;
mod unicast;
pub(crate) mod waiters;
