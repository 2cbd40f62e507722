//! How messages travel: the settings of Tomcat's `Receiver` and `Transport` elements, under its names.

mod attributes;
mod sockets;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clowder_proto::link::LinkConfig;

pub(crate) use sockets::Sockets;
pub use sockets::{DatagramOptions, SocketOptions};

/// Who reads the connections of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiverKind {
    /// Tasks of the runtime. Tomcat: `NioReceiver`.
    #[default]
    Async,
    /// A thread for each connection: a listener may block and holds up its own connection only. Tomcat, up to 8.5:
    /// `BioReceiver`.
    Threads {
        /// How many. At the limit, the connection that was silent longest is closed for a new one.
        max_threads: usize,
    },
}

/// The transport as Tomcat's configuration describes it, for
/// [`ChannelBuilder::transport`](crate::ChannelBuilder::transport).
///
/// Differs from Tomcat: sockets get no option that was not asked for; `auto` listens everywhere and announces an address
/// that others can reach, where Tomcat takes that of the host's name, often loopback.
/// Tests: nothing_is_set_but_what_was_asked_for, a_node_that_listens_everywhere_announces_an_address_that_can_be_reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportConfig {
    /// The element `Receiver`.
    pub receiver: ReceiverConfig,
    /// The element `Transport`, in `Sender`.
    pub sender: SenderConfig,
}

/// Where messages are received. Tomcat: `NioReceiver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// The address to listen at and to announce. Default none: `auto`. Tomcat: `address`, `host`.
    pub address: Option<IpAddr>,
    /// Listen here and announce `address`. Default none. Tomcat: `bind`.
    pub bind: Option<IpAddr>,
    /// The first port to try; 0 lets the system choose. Default 4000. Tomcat: `port`.
    pub port: u16,
    /// How many ports to try, upwards; also for `udp_port`. Default 100. Tomcat: `autoBind`.
    pub auto_bind: u16,
    /// Announced only, as in Tomcat. Default none. Tomcat: `securePort`.
    pub secure_port: Option<u16>,
    /// The first port to try for datagrams. Default none: no datagrams. Tomcat: `udpPort`.
    pub udp_port: Option<u16>,
    /// A thread for each connection instead of tasks. Default false. Tomcat, up to 8.5: the class `BioReceiver`.
    pub blocking: bool,
    /// With `blocking`: how many threads. Default 15. Tomcat: `maxThreads`.
    pub max_threads: usize,
    /// Of accepted connections.
    pub sockets: SocketOptions,
    /// Of the port for datagrams.
    pub datagrams: DatagramOptions,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        ReceiverConfig {
            address: None,
            bind: None,
            port: 4000,
            auto_bind: 100,
            secure_port: None,
            udp_port: None,
            blocking: false,
            max_threads: 15,
            sockets: SocketOptions::default(),
            datagrams: DatagramOptions::default(),
        }
    }
}

impl ReceiverConfig {
    /// Who reads.
    pub fn kind(&self) -> ReceiverKind {
        if self.blocking { ReceiverKind::Threads { max_threads: self.max_threads } } else { ReceiverKind::Async }
    }

    /// Where to listen, as [`ChannelBuilder::listen`](crate::ChannelBuilder::listen) takes it.
    pub fn listen(&self) -> String {
        self.range(self.port)
    }

    /// Where to receive datagrams, in the same form.
    pub(crate) fn udp(&self) -> Option<String> {
        self.udp_port.map(|port| self.range(port))
    }

    /// What to announce; port 0 stands for the bound one.
    pub(crate) fn announce(&self) -> Option<SocketAddr> {
        self.address.map(|address| SocketAddr::new(address, 0))
    }

    fn range(&self, first: u16) -> String {
        let ip = self.bind.or(self.address).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let last = first.saturating_add(self.auto_bind.saturating_sub(1));
        let ports = if first == 0 { "0".to_owned() } else { format!("{first}-{last}") };
        SocketAddr::new(ip, 0).to_string().trim_end_matches('0').to_owned() + &ports
    }
}

/// How messages are sent. Tomcat: `PooledParallelSender`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderConfig {
    /// Connections to one Tomcat; see [`ChannelLimits::lanes`](crate::ChannelLimits::lanes). Default 16. Tomcat:
    /// `poolSize`, 25.
    pub pool_size: usize,
    /// See [`Timeouts::send`](crate::Timeouts::send); also for a connection to be made. Default 3 s. Tomcat: `timeout`.
    pub timeout: Duration,
    /// See [`Timeouts::retries_max`](crate::Timeouts::retries_max). Default 1. Tomcat: `maxRetryAttempts`.
    pub max_retry_attempts: u8,
    /// A negative acknowledgement is a failure; else it counts as success. Default true. Tomcat: `throwOnFailedAck`.
    pub throw_on_failed_ack: bool,
    /// Of this node's connections.
    pub sockets: SocketOptions,
    /// Of sent datagrams.
    pub datagrams: DatagramOptions,
}

impl Default for SenderConfig {
    fn default() -> Self {
        let link = LinkConfig::default();
        SenderConfig {
            pool_size: link.lanes,
            timeout: link.timeout,
            max_retry_attempts: link.retries_max,
            throw_on_failed_ack: true,
            sockets: SocketOptions::default(),
            datagrams: DatagramOptions::default(),
        }
    }
}

impl TransportConfig {
    pub(crate) fn sockets(&self) -> Sockets {
        let TransportConfig { receiver, sender } = self;
        Sockets {
            accepted: receiver.sockets.clone(),
            made: sender.sockets.clone(),
            udp_received: receiver.datagrams.clone(),
            udp_sent: sender.datagrams.clone(),
        }
    }
}
