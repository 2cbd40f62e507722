//! The membership socket: one UDP socket for both directions, as Tomcat's.
//!
//! Opens it and names what is wrong when it cannot be; the control task reads, writes and reopens it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::membership::Multicast;

/// Multicast cannot be used as configured. The configuration or this machine is at fault; nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("multicast group {group}{}: cannot {step}; {remedy}", on(*interface))]
pub struct MulticastError {
    /// The configured group.
    pub group: SocketAddr,
    /// The configured interface.
    pub interface: Option<IpAddr>,
    /// What failed.
    pub step: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// What the system said.
    pub source: io::Error,
}

fn on(interface: Option<IpAddr>) -> String {
    interface.map(|interface| format!(" on {interface}")).unwrap_or_default()
}

impl MulticastError {
    pub(crate) fn new(config: &Multicast, step: &'static str, source: io::Error) -> Self {
        let remedy = match (source.kind(), config.interface) {
            (io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable, _) => {
                "no route leads there: name an interface, add a route (ip route add 224.0.0.0/4 dev IF), or use static \
                 members"
            }
            (io::ErrorKind::AddrNotAvailable, Some(_)) => "the interface must be an address of this machine",
            (io::ErrorKind::AddrNotAvailable | io::ErrorKind::NotFound, None) => {
                "no interface can do multicast: name one, or use static members"
            }
            (io::ErrorKind::AddrInUse, _) => {
                "another program holds the port without sharing it: stop it, or use another port"
            }
            (io::ErrorKind::PermissionDenied, _) => "the system forbids it: check firewall and sandbox rules",
            (io::ErrorKind::InvalidInput, _) => {
                "use a multicast address (224.0.0.0/4 or ff00::/8) and an interface of its family"
            }
            _ => "check the interface and its multicast flag (ip link), or use static members",
        };
        MulticastError { group: config.group, interface: config.interface, step, remedy, source }
    }
}

/// The socket, bound, joined to its group, non blocking.
///
/// Tomcat: `McastServiceImpl.setupSocket`: with an interface it is bound to the group (and to the port alone if that
/// fails), else to the wildcard address.
pub(crate) fn open(config: &Multicast) -> Result<std::net::UdpSocket, MulticastError> {
    let failed = |step| move |source| MulticastError::new(config, step, source);
    if !config.group.ip().is_multicast() {
        return Err(failed("use this address")(io::ErrorKind::InvalidInput.into()));
    }
    let socket = Socket::new(Domain::for_address(config.group), Type::DGRAM, Some(Protocol::UDP));
    let socket = socket.map_err(failed("open a socket"))?;
    // Several nodes of one machine share the port.
    socket.set_reuse_address(true).map_err(failed("share the port"))?;
    #[cfg(unix)]
    socket.set_reuse_port(true).map_err(failed("share the port"))?;
    bind(&socket, config).map_err(failed("bind the port"))?;
    match config.group.ip() {
        IpAddr::V4(group) => join_v4(&socket, config, group)?,
        IpAddr::V6(group) => join_v6(&socket, config, group)?,
    }
    socket.set_nonblocking(true).map_err(failed("make the socket non blocking"))?;
    Ok(socket.into())
}

