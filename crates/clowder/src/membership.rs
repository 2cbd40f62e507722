//! How a node finds the others: by heartbeats, by a list, by a directory, or several of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use clowder_proto::chain::{ChainConfig, CoordinatorLayer, LayerConfig};
use clowder_proto::election::{CoordinatorConfig, ElectionConfig, SimpleConfig};
use clowder_proto::group::{DetectorConfig, GroupConfig, HeartbeatConfig, PingConfig, ServiceConfig};
use clowder_proto::wire::{Limits, Member};

use crate::discovery::Discovery;
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
    /// Where it receives datagrams, until something comes from it that says so. Tomcat: `udpPort`. Default none.
    pub udp_port: Option<u16>,
}

impl StaticMember {
    /// The member at `addr` with `unique_id`.
    pub fn new(addr: SocketAddr, unique_id: [u8; 16]) -> Self {
        StaticMember { addr, unique_id, udp_port: None }
    }

    /// It receives datagrams at this port.
    #[must_use]
    pub fn udp_port(mut self, port: u16) -> Self {
        self.udp_port = Some(port);
        self
    }

    /// What is known of it beforehand.
    fn member(&self) -> Member {
        let mut member = Member::new(self.addr, self.unique_id);
        member.udp_port = self.udp_port.map_or(-1, i32::from);
        member
    }
}

/// Discovery by the static membership service: every node is given addresses of others, and they tell each other that
/// they live. Tomcat: `StaticMembershipService`, with its defaults. The local node may be among the members and is left
/// out.
#[derive(Clone, Debug)]
pub struct StaticService {
    pub(crate) name: String,
    pub(crate) members: Vec<StaticMember>,
    pub(crate) ping_interval: Duration,
    pub(crate) expiration_time: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) rpc_timeout: Duration,
}

impl StaticService {
    /// A service without contacts. `name` is that of Tomcat's channel: `Catalina-Channel` for a cluster with the name
    /// Catalina, `null` for a channel without a name. Nodes with another name are no members.
    pub fn new(name: impl Into<String>) -> Self {
        let ServiceConfig { ping_interval, expiration_time, connect_timeout, rpc_timeout, .. } =
            ServiceConfig::new(Bytes::new());
        let name = name.into();
        StaticService { name, members: Vec::new(), ping_interval, expiration_time, connect_timeout, rpc_timeout }
    }

    /// Somebody to ask. Any number. Its unique id need not be known: it says so itself.
    #[must_use]
    pub fn member(mut self, member: StaticMember) -> Self {
        self.members.push(member);
        self
    }

    /// Period of the pings. Default 5 s, the heartbeat of Tomcat's channel; with `useThread` it is `pingInterval`.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Silence after which a member is suspected and probed, but at least a period and the wait for its answers.
    /// Default 5 s.
    #[must_use]
    pub fn expiration_time(mut self, time: Duration) -> Self {
        self.expiration_time = time;
        self
    }

