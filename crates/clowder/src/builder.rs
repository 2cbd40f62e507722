//! Configures and starts a node.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clowder_proto::wire::{Capabilities, Member};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::channel::{Channel, Inner};
use crate::config::{ChannelLimits, Timeouts};
use crate::discovery::{Discovery, Searches};
use crate::driver::control::Control;
use crate::driver::env::Env;
use crate::driver::{accept, net};
use crate::error::StartError;
use crate::inbox::Delivery;
use crate::membership::{MembershipConfig, Multicast, StaticMember, UnicastHeartbeats};
use crate::send::Encoder;
use crate::view::ViewChanges;

/// An address that no packet goes to; asking for the way to it shows the address that others would see.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// A node that is not started. By default it listens at a port of 4000 to 4100 of every address and knows nobody.
#[derive(Clone, Debug)]
pub struct ChannelBuilder {
    listen: String,
    announce: Option<SocketAddr>,
    unique_id: Option<[u8; 16]>,
    domain: Bytes,
    payload: Bytes,
    membership: MembershipConfig,
    limits: ChannelLimits,
    timeouts: Timeouts,
}

impl Default for ChannelBuilder {
    fn default() -> Self {
        ChannelBuilder {
            listen: "0.0.0.0:4000-4100".to_owned(),
            announce: None,
            unique_id: None,
            domain: Bytes::new(),
            payload: Bytes::new(),
            membership: MembershipConfig::default(),
            limits: ChannelLimits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl ChannelBuilder {
    /// Where to listen: `ADDRESS:PORT`, or `ADDRESS:FIRST-LAST` for the first free port of a range. Port 0 lets the
    /// system choose.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// The address that others connect to; port 0 stands for the bound one. Default: the bound address, or if that
    /// is every address, the one that packets to the others leave from.
    #[must_use]
    pub fn announce(mut self, address: SocketAddr) -> Self {
        self.announce = Some(address);
        self
    }

    /// The member's unique id. Default: what the first directory says, so that the members of a cloud agree about it;
    /// without a directory random, new for each start.
    #[must_use]
    pub fn unique_id(mut self, id: [u8; 16]) -> Self {
        self.unique_id = Some(id);
        self
    }

    /// The member's domain. Default: none.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<Bytes>) -> Self {
        self.domain = domain.into();
        self
    }

    /// The member's payload, which travels with every heartbeat and message. Default: none.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// A member that is known beforehand. Any number.
    #[must_use]
    pub fn member(mut self, member: StaticMember) -> Self {
        self.membership.members.push(member);
        self
    }

    /// Find others by multicast. Default: not.
    #[must_use]
    pub fn multicast(mut self, multicast: Multicast) -> Self {
        self.membership.multicast = Some(multicast);
        self
    }

    /// Send heartbeats to addresses, besides multicast or without it. Default: not.
    #[must_use]
    pub fn unicast(mut self, heartbeats: UnicastHeartbeats) -> Self {
        self.membership.unicast = Some(heartbeats);
        self
    }

    /// Find others in a directory: DNS, or the API server of a Kubernetes cluster. Any number; the first one decides
    /// under which id this node is known, unless it is given one.
    #[must_use]
    pub fn discover(mut self, directory: impl Into<Discovery>) -> Self {
        self.membership.discovery.push(directory.into());
        self
    }

    /// Everything about membership at once, replacing what was configured before.
    #[must_use]
    pub fn membership(mut self, membership: MembershipConfig) -> Self {
        self.membership = membership;
        self
    }

    /// The limits of the data path.
    #[must_use]
    pub fn limits(mut self, limits: ChannelLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The times of the data path.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Start the node on the current tokio runtime. When it returns, others can connect.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left behind.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(self) -> Result<Channel, StartError> {
        let handle = Handle::current();
        let listener = self.bind()?;
        let bound = listener.local_addr().map_err(|source| StartError::Announce { source })?;
        let announced = self.announced(bound)?;
        let directories = self.membership.discovery.clone();
        let searches = Searches::start(directories, announced, self.unique_id.is_some()).await?;
        let unique_id = match self.unique_id.or(searches.own()) {
            Some(id) => id,
            None => random_id()?,
        };
        let mut local = Member::new(announced, unique_id);
        local.domain = self.domain;
        local.payload = self.payload;
        local.extension = Capabilities::ALL.encode();
        let control = Control::start(self.membership, local.clone(), self.limits.wire.clone(), searches)?;
        let changes = control.changes();
        let datagrams = control.datagram_messages();
        let env = Env::new(handle.clone(), self.limits, self.timeouts, control, fastrand::u64(..));
        let mut tasks = vec![
            handle.spawn(accept::run(Arc::clone(&env), listener)).abort_handle(),
            handle.spawn(accept::sweep(Arc::downgrade(&env))).abort_handle(),
            handle.spawn(follow(Arc::clone(&env), changes)).abort_handle(),
        ];
        if let Some(datagrams) = datagrams {
            tasks.push(handle.spawn(deliver_datagrams(Arc::clone(&env), datagrams)).abort_handle());
        }
        Ok(Channel::new(Inner {
            env,
            encoder: Encoder::new(&local),
            local,
            tasks,
            stopped: watch::Sender::new(false),
            extensions: Mutex::new(HashMap::new()),
        }))
    }

    fn bind(&self) -> Result<net::TcpListener, StartError> {
        let (ip, ports) = parse(&self.listen).ok_or_else(|| StartError::Listen { text: self.listen.clone() })?;
        let last_port = *ports.end();
        for port in ports {
            let addr = SocketAddr::new(ip, port);
            match net::listen(addr) {
                Ok(listener) => return Ok(listener),
                Err(source) if port == last_port => return Err(StartError::Bind { last: addr, source }),
                Err(error) => tracing::debug!(%addr, %error, "port is taken, trying the next"),
            }
        }
        Err(StartError::Listen { text: self.listen.clone() })
    }

    /// What to tell others.
    ///
    /// Differs from Tomcat: it announces 0.0.0.0 when it listens there, which nobody can connect to. Test:
    /// a_node_that_listens_everywhere_announces_an_address_that_can_be_reached.
    fn announced(&self, bound: SocketAddr) -> Result<SocketAddr, StartError> {
        if let Some(announce) = self.announce {
            let port = if announce.port() == 0 { bound.port() } else { announce.port() };
            return Ok(SocketAddr::new(announce.ip(), port));
        }
        if !bound.ip().is_unspecified() {
            return Ok(bound);
        }
        let others = self.membership.members.iter().map(|member| member.addr);
        let mut last = None;
        for towards in others.chain([ELSEWHERE]) {
            let any: IpAddr =
                if towards.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let way = UdpSocket::bind(SocketAddr::new(any, 0)).and_then(|socket| {
                socket.connect(towards)?; // sends nothing
                socket.local_addr()
            });
            match way {
                Ok(from) => return Ok(SocketAddr::new(from.ip(), bound.port())),
                Err(source) => last = Some(source),
            }
        }
        let source = last.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
        Err(StartError::Announce { source })
    }
}

/// `ADDRESS:PORT` or `ADDRESS:FIRST-LAST`.
fn parse(text: &str) -> Option<(IpAddr, std::ops::RangeInclusive<u16>)> {
    let (ip, ports) = text.rsplit_once(':')?;
    let ip = ip.strip_prefix('[').map_or(Some(ip), |ip| ip.strip_suffix(']'))?.parse().ok()?;
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((ip, first..=last))
}

fn random_id() -> Result<[u8; 16], StartError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| StartError::Random(error.to_string()))?;
    id[6] = 0x40 | (id[6] & 0x0f);
    id[8] = 0x80 | (id[8] & 0x3f);
    Ok(id)
}

/// Members that leave take what is on its way to them along; announcements reach the links.
async fn follow(env: Arc<Env>, mut changes: ViewChanges) {
    while let Some(change) = changes.next().await {
        change.left.iter().for_each(|(member, _)| env.left(&member.id));
        change.joined.iter().chain(&change.updated).for_each(|member| env.heard(member));
    }
}

/// Messages that came in datagrams: nobody is answered.
async fn deliver_datagrams(env: Arc<Env>, mut datagrams: tokio::sync::mpsc::Receiver<clowder_proto::wire::Message>) {
    while let Some(message) = datagrams.recv().await {
        let listeners = env.router.listeners();
        env.metrics.received.increment(1);
        match listeners.iter().find(|listener| listener.accept(&message)) {
            Some(listener) => listener.received(Delivery::new(message, None)),
            None => {
                let _ = env.inbox.push(&mut vec![Delivery::new(message, None)]); // nobody wants it: so be it
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_at() {
        let ok = |text: &str| parse(text).map(|(ip, ports)| (ip.to_string(), *ports.start(), *ports.end()));
        assert_eq!(ok("127.0.0.1:0"), Some(("127.0.0.1".to_owned(), 0, 0)));
        assert_eq!(ok("0.0.0.0:4000-4100"), Some(("0.0.0.0".to_owned(), 4000, 4100)));
        assert_eq!(ok("[::1]:4000-4000"), Some(("::1".to_owned(), 4000, 4000)));
        for bad in ["", "4000", "localhost:1", "1.2.3.4:70000", "1.2.3.4:5-4", "1.2.3.4:5-", "[::1:5"] {
            assert_eq!(ok(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_node_that_listens_everywhere_announces_an_address_that_can_be_reached() {
        let member = StaticMember::new(SocketAddr::from(([127, 0, 0, 1], 5000)), [1; 16]);
        let builder = ChannelBuilder::default().member(member);
        let bound = SocketAddr::from(([0, 0, 0, 0], 4007));
        assert_eq!(builder.announced(bound).unwrap(), SocketAddr::from(([127, 0, 0, 1], 4007)));
        let told = builder.announce(SocketAddr::from(([10, 9, 8, 7], 0)));
        assert_eq!(told.announced(bound).unwrap(), SocketAddr::from(([10, 9, 8, 7], 4007)));
    }
}
