//! Whole clusters in virtual time, each run from one seed.
//!
//! A [`World`] holds nodes that are put together from the machines of `clowder-proto` as the driver of `clowder` puts
//! them together: one `Group`, one `Link` per peer, the memory of copies, one `Sessions`. Between them is a network that
//! delays, loses datagrams, breaks connections with what is under way on them, and cuts nodes off; processes die and
//! come back as new ones with nothing. Clients use sessions at any node, and every node sends messages to all others.
//!
//! First comes a phase with faults, then one without. The checkers, one for each promise, look at what truly happened.
//! Each is itself tried against a world in which one part is broken on purpose ([`Sabotage`]).
//!
//! What it does not do: no sockets, no clocks, no threads, no interceptors, no Tomcats.
//!
//! Invariant: a run is decided by its seed and nothing else.

pub mod checkers;
mod faults;
mod history;
mod network;
mod node;
mod run;
mod sabotage;
mod settings;
mod who;
mod workload;
mod world;

pub use history::{Arrival, History, Kind, Sent, Write};
pub use run::{Report, replay_command, run, seeds};
pub use sabotage::Sabotage;
pub use settings::Settings;
pub use who::Who;
pub use world::World;
