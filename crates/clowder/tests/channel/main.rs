//! The data path of whole nodes over real sockets on loopback. Peers that a node cannot be (a Tomcat, a hostile one, a
//! network that breaks) are made of raw sockets. Every wait is for a condition.

#![allow(clippy::unwrap_used)] // in tests a panic is the right report

mod counts;
mod nodes;
mod proxy;
mod raw;

mod chain;
mod fates;
mod hostile;
mod inbound;
mod keys;
mod leader;
mod limits;
mod multicast;
mod ordering;
mod outcomes;
mod stop;
#[cfg(feature = "tls")]
mod tls;
mod tomcat;
mod transport;
mod udp;
mod unicast;
mod view;
