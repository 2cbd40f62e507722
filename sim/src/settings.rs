//! What a seed decides before a run begins.

use std::time::Duration;

use clowder_proto::link::LinkConfig;
use clowder_proto::session::{Replication, SessionsConfig};

use crate::{Layers, Sabotage};

/// One run. Everything else follows from it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides everything that is not decided here.
    pub seed: u64,
    /// How many nodes there are.
    pub nodes: usize,
    /// Length of the phase with faults.
    pub faults: Duration,
    /// Length of the phase without.
    pub calm: Duration,
    /// Between two faults, at most.
    pub fault_pause: Duration,
    /// Longest delay of bytes and datagrams.
    pub latency: Duration,
    /// Of a hundred datagrams, so many are lost.
    pub datagram_loss: u32,
    /// Of a hundred application messages, so many are refused by their listener.
    pub refusals: u32,
    /// Longest time that a listener takes for a message.
    pub processing: Duration,
    /// Processes may die.
    pub crashes: bool,
    /// Nodes may be cut off from each other, in one direction or both.
    pub partitions: bool,
    /// Nodes that come back after the faults do it at the same moment.
    pub together: bool,
    /// Of every link.
    pub link: LinkConfig,
    /// Messages to a node use several connections, as those to a Tomcat do, and only those with one key stay in order.
    pub lanes: bool,
    /// What is under way on a connection that its maker gave up can still arrive, after what is sent again.
    pub lingers: bool,
    /// Clocks on the wall jump, to this far from the true time.
    pub clock_step: Duration,
    /// Of every chain, and the coordinator.
    pub layers: Layers,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
}

impl Settings {
    /// What a run with this seed is like.
    pub fn from_seed(seed: u64) -> Settings {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5e77_1265);
        let layers = Layers::draw(&mut rng);
        // Room for the pieces of a large message, which wait together.
        let small = if layers.cuts() { 60_000 } else { 6_000 };
        let link = LinkConfig {
            window: rng.usize(1..24),
            window_bytes: rng.usize(500..20_000),
            queue_bytes_max: if rng.u8(..4) == 0 { small } else { 1 << 20 },
            timeout: Duration::from_millis(rng.u64(1000..3000)),
            connect_timeout: Duration::from_millis(rng.u64(500..2000)),
            ..LinkConfig::default()
        };
        Settings {
            seed,
            nodes: rng.usize(2..6),
            faults: Duration::from_secs(5),
            // What layers hold when it begins can fill them until it expires, one after the other, and what is refused for
            // that is tried again after longer and longer pauses.
            calm: if layers.holds() { Duration::from_secs(45) } else { Duration::from_secs(20) },
            fault_pause: Duration::from_millis(rng.u64(300..1500)),
            latency: Duration::from_micros(rng.u64(200..40_000)),
            datagram_loss: rng.u32(0..30),
            refusals: rng.u32(0..10),
            processing: Duration::from_micros(rng.u64(100..20_000)),
            crashes: rng.u8(..4) > 0,
            partitions: rng.u8(..4) > 0,
            together: rng.bool(),
            link,
            lanes: rng.u8(..4) == 0,
            lingers: rng.bool(),
            clock_step: Duration::from_millis(rng.u64(0..5000)),
            layers,
            sabotage: Sabotage::None,
        }
    }

    /// The same with one part broken.
    #[must_use]
    pub fn sabotaged(mut self, sabotage: Sabotage) -> Settings {
        self.sabotage = sabotage;
        self
    }

    /// Synchronous replication, sessions that do not expire, and pauses that are short enough for the calm phase.
    pub(crate) fn sessions(&self) -> SessionsConfig {
        let mut config = SessionsConfig::new("localhost#/app");
        config.replication = Replication::Synchronous;
        config.max_inactive = 100_000;
        config.transfer.answer_timeout = Duration::from_secs(1);
        config.transfer.progress_timeout = Duration::from_secs(2);
        config.transfer.timeout = Duration::from_secs(5);
        config.transfer.ask_again = Duration::from_secs(2);
        config.transfer.repair_delay = Duration::from_millis(200);
        config
    }
}