fn bind(socket: &Socket, config: &Multicast) -> io::Result<()> {
    let wildcard: IpAddr = match config.group {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let wildcard = SocketAddr::new(wildcard, config.group.port());
    if config.interface.is_some() && socket.bind(&config.group.into()).is_ok() {
        return Ok(());
    }
    socket.bind(&wildcard.into())
}

fn join_v4(socket: &Socket, config: &Multicast, group: Ipv4Addr) -> Result<(), MulticastError> {
    let interface = send_v4(socket, config)?;
    let joined = socket.join_multicast_v4(&group, &interface);
    joined.map_err(|source| MulticastError::new(config, "join the group", source))
}

fn join_v6(socket: &Socket, config: &Multicast, group: Ipv6Addr) -> Result<(), MulticastError> {
    let index = send_v6(socket, config)?;
    let joined = socket.join_multicast_v6(&group, index);
    joined.map_err(|source| MulticastError::new(config, "join the group", source))
}

/// A socket that sends to the group and hears nothing, non blocking.
pub(crate) fn open_sender(config: &Multicast) -> Result<std::net::UdpSocket, MulticastError> {
    let failed = |step| move |source| MulticastError::new(config, step, source);
    let socket = Socket::new(Domain::for_address(config.group), Type::DGRAM, Some(Protocol::UDP));
    let socket = socket.map_err(failed("open a socket"))?;
    match config.group {
        SocketAddr::V4(_) => drop(send_v4(&socket, config)?),
        SocketAddr::V6(_) => drop(send_v6(&socket, config)?),
    }
    socket.set_nonblocking(true).map_err(failed("make the socket non blocking"))?;
    Ok(socket.into())
}

/// How it sends. Returns the interface.
fn send_v4(socket: &Socket, config: &Multicast) -> Result<Ipv4Addr, MulticastError> {
    let failed = |step| move |source| MulticastError::new(config, step, source);
    let interface = match config.interface {
        None => Ipv4Addr::UNSPECIFIED,
        Some(IpAddr::V4(interface)) => interface,
        Some(IpAddr::V6(_)) => return Err(failed("use an IPv6 interface")(io::ErrorKind::InvalidInput.into())),
    };
    if config.interface.is_some() {
        socket.set_multicast_if_v4(&interface).map_err(failed("send through the interface"))?;
    }
    socket.set_multicast_loop_v4(!config.local_loopback_disabled).map_err(failed("set the loopback"))?;
    if let Some(ttl) = config.ttl {
        socket.set_multicast_ttl_v4(ttl).map_err(failed("set the TTL"))?;
    }
    Ok(interface)
}

/// The same for IPv6, which names an interface by its number.
fn send_v6(socket: &Socket, config: &Multicast) -> Result<u32, MulticastError> {
    let failed = |step| move |source| MulticastError::new(config, step, source);
    let scope = match config.group {
        SocketAddr::V6(addr) => addr.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    let index = match config.interface {
        None => scope,
        Some(IpAddr::V6(interface)) => interface_index(interface).map_err(failed("find the interface"))?,
        Some(IpAddr::V4(_)) => return Err(failed("use an IPv4 interface")(io::ErrorKind::InvalidInput.into())),
    };
    if index != 0 {
        socket.set_multicast_if_v6(index).map_err(failed("send through the interface"))?;
    }
    socket.set_multicast_loop_v6(!config.local_loopback_disabled).map_err(failed("set the loopback"))?;
    if let Some(ttl) = config.ttl {
        socket.set_multicast_hops_v6(ttl).map_err(failed("set the hop limit"))?;
    }
    Ok(index)
}

/// IPv6 names an interface by number where IPv4 uses an address.
fn interface_index(interface: Ipv6Addr) -> io::Result<u32> {
    let table = std::fs::read_to_string("/proc/net/if_inet6")?;
    let wanted: String = interface.octets().iter().map(|byte| format!("{byte:02x}")).collect();
    table
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(addr, _)| *addr == wanted)
        .and_then(|(_, rest)| u32::from_str_radix(rest.split_whitespace().next()?, 16).ok())
        .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_group_interface_cause_and_remedy() {
        let config = Multicast::new("228.0.0.4:45564".parse().unwrap()).interface("192.0.2.77".parse().unwrap());
        let text = open(&config).unwrap_err().to_string();
        assert!(text.contains("228.0.0.4:45564 on 192.0.2.77"), "{text}");
        assert!(text.contains("must be an address of this machine"), "{text}");
    }

    #[test]
    fn a_unicast_group_is_refused() {
        let error = open(&Multicast::new("127.0.0.1:45564".parse().unwrap())).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn families_must_agree() {
        let config = Multicast::new("228.0.0.4:45564".parse().unwrap()).interface("::1".parse().unwrap());
        assert_eq!(open(&config).unwrap_err().source.kind(), io::ErrorKind::InvalidInput);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_loopback_interface_has_an_index() {
        if std::path::Path::new("/proc/net/if_inet6").exists() {
            assert!(interface_index(Ipv6Addr::LOCALHOST).is_ok_and(|index| index > 0));
        }
    }
}
