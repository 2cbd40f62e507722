//! How a node finds the others: by heartbeats, by a list, by a directory, or several of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clowder_proto::group::{DetectorConfig, GroupConfig, HeartbeatConfig};
use clowder_proto::wire::{Limits, Member};

use crate::discovery::Discovery;

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

/// Heartbeats to addresses, where multicast does not reach. The receivers may be Tomcats: their membership socket takes
/// them, if its `bind` is not set.
///
/// ```no_run
/// # async fn start() -> Result<(), clowder::StartError> {
/// use clowder::{Channel, UnicastHeartbeats};
///
/// let to = ["10.0.0.2:45564", "other.example:45564"];
/// let channel = Channel::builder().listen("10.0.0.1:4000").unicast(UnicastHeartbeats::new(to)).start().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct UnicastHeartbeats {
    pub(crate) to: Vec<String>,
    pub(crate) bind: SocketAddr,
    pub(crate) resolve_interval: Duration,
    pub(crate) heartbeats: HeartbeatConfig,
}

impl UnicastHeartbeats {
    /// Heartbeats to every address of each `HOST:PORT`. This node may be among them. Others must send theirs to this
    /// node: who only receives them does not become known by that.
    pub fn new<T: Into<String>>(to: impl IntoIterator<Item = T>) -> Self {
        UnicastHeartbeats {
            to: to.into_iter().map(Into::into).collect(),
            bind: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 45564),
            resolve_interval: Duration::from_secs(30),
            heartbeats: HeartbeatConfig::default(),
        }
    }

    /// Where the heartbeats of others arrive; only addresses of its family are sent to. Default 0.0.0.0:45564, the port
    /// of Tomcat's membership.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// How often names are resolved again. Default 30 s. While that fails the last addresses are used.
    #[must_use]
    pub fn resolve_interval(mut self, interval: Duration) -> Self {
        self.resolve_interval = interval;
        self
    }

    /// Period of heartbeats. Default 500 ms. With multicast as well, the period is that of [`Multicast`].
    #[must_use]
    pub fn frequency(mut self, frequency: Duration) -> Self {
        self.heartbeats.frequency = frequency;
        self
    }

    /// Silence after which a member is suspected and probed. Default 3 s. With multicast as well, it is that of
    /// [`Multicast`].
    #[must_use]
    pub fn drop_time(mut self, drop_time: Duration) -> Self {
        self.heartbeats.drop_time = drop_time;
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
    /// Heartbeats to addresses, if wanted; besides multicast or without it.
    pub unicast: Option<UnicastHeartbeats>,
    /// Directories that know members. The first one decides under which id this node is known, unless it is given one. At
    /// most 32.
    pub discovery: Vec<Discovery>,
    /// A member that no directory lists any more leaves after this time, unless something else speaks for it. Default
    /// 5 s. Tomcat: `expirationTime`.
    pub expiration_time: Duration,
    /// Members known beforehand. The local node may be among them and is left out.
    pub members: Vec<StaticMember>,
    /// How a death is verified.
    pub detector: DetectorConfig,
    /// Option bits of start and stop notices. Default 0.
    pub notice_flag: i32,
    /// Most members that heartbeats and directories can bring in. Default 1024.
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
            unicast: None,
            discovery: Vec::new(),
            expiration_time: Duration::from_millis(5000),
            members: Vec::new(),
            detector: DetectorConfig::default(),
            notice_flag: 0,
            members_max: 1024,
            changes_max: 1024,
            reports_max: 4096,
        }
    }
}

impl MembershipConfig {
    /// There is one heartbeat, however many ways it goes.
    pub(crate) fn heartbeats(&self) -> Option<&HeartbeatConfig> {
        let multicast = self.multicast.as_ref().map(|multicast| &multicast.heartbeats);
        multicast.or(self.unicast.as_ref().map(|unicast| &unicast.heartbeats))
    }

    pub(crate) fn group(&self, limits: &Limits, seed: u64) -> GroupConfig {
        GroupConfig {
            heartbeats: self.heartbeats().cloned(),
            expiration_time: self.expiration_time,
            configured: self.members.iter().map(|member| Member::new(member.addr, member.unique_id)).collect(),
            detector: self.detector.clone(),
            notice_flag: self.notice_flag,
            members_max: self.members_max,
            limits: limits.clone(),
            seed,
        }
    }
}
