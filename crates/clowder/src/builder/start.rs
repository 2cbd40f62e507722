//! Starts a node: opens what it listens at, says who it is, and lets the tasks run.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, OnceLock};

use clowder_proto::chain::{Chain, Flush};
use clowder_proto::wire::{Capabilities, Member};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::ChannelBuilder;
use crate::channel::{Channel, Inner};
use crate::config;
use crate::discovery::Searches;
use crate::driver::control::{Control, StartError as MembershipError};
use crate::driver::datagrams::Datagrams;
use crate::driver::env::{Env, Settings};
use crate::driver::tls::{self, Tls};
use crate::driver::{accept, coordinator, held, net, service, udp};
use crate::error::StartError;
use crate::membership::MembershipConfig;
use crate::rpc;
use crate::send::Encoder;
use crate::transport::ReceiverKind;
use crate::view::ViewChanges;

/// An address that no packet goes to; asking for the way to it shows the address that others would see.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// Ports behind the plain one that are tried for the secure one.
const SECURE_PORTS: u16 = 100;

/// What a node listens at.
struct Listening {
    tcp: net::TcpListener,
    bound: SocketAddr,
    /// The secure port, and its number.
    secure: Option<(net::TcpListener, u16)>,
    udp: Option<(tokio::net::UdpSocket, UdpSocket)>,
    udp_port: Option<u16>,
}

impl Listening {
    /// The tasks that receive.
    fn serve(self, env: &Arc<Env>, receiver: ReceiverKind) -> Vec<AbortHandle> {
        let handle = &env.handle;
        let mut tasks = vec![handle.spawn(accept::run(Arc::clone(env), self.tcp, receiver)).abort_handle()];
        if let Some((listener, _)) = self.secure {
            tasks.push(handle.spawn(tls::run(Arc::clone(env), listener)).abort_handle());
        }
        if let Some((socket, answers)) = self.udp {
            tasks.push(handle.spawn(udp::run(Arc::clone(env), socket, answers)).abort_handle());
        }
        tasks
    }
}

