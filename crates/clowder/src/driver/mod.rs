//! The tasks and sockets behind the public types.

pub(crate) mod accept;
mod ack_socket;
pub(crate) mod acks;
mod budget;
mod conn;
pub(crate) mod control;
pub(crate) mod coordinator;
pub(crate) mod datagrams;
pub(crate) mod deliver;
mod dial;
mod drops;
pub(crate) mod env;
pub(crate) mod held;
mod inbound;
mod linger;
pub(crate) mod mcast;
pub(crate) mod net;
pub(crate) mod peer;
mod ports;
mod probe;
pub(crate) mod random;
pub(crate) mod refused;
pub(crate) mod service;
mod threads;
pub(crate) mod tls;
pub(crate) mod udp;
pub(crate) mod waiters;
