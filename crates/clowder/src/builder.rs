//! Configures a node; `start` starts it.

mod start;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clowder_proto::chain::{ChainConfig, LayerConfig};
use clowder_proto::election::CoordinatorConfig;

use crate::config::{ChannelLimits, Timeouts};
use crate::discovery::Discovery;
use crate::membership::{MembershipConfig, Multicast, StaticMember, StaticService, UnicastHeartbeats};
use crate::transport::{ReceiverKind, Sockets, TransportConfig};

/// A node that is not started. By default it listens at a port of 4000 to 4100 of every address and knows nobody.
#[derive(Clone, Debug)]
pub struct ChannelBuilder {
    listen: String,
    announce: Option<SocketAddr>,
    udp: Option<String>,
    secure_port: Option<u16>,
    receiver: ReceiverKind,
    sockets: Sockets,
    failed_ack_is_error: bool,
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
            udp: None,
            secure_port: None,
            receiver: ReceiverKind::default(),
            sockets: Sockets::default(),
            failed_ack_is_error: true,
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

    /// Receive datagrams too: `ADDRESS:PORT`, or `ADDRESS:FIRST-LAST` for the first free port of a range. Others send
    /// them to the announced host and this port. Default: not.
    #[must_use]
    pub fn udp(mut self, address: impl Into<String>) -> Self {
        self.udp = Some(address.into());
        self
    }

    /// The port for secure connections. Without TLS it is announced and nothing else, as in Tomcat; with it the node
    /// listens there, unless the configuration of TLS names another. Default: none.
    #[must_use]
    pub fn secure_port(mut self, port: u16) -> Self {
        self.secure_port = Some(port);
        self
    }

    /// Who reads the connections of others. Default: [`ReceiverKind::Async`].
    #[must_use]
    pub fn receiver(mut self, kind: ReceiverKind) -> Self {
        self.receiver = kind;
        self
    }

    /// Everything that Tomcat's `Receiver` and `Transport` say, replacing what was configured before: addresses, ports,
    /// sockets, the time and the number of attempts to send.
    #[must_use]
    pub fn transport(mut self, transport: &TransportConfig) -> Self {
        let TransportConfig { receiver, sender } = transport;
        (self.listen, self.announce) = (receiver.listen(), receiver.announce());
        (self.udp, self.secure_port) = (receiver.udp(), receiver.secure_port);
        (self.receiver, self.sockets) = (receiver.kind(), transport.sockets());
        self.limits.lanes = sender.pool_size;
        (self.timeouts.send, self.timeouts.connect) = (sender.timeout, sender.timeout);
        self.timeouts.retries_max = sender.max_retry_attempts;
        self.failed_ack_is_error = sender.throw_on_failed_ack;
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

    /// Find others by the static membership service. Default: not.
    #[must_use]
    pub fn static_service(mut self, service: StaticService) -> Self {
        self.membership.service = Some(service);
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

    /// Agree on a leader with the other members, all of which need the same. Its place is at the top of the chain unless
    /// the chain names one. Default: nobody leads.
    #[must_use]
    pub fn coordinator(mut self, coordinator: CoordinatorConfig) -> Self {
        self.membership.coordinator = Some(coordinator);
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

    /// Wait so long for an acknowledgement: [`Timeouts::send`] alone. [`ChannelBuilder::transport`] and
    /// [`ChannelBuilder::timeouts`] set it too: the last one counts.
    #[must_use]
    pub fn send_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.send = timeout;
        self
    }

    /// The times of the data path.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}
