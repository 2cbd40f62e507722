//! Configures and starts a node.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clowder_proto::chain::{ChainConfig, Flush, LayerConfig};
use clowder_proto::wire::{Capabilities, Member, Message};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::channel::{Channel, Inner};
use crate::config::{ChannelLimits, Timeouts};
use crate::driver::control::Control;
use crate::driver::deliver::Batch;
use crate::driver::env::Env;
use crate::driver::tls::{self, Tls};
use crate::driver::{accept, held, net};
use crate::error::StartError;
use crate::membership::{MembershipConfig, Multicast, StaticMember};
use crate::send::Encoder;
use crate::view::ViewChanges;

/// An address that no packet goes to; asking for the way to it shows the address that others would see.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// Ports behind the plain one that are tried for the secure one.
const SECURE_PORTS: u16 = 100;

/// A node that is not started. By default it listens at a port of 4000 to 4100 of every address and knows nobody.
#[derive(Clone, Debug)]
pub struct ChannelBuilder {
    listen: String,
    announce: Option<SocketAddr>,
    unique_id: Option<[u8; 16]>,
    domain: Bytes,
    payload: Bytes,
    membership: MembershipConfig,
    chain: ChainConfig,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::TlsConfig>,
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
            chain: ChainConfig::default(),
            #[cfg(feature = "tls")]
            tls: None,
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

    /// The member's unique id. Default: random, new for each start.
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

    /// Everything about membership at once, replacing what was configured before.
    #[must_use]
    pub fn membership(mut self, membership: MembershipConfig) -> Self {
        self.membership = membership;
        self
    }

    /// What is done to messages between the application and the wire, from the application to the wire. Every node of
    /// the cluster needs the same. The layers of the control plane (detector, ping, static members, domain, coordinator)
    /// set what they are named after. Default: nothing.
    #[must_use]
    pub fn chain(mut self, chain: ChainConfig) -> Self {
        self.chain = chain;
        self
    }

    /// One more layer, below those that are there.
    #[must_use]
    pub fn layer(mut self, layer: LayerConfig) -> Self {
        self.chain.layers.push(layer);
        self
    }

    /// TLS with the Clowder nodes that have it, too. Default: none.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::TlsConfig) -> Self {
        self.tls = Some(tls);
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
        let (chain, warnings) = self.chain.build()?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let mut membership = self.membership.clone();
        membership.apply(&self.chain);
        let tls = self.load_tls()?;
        let listener = bind(&self.listen)?;
        let bound = listener.local_addr().map_err(|source| StartError::Announce { source })?;
        let secure = tls.as_ref().map(|tls| self.bind_secure(tls, bound)).transpose()?;
        let unique_id = match self.unique_id {
            Some(id) => id,
            None => random_id()?,
        };
        let mut local = Member::new(self.announced(bound)?, unique_id);
        local.domain = self.domain;
        local.payload = self.payload;
        local.extension = Capabilities::ALL.encode();
        if let Some((_, port)) = secure {
            local.secure_port = i32::from(port);
            local.extension = Capabilities::ALL.and(Capabilities::TLS).encode();
        }
        let control = Control::start(membership, chain.clone(), local.clone(), self.limits.wire.clone())?;
        let changes = control.changes();
        let datagrams = control.datagram_messages();
        let env = Env::new(handle.clone(), self.limits, self.timeouts, control, chain, tls, fastrand::u64(..));
        let mut tasks = vec![
            handle.spawn(accept::run(Arc::clone(&env), listener)).abort_handle(),
            handle.spawn(accept::sweep(Arc::downgrade(&env))).abort_handle(),
            handle.spawn(follow(Arc::clone(&env), changes)).abort_handle(),
        ];
        if let Some((listener, _)) = secure {
            tasks.push(handle.spawn(tls::run(Arc::clone(&env), listener)).abort_handle());
        }
        if !env.chain.is_empty() {
            tasks.push(handle.spawn(held::keep_time(Arc::downgrade(&env))).abort_handle());
        }
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

    #[cfg(feature = "tls")]
    fn load_tls(&self) -> Result<Option<Tls>, StartError> {
        Ok(self.tls.clone().map(Tls::load).transpose()?)
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "with the feature it may fail")]
    fn load_tls(&self) -> Result<Option<Tls>, StartError> {
        Ok(None)
    }

    /// The secure port and its number. Next to the plain one, if nothing else was said.
    fn bind_secure(&self, tls: &Tls, plain: SocketAddr) -> Result<(net::TcpListener, u16), StartError> {
        let listener = match tls.listen() {
            Some(text) => bind(text)?,
            None => {
                let chosen = parse(&self.listen).is_some_and(|(_, ports)| *ports.end() > 0);
                let first = if chosen { plain.port().saturating_add(1) } else { 0 };
                let last = if chosen { plain.port().saturating_add(SECURE_PORTS) } else { 0 };
                bind_one_of(plain.ip(), first..=last)?
            }
        };
        let bound = listener.local_addr().map_err(|source| StartError::Announce { source })?;
        Ok((listener, bound.port()))
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

fn bind(text: &str) -> Result<net::TcpListener, StartError> {
    let (ip, ports) = parse(text).ok_or_else(|| StartError::Listen { text: text.to_owned() })?;
    bind_one_of(ip, ports)
}

/// The first port that is free.
fn bind_one_of(ip: IpAddr, ports: RangeInclusive<u16>) -> Result<net::TcpListener, StartError> {
    let mut last = SocketAddr::new(ip, *ports.end());
    let mut refused = std::io::ErrorKind::AddrNotAvailable.into();
    for port in ports {
        last.set_port(port);
        match net::listen(last) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                tracing::debug!(addr = %last, %error, "port is taken, trying the next");
                refused = error;
            }
        }
    }
    Err(StartError::Bind { last, source: refused })
}

/// `ADDRESS:PORT` or `ADDRESS:FIRST-LAST`.
fn parse(text: &str) -> Option<(IpAddr, RangeInclusive<u16>)> {
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
        for (member, _) in &change.left {
            env.left(&member.id);
            held::flush(&env, &member.id, Flush::Left);
        }
        change.joined.iter().chain(&change.updated).for_each(|member| env.heard(member));
    }
}

/// Messages that came in datagrams: nobody is answered.
async fn deliver_datagrams(env: Arc<Env>, mut datagrams: tokio::sync::mpsc::Receiver<Message>) {
    while let Some(message) = datagrams.recv().await {
        if env.tls.as_ref().is_some_and(Tls::requires) {
            if let Some(from) = message.from.id.socket_addr() {
                env.refusals.tls(from, "plain", "a message in a datagram, and TLS is required here");
            }
            continue;
        }
        let gate = env.gate(&message.from);
        let _one_at_a_time = gate.as_ref().map(|gate| gate.lock().unwrap_or_else(PoisonError::into_inner));
        let mut batch = Batch::new(&env);
        batch.take(message, None);
        batch.finish();
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
