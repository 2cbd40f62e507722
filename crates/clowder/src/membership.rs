//! How a node finds the others: by multicast, by a list, or both.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clowder_proto::chain::{ChainConfig, LayerConfig};
use clowder_proto::group::{DetectorConfig, GroupConfig, HeartbeatConfig, PingConfig};
use clowder_proto::wire::{Limits, Member};

/// Tomcat: the channel's `heartbeatSleeptime`, the period of a ping without a thread of its own.
const CHANNEL_HEARTBEAT: Duration = Duration::from_secs(5);

/// Discovery by heartbeats to a multicast group. Tomcat: `McastService`, with its defaults.
#[derive(Clone, Debug)]
pub struct Multicast {
    pub(crate) group: SocketAddr,
    pub(crate) interface: Option<IpAddr>,
    pub(crate) ttl: Option<u32>,
    pub(crate) local_loopback_disabled: bool,
    pub(crate) recovery_sleep_time: Duration,
    pub(crate) heartbeats: HeartbeatConfig,
}

impl Multicast {
    /// Heartbeats to `group`; Tomcat's default is 228.0.0.4:45564.
    pub fn new(group: SocketAddr) -> Self {
        Multicast {
            group,
            interface: None,
            ttl: None,
            local_loopback_disabled: false,
            recovery_sleep_time: Duration::from_millis(5000),
            heartbeats: HeartbeatConfig::default(),
        }
    }

    /// The address of the interface to use (Tomcat: `bind`). The socket is then bound to the group itself and hears
    /// nothing else. Default: the system chooses the interface, and unicast heartbeats are heard as well.
    #[must_use]
    pub fn interface(mut self, interface: IpAddr) -> Self {
        self.interface = Some(interface);
        self
    }

    /// Period of heartbeats. Default 500 ms.
    #[must_use]
    pub fn frequency(mut self, frequency: Duration) -> Self {
        self.heartbeats.frequency = frequency;
        self
    }

    /// Silence after which a member is suspected and probed. Default 3 s.
    #[must_use]
    pub fn drop_time(mut self, drop_time: Duration) -> Self {
        self.heartbeats.drop_time = drop_time;
        self
    }

    /// How many routers a heartbeat may pass. Default: the system's, 1.
    #[must_use]
    pub fn ttl(mut self, ttl: u32) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Do not let other nodes of the same machine hear this one. Default false.
    #[must_use]
    pub fn local_loopback_disabled(mut self, disabled: bool) -> Self {
        self.local_loopback_disabled = disabled;
        self
    }

    /// Pause before a broken socket is opened anew. Default 5 s.
    #[must_use]
    pub fn recovery_sleep_time(mut self, pause: Duration) -> Self {
        self.recovery_sleep_time = pause;
        self
    }

    /// Refuse heartbeats whose datagram comes from another address than they name. Default false.
    #[must_use]
    pub fn check_source(mut self, check: bool) -> Self {
        self.heartbeats.check_source = check;
        self
    }
}

/// A member that is known beforehand. Tomcat: `StaticMember`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StaticMember {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its unique id, which it must be configured with itself: a member is its host, its port and this.
    pub unique_id: [u8; 16],
}

impl StaticMember {
    /// The member at `addr` with `unique_id`.
    pub fn new(addr: SocketAddr, unique_id: [u8; 16]) -> Self {
        StaticMember { addr, unique_id }
    }
}

/// Everything about membership.
#[derive(Clone, Debug)]
pub struct MembershipConfig {
    /// Discovery by multicast, if wanted.
    pub multicast: Option<Multicast>,
    /// Members known beforehand. The local node may be among them and is left out.
    pub members: Vec<StaticMember>,
    /// How a death is verified.
    pub detector: DetectorConfig,
    /// Pings to the members. Default none: members are probed where nothing else vouches for them.
    pub pings: Option<PingConfig>,
    /// Option bits of start and stop notices. Default 0.
    pub notice_flag: i32,
    /// Most members that multicast can bring in. Default 1024.
    pub members_max: usize,
    /// Most changes of the view that a slow reader may lag behind; beyond, it gets the difference. Default 1024.
    pub changes_max: usize,
    /// Most reports and notices that wait for the control task; beyond, they are dropped and counted. Default 4096.
    pub reports_max: usize,
}

impl Default for MembershipConfig {
    fn default() -> Self {
        MembershipConfig {
            multicast: None,
            members: Vec::new(),
            detector: DetectorConfig::default(),
            pings: None,
            notice_flag: 0,
            members_max: 1024,
            changes_max: 1024,
            reports_max: 4096,
        }
    }
}

impl MembershipConfig {
    /// What the control plane's layers of a chain say about membership.
    pub(crate) fn apply(&mut self, chain: &ChainConfig) {
        let detected = chain.layers.iter().position(|layer| matches!(layer, LayerConfig::Detector(_)));
        if detected.is_none() && !chain.layers.is_empty() {
            // The others have no detector either: to them the bytes of a probe would be a message.
            self.detector.perform_send_test = false;
        }
        for (at, layer) in chain.layers.iter().enumerate() {
            match layer {
                LayerConfig::Detector(detector) => detector.apply_to(&mut self.detector),
                LayerConfig::Ping(ping) => {
                    let interval = if ping.use_thread { ping.interval } else { CHANNEL_HEARTBEAT };
                    self.detector.ping_flag = ping.option_flag;
                    if detected.is_some_and(|detector| detector > at) {
                        // Tomcat: a ping is then a look at all members by the failure detector.
                        (self.detector.ping_interval, self.detector.ping_all) = (interval, true);
                    } else {
                        self.pings = Some(PingConfig { interval, static_only: ping.static_only });
                    }
                }
                LayerConfig::Static(layer) => {
                    self.notice_flag = layer.option_flag;
                    let members = layer.members.iter();
                    self.members.extend(
                        members.filter_map(|member| {
                            Some(StaticMember::new(member.id.socket_addr()?, member.id.unique_id))
                        }),
                    );
                }
                _ => {}
            }
        }
    }

    pub(crate) fn group(&self, limits: &Limits, seed: u64) -> GroupConfig {
        GroupConfig {
            heartbeats: self.multicast.as_ref().map(|multicast| multicast.heartbeats.clone()),
            configured: self.members.iter().map(|member| Member::new(member.addr, member.unique_id)).collect(),
            detector: self.detector.clone(),
            pings: self.pings.clone(),
            notice_flag: self.notice_flag,
            members_max: self.members_max,
            limits: limits.clone(),
            seed,
        }
    }
}