    /// Time for a connection to a contact. Default 500 ms.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Time for a contact to answer. Default 3 s.
    #[must_use]
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.rpc_timeout = timeout;
        self
    }

    fn config(&self) -> ServiceConfig {
        // Tomcat: ISO-8859-1, where what it lacks is a question mark.
        let latin1 = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
        let id: Vec<u8> = self.name.chars().map(latin1).chain(*b"-StaticMembership").collect();
        ServiceConfig {
            membership_id: id.into(),
            contacts: self.members.iter().map(StaticMember::member).collect(),
            ping_interval: self.ping_interval,
            expiration_time: self.expiration_time,
            connect_timeout: self.connect_timeout,
            rpc_timeout: self.rpc_timeout,
        }
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
    /// See only members of this domain. Default none: members of every domain. The local node must be of it, too, or
    /// those do not see it.
    pub domain: Option<Bytes>,
    /// Discovery by the static membership service, if wanted.
    pub service: Option<StaticService>,
    /// Who leads, and how that is agreed. Default: nobody.
    pub coordinator: Option<CoordinatorConfig>,
    /// How a death is verified.
    pub detector: DetectorConfig,
    /// Pings to the members. Default none: members are probed where nothing else vouches for them.
    pub pings: Option<PingConfig>,
    /// Option bits of start and stop notices. Default 0.
    pub notice_flag: i32,
    /// Most members that heartbeats, directories and the static membership service can bring in. Default 1024.
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
            domain: None,
            service: None,
            coordinator: None,
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
    /// There is one heartbeat, however many ways it goes.
    pub(crate) fn heartbeats(&self) -> Option<&HeartbeatConfig> {
        let multicast = self.multicast.as_ref().map(|multicast| &multicast.heartbeats);
        multicast.or(self.unicast.as_ref().map(|unicast| &unicast.heartbeats))
    }

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
                LayerConfig::Domain(layer) => self.domain = Some(layer.domain.clone()),
                LayerConfig::Static(layer) => {
                    self.notice_flag = layer.option_flag;
                    let members = layer.members.iter();
                    self.members.extend(members.filter_map(|member| {
                        let udp_port = member.udp_addr().map(|addr| addr.port());
                        let configured = StaticMember::new(member.id.socket_addr()?, member.id.unique_id);
                        Some(StaticMember { udp_port, ..configured })
                    }));
                }
                LayerConfig::Coordinator(_) => {
                    self.coordinate(CoordinatorConfig::NonBlocking(ElectionConfig::default()))
                }
                LayerConfig::SimpleCoordinator => self.coordinate(CoordinatorConfig::Simple(SimpleConfig::default())),
                _ => {}
            }
        }
    }

    /// What was configured in detail stays.
    fn coordinate(&mut self, default: CoordinatorConfig) {
        self.coordinator.get_or_insert(default);
    }

    /// The place of the coordinator in the chain, if it has none: at the top, so that everything else is done to its
    /// messages, too.
    pub(crate) fn place(&self, chain: &mut ChainConfig) {
        let is_placed =
            |layer: &LayerConfig| matches!(layer, LayerConfig::Coordinator(_) | LayerConfig::SimpleCoordinator);
        let layer = match &self.coordinator {
            Some(CoordinatorConfig::NonBlocking(_)) => LayerConfig::Coordinator(CoordinatorLayer::default()),
            Some(CoordinatorConfig::Simple(_)) => LayerConfig::SimpleCoordinator,
            None => return,
        };
        if !chain.layers.iter().any(is_placed) {
            chain.layers.insert(0, layer);
        }
    }

    /// With a domain filter a configured member counts as one of the domain until its messages tell otherwise: else two
    /// nodes that have each other in their lists would both wait for the other one's first word.
    fn configured(&self, member: &StaticMember) -> Member {
        let domain = self.domain.clone().unwrap_or_default();
        Member { domain, ..member.member() }
    }

    pub(crate) fn group(&self, limits: &Limits, seed: u64) -> GroupConfig {
        GroupConfig {
            heartbeats: self.heartbeats().cloned(),
            expiration_time: self.expiration_time,
            configured: self.members.iter().map(|member| self.configured(member)).collect(),
            domain: self.domain.clone(),
            service: self.service.as_ref().map(StaticService::config),
            detector: self.detector.clone(),
            pings: self.pings.clone(),
            notice_flag: self.notice_flag,
            members_max: self.members_max,
            limits: limits.clone(),
            seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use clowder_proto::chain::DomainConfig;

    use super::*;

    #[test]
    fn the_domain_filter_of_a_chain_is_that_of_its_membership() {
        let mut membership = MembershipConfig::default();
        membership.members.push(StaticMember::new(([10, 0, 0, 2], 4000).into(), [2; 16]));
        let domain = DomainConfig { domain: Bytes::from_static(b"staging"), ..DomainConfig::default() };
        membership.apply(&ChainConfig { layers: vec![LayerConfig::Domain(domain)], option_check: false });
        let group = membership.group(&Limits::default(), 0);
        assert_eq!(group.domain.as_deref(), Some(&b"staging"[..]));
        assert_eq!(group.configured[0].domain, &b"staging"[..], "until it says otherwise");
    }

    #[test]
    fn static_members_receive_datagrams_where_the_configuration_says() {
        let mut membership = MembershipConfig::default();
        membership.members.push(StaticMember::new(([10, 0, 0, 2], 4000).into(), [2; 16]).udp_port(4002));
        let mut member = Member::new(([10, 0, 0, 3], 4000).into(), [3; 16]);
        member.udp_port = 4003;
        let mut layer = clowder_proto::chain::StaticLayer::default();
        layer.members.extend([member, Member::new(([10, 0, 0, 4], 4000).into(), [4; 16])]);
        membership.apply(&ChainConfig { layers: vec![LayerConfig::Static(layer)], option_check: false });
        let ports: Vec<i32> =
            membership.group(&Limits::default(), 0).configured.iter().map(|member| member.udp_port).collect();
        assert_eq!(ports, [4002, 4003, -1]);
    }

    #[test]
    fn the_id_of_a_service_is_its_channels_name_in_latin_1() {
        let id = |name: &str| StaticService::new(name).config().membership_id;
        assert_eq!(id("Catalina-Channel"), &b"Catalina-Channel-StaticMembership"[..]);
        assert_eq!(id("Bär €"), &b"B\xe4r ?-StaticMembership"[..]);
    }
}
