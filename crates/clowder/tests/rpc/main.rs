//! RPC channels of whole nodes over real sockets on loopback. A Tomcat is made of raw sockets and recorded bytes. Every
//! wait is for a condition.

#![allow(clippy::unwrap_used)] // in tests a panic is the right report

#[path = "../channel/counts.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod counts;
#[path = "../channel/nodes.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod nodes;
#[path = "../channel/raw.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod raw;

mod asking;
mod counted;
mod handling;
mod service;
mod tomcat;
mod world;