impl ChannelBuilder {
    /// Start the node on the current tokio runtime. When it returns, others can connect.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left behind.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(self) -> Result<Channel, StartError> {
        let handle = Handle::current();
        let chain = self.layers()?;
        let mut membership = self.membership.clone();
        membership.apply(&self.chain);
        let tls = self.load_tls()?;
        let sockets = self.open(tls.as_ref())?;
        let announced = self.announced(sockets.bound)?;
        let named = self.unique_id.is_some();
        let searches = Searches::start(std::mem::take(&mut membership.discovery), announced, named).await?;
        let local = self.local(announced, &sockets, searches.own(), &membership)?;
        let mut limits = self.limits;
        if let ReceiverKind::Threads { max_threads } = self.receiver {
            limits.connections_max = limits.connections_max.min(max_threads);
        }
        let datagrams = Datagrams::new(
            self.sockets.udp_sent.clone(),
            membership.multicast.as_ref(),
            limits.datagrams_in_flight_max,
            limits.queue_bytes_max,
        )
        .map_err(MembershipError::Multicast)?;
        let (coordination, coordinator) = coordinator::prepare(membership.coordinator.clone(), &local, &limits.wire);
        let control = Control::start(membership, chain.clone(), local.clone(), limits.wire.clone(), searches)?;
        let changes = control.changes();
        let multicast = control.datagram_messages();
        let link = config::link(&limits, &self.timeouts, self.failed_ack_is_error);
        let settings = Settings {
            limits,
            timeouts: self.timeouts,
            link,
            sockets: self.sockets,
            tls,
            encoder: Encoder::new(&local),
        };
        let env = Env::new(handle.clone(), settings, chain, control, coordination, datagrams);
        let channel = Channel::new(Inner {
            env: Arc::clone(&env),
            local,
            tasks: OnceLock::new(),
            stopped: watch::Sender::new(false),
            extensions: Mutex::new(HashMap::new()),
        });
        // Before a connection is read: answers to the first questions of the membership may be there already.
        rpc::listen(&channel);
        service::listen(&env);
        let mut tasks = sockets.serve(&env, self.receiver);
        let coordinator = coordinator::run(Arc::clone(&env), channel.downgrade(), coordinator, env.control.changes());
        tasks.extend([
            handle.spawn(accept::sweep(Arc::downgrade(&env))).abort_handle(),
            handle.spawn(follow(Arc::clone(&env), changes)).abort_handle(),
            handle.spawn(coordinator).abort_handle(),
        ]);
        if !env.chain.is_empty() {
            tasks.push(handle.spawn(held::keep_time(Arc::downgrade(&env))).abort_handle());
        }
        if let Some(messages) = multicast {
            tasks.push(handle.spawn(udp::deliver(Arc::clone(&env), messages)).abort_handle());
        }
        channel.runs(tasks);
        Ok(channel)
    }

    /// The chain, with what was configured apart from it.
    fn layers(&self) -> Result<Chain, StartError> {
        let mut chain = self.chain.clone();
        self.membership.place(&mut chain);
        let (chain, warnings) = chain.build()?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(chain)
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

    /// Open everything that others can reach.
    fn open(&self, tls: Option<&Tls>) -> Result<Listening, StartError> {
        let failed = |source| StartError::Announce { source };
        let tcp = self.bind(&self.listen)?;
        let bound = tcp.local_addr().map_err(failed)?;
        let secure = tls.map(|tls| self.bind_secure(tls, bound)).transpose()?;
        let udp = self.udp.as_deref();
        let udp = udp.map(|at| bind(at, |addr| net::datagrams(addr, &self.sockets.udp_received))).transpose()?;
        let udp_port = udp.as_ref().map(|(_, udp)| udp.local_addr()).transpose().map_err(failed)?;
        Ok(Listening { tcp, bound, secure, udp, udp_port: udp_port.map(|bound| bound.port()) })
    }

    fn bind(&self, text: &str) -> Result<net::TcpListener, StartError> {
        bind(text, |addr| net::listen(addr, &self.sockets.accepted))
    }

    /// The secure port, and its number.
    fn bind_secure(&self, tls: &Tls, plain: SocketAddr) -> Result<(net::TcpListener, u16), StartError> {
        let listener = self.bind(&self.secure(tls, plain))?;
        let bound = listener.local_addr().map_err(|source| StartError::Announce { source })?;
        Ok((listener, bound.port()))
    }

    /// Where the secure port is to be: behind the plain one, if nothing else was said.
    fn secure(&self, tls: &Tls, plain: SocketAddr) -> String {
        if let Some(listen) = tls.listen() {
            return listen.to_owned();
        }
        if let Some(port) = self.secure_port {
            return SocketAddr::new(plain.ip(), port).to_string();
        }
        if parse(&self.listen).is_some_and(|(_, ports)| *ports.end() == 0) {
            return SocketAddr::new(plain.ip(), 0).to_string();
        }
        let (first, last) = (plain.port().saturating_add(1), plain.port().saturating_add(SECURE_PORTS));
        format!("{}-{last}", SocketAddr::new(plain.ip(), first))
    }

    /// This node, as it tells the others. `listed`: the id that a directory knows it by.
    fn local(
        &self,
        at: SocketAddr,
        sockets: &Listening,
        listed: Option<[u8; 16]>,
        membership: &MembershipConfig,
    ) -> Result<Member, StartError> {
        let unique_id = self.unique_id.or(listed).map_or_else(random_id, Ok)?;
        let mut local = Member::new(at, unique_id);
        let secure_port = sockets.secure.as_ref().map(|(_, port)| *port);
        local.secure_port = secure_port.or(self.secure_port).map_or(-1, i32::from);
        local.udp_port = sockets.udp_port.map_or(-1, i32::from);
        local.domain = self.domain.clone();
        if membership.domain.as_ref().is_some_and(|domain| *domain != local.domain) {
            tracing::warn!(
                node = %local.domain.escape_ascii(),
                filter = %membership.domain.as_deref().unwrap_or_default().escape_ascii(),
                "this node is of another domain than it sees: members with the same filter do not see it"
            );
        }
        local.payload = self.payload.clone();
        let tls = secure_port.map(|_| Capabilities::TLS).unwrap_or_default();
        local.extension = Capabilities::ALL.and(tls).encode();
        Ok(local)
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
        let contacts = self.membership.service.iter().flat_map(|service| &service.members);
        let others = self.membership.members.iter().chain(contacts).map(|member| member.addr);
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

/// The first of the ports that `open` can open.
fn bind<T>(text: &str, open: impl Fn(SocketAddr) -> io::Result<T>) -> Result<T, StartError> {
    let (ip, ports) = parse(text).ok_or_else(|| StartError::Listen { text: text.to_owned() })?;
    let last_port = *ports.end();
    for port in ports {
        let addr = SocketAddr::new(ip, port);
        match open(addr) {
            Ok(opened) => return Ok(opened),
            Err(source) if port == last_port => return Err(StartError::Bind { last: addr, source }),
            Err(error) => tracing::debug!(%addr, %error, "port is taken, trying the next"),
        }
    }
    Err(StartError::Listen { text: text.to_owned() })
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
        for (member, _) in &change.left {
            env.left(&member.id);
            env.chain.member_left(&member.id);
            held::flush(&env, &member.id, Flush::Left);
        }
        change.joined.iter().chain(&change.updated).for_each(|member| env.heard(member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::StaticMember;

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
