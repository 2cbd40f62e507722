//! Whole clusters in virtual time, each run from one seed.
//!
//! A [`World`] holds nodes that are put together from the machines of `clowder-proto` as the driver of `clowder` puts
//! them together: one `Group`, one `Chain`, one `Link` per peer, the memory of copies, one `Sessions`, and in most worlds
//! one `Coordinator`. All nodes of a world have the same layers ([`Layers`]): none, or order, fragmentation, two-phase
//! commit, compression and encryption in several combinations. Between the nodes is a network that delays, loses
//! datagrams, breaks connections with what is under way on them or lets that come after what is sent again, and cuts
//! nodes off; processes die and come back as new ones with nothing; wall clocks jump. In some worlds a node has several
//! connections to another, as towards a Tomcat, which overtake each other. Clients use sessions at any node, and every
//! node sends messages to others.
//!
//! First comes a phase with faults, then one without. The checkers, one for each promise, look at what truly happened.
//! Each is itself tried against a world in which one part is broken on purpose ([`Sabotage`]).
//!
//! What it does not do: no sockets, no true clocks, no threads, no datagrams of the data plane, no Tomcats, no nodes
//! with different chains, no interceptors of an application.
//!
//! Invariant: a run is decided by its seed and nothing else.

pub mod checkers;
mod faults;
mod history;
mod layers;
mod network;
mod node;
mod run;
mod sabotage;
mod settings;
mod who;
mod workload;
mod world;

pub use history::{Arrival, History, Kind, Led, Rejected, Sent, Write};
pub use layers::Layers;
pub use run::{Report, replay_command, run, seeds};
pub use sabotage::Sabotage;
pub use settings::Settings;
pub use who::Who;
pub use world::World;
