//! Which chain and which coordinator all nodes of a world have.

use std::fmt;
use std::time::Duration;

use clowder_proto::chain::{Chain, ChainConfig, LayerConfig};
use clowder_proto::election::{CoordinatorConfig, ElectionConfig, SimpleConfig};

use crate::Kind;

/// From the application to the wire.
const STACKS: &[&[&str]] = &[
    &[],
    &["order"],
    &["fragment"],
    &["two-phase"],
    &["encrypt"],
    &["order", "fragment"],
    &["fragment", "order"],
    &["two-phase", "order"],
    &["order", "two-phase"],
    &["two-phase", "fragment"],
    &["gzip", "order", "fragment"],
    &["order", "fragment", "encrypt"],
    &["two-phase", "fragment", "encrypt"],
    &["two-phase", "gzip", "order", "fragment", "encrypt"],
];
/// Of a hundred worlds, so many have nothing but the place of a coordinator in their chain, if that.
const PLAIN: u32 = 20;
/// No layer holds a message for longer than this; less than the phase without faults lasts.
pub(crate) const EXPIRE_MAX: Duration = Duration::from_secs(13);
/// What waits for its other part waits for longer than that can be under way, held by a lower layer included: who sent it
/// was told that it is there. In milliseconds.
const EXPIRE_MIN: u64 = 11_000;
/// Longer than a message is under way, with the clocks of two nodes as far apart as they get.
const REPLAY_WINDOW: &str = "30000";
/// Some worlds hold no more than this, which a few messages fill.
const HELD_BYTES_MAX: usize = 30_000;

/// The layers of a world.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    names: Vec<&'static str>,
    config: ChainConfig,
    held_bytes_max: usize,
    coordinator: Option<CoordinatorConfig>,
    /// Its messages pass all layers, else none.
    elects_on_top: bool,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coordinator = match (&self.coordinator, self.elects_on_top) {
            (None, _) => "no coordinator",
            (Some(_), true) => "a coordinator above",
            (Some(_), false) => "a coordinator below",
        };
        write!(f, "[{}] and {coordinator}", self.names.join(", "))
    }
}

impl Layers {
    pub(crate) fn draw(rng: &mut fastrand::Rng) -> Layers {
        let stack = if rng.u32(..100) < PLAIN { &[] } else { STACKS[rng.usize(..STACKS.len())] };
        let held_bytes_max = if rng.u8(..4) == 0 { HELD_BYTES_MAX } else { 1 << 20 };
        let mut layers: Vec<LayerConfig> = stack.iter().map(|name| layer(name, held_bytes_max, rng)).collect();
        let coordinator = match rng.u8(..4) {
            0 => None,
            1 => Some(CoordinatorConfig::Simple(SimpleConfig::default())),
            _ => Some(CoordinatorConfig::NonBlocking(election())),
        };
        let elects_on_top = rng.bool();
        if coordinator.is_some() {
            let place = if elects_on_top { 0 } else { layers.len() };
            layers.insert(place, LayerConfig::named("coordinator").expect("Tomcat has it"));
        }
        let config = ChainConfig { layers, option_check: false };
        Layers { names: stack.to_vec(), config, held_bytes_max, coordinator, elects_on_top }
    }

    /// A new chain of one process. `lax`: its layers take four times as much as they should.
    pub(crate) fn chain(&self, lax: bool) -> Chain {
        let mut config = self.config.clone();
        if lax {
            config.layers.iter_mut().for_each(|layer| bound(layer, self.held_bytes_max * 4));
        }
        config.build().expect("a chain that works").0
    }

    /// The settings of the coordinator, if there is one; `seed` is that of its ids.
    pub(crate) fn coordinator(&self, seed: u64) -> Option<CoordinatorConfig> {
        let mut config = self.coordinator.clone();
        if let Some(CoordinatorConfig::NonBlocking(election)) = &mut config {
            election.seed = seed;
        }
        config
    }

    /// There is a coordinator.
    pub fn elects(&self) -> bool {
        self.coordinator.is_some()
    }

    /// Messages of this kind pass the layers.
    pub fn see(&self, kind: Kind) -> bool {
        kind != Kind::Election || self.elects_on_top
    }

    /// What a layer of a process holds at most of what comes from the wire.
    pub fn held_bytes_max(&self) -> usize {
        self.held_bytes_max
    }

    /// What all layers of a process hold at most. One of them alone can hold more than its bound, for it takes what a
    /// lower one held; and what gzip inflates on the way between them costs more than it did below.
    pub fn all_held_bytes_max(&self) -> usize {
        let holding = self.names.iter().filter(|name| holds(name)).count();
        self.held_bytes_max * holding * if self.place("gzip").is_some() { 2 } else { 1 }
    }

    /// The layers can hold so little that a few messages fill them.
    pub fn are_tight(&self) -> bool {
        self.holds() && self.held_bytes_max == HELD_BYTES_MAX
    }

    /// Messages can wait, so that one that is acknowledged need not be delivered yet.
    pub fn holds(&self) -> bool {
        self.names.iter().any(|name| holds(name))
    }

    /// One message is several frames.
    pub fn cuts(&self) -> bool {
        self.place("fragment").is_some()
    }

    /// Two-phase commit keeps its promise for all targets together. Below order each target has a message of its own,
    /// which is committed alone.
    pub fn commits(&self) -> bool {
        self.place("two-phase").is_some_and(|place| self.place("order").is_none_or(|order| place < order))
    }

    /// Delivered in order as far as the layer of order keeps it. What stands above it and gives out messages in the
    /// order of their confirmations spoils that.
    pub fn orders(&self) -> bool {
        self.place("order").is_some() && !self.commits()
    }

    /// Nothing is done about the order of messages, and nothing spoils it.
    pub fn keeps_order(&self) -> bool {
        self.place("order").is_none() && self.place("two-phase").is_none()
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| *other == name)
    }
}

fn holds(name: &str) -> bool {
    matches!(name, "order" | "fragment" | "two-phase")
}

fn layer(name: &str, held_bytes_max: usize, rng: &mut fastrand::Rng) -> LayerConfig {
    let mut layer = LayerConfig::named(name).expect("a layer of Tomcat's");
    let expire_max = u64::try_from(EXPIRE_MAX.as_millis()).expect("a short time");
    let mut set = |attribute, value: &str| layer.set(attribute, value).expect("an attribute of this layer");
    match name {
        "order" => {
            set("expire", &rng.u64(500..3000).to_string());
            set("forwardExpired", if rng.u8(..4) > 0 { "true" } else { "false" });
        }
        "fragment" => {
            set("expire", &rng.u64(EXPIRE_MIN..expire_max).to_string());
            set("maxSize", &rng.u64(120..900).to_string());
        }
        "two-phase" => set("expire", &rng.u64(EXPIRE_MIN..expire_max).to_string()),
        "encrypt" => {
            set("encryptionAlgorithm", "AES/GCM/NoPadding");
            set("encryptionKey", "00112233445566778899aabbccddeeff");
            set("replayWindowTime", REPLAY_WINDOW);
        }
        _ => {}
    }
    bound(&mut layer, held_bytes_max);
    layer
}

fn bound(layer: &mut LayerConfig, held_bytes_max: usize) {
    match layer {
        LayerConfig::Order(config) => config.held_bytes_max = held_bytes_max,
        LayerConfig::Fragment(config) => config.held_bytes_max = held_bytes_max,
        LayerConfig::TwoPhase(config) => config.held_bytes_max = held_bytes_max,
        _ => {}
    }
}

/// With times that allow for several elections in the phase without faults.
fn election() -> ElectionConfig {
    ElectionConfig {
        election_timeout: Duration::from_secs(2),
        check_interval: Duration::from_millis(700),
        reach_timeout: Duration::from_millis(500),
        ..ElectionConfig::default()
    }
}
