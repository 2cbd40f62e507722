//! Where `clowder node` looks for members that nobody named: directories, and heartbeats to addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};
use clowder::{ChannelBuilder, Dns, UnicastHeartbeats};

use crate::cli::NodeArgs;
use crate::cluster;

/// Heartbeats and directories, as the command line names them, for a node that listens at `listen`.
///
/// # Errors
/// The environment does not say where Kubernetes is.
pub(crate) fn discover(args: &NodeArgs, mut builder: ChannelBuilder, listen: &str) -> Result<ChannelBuilder> {
    if let Some(heartbeats) = heartbeats(args, listen)? {
        builder = builder.unicast(heartbeats);
    }
    #[cfg(feature = "kubernetes")]
    if args.kubernetes {
        builder = builder.discover(clowder::Kubernetes::from_env().context("--kubernetes")?);
    }
    if let Some(name) = &args.dns {
        builder = builder.discover(Dns::new(name));
    }
    #[cfg(feature = "dns-srv")]
    if let Some(name) = &args.dns_srv {
        builder = builder.discover(clowder::DnsSrv::new(name));
    }
    Ok(builder)
}

/// Some option of these says where the others are.
pub(crate) fn looks_for_others(args: &NodeArgs) -> bool {
    let mut looks = args.dns.is_some() || !args.heartbeat_to.is_empty();
    #[cfg(feature = "kubernetes")]
    {
        looks |= args.kubernetes;
    }
    #[cfg(feature = "dns-srv")]
    {
        looks |= args.dns_srv.is_some();
    }
    looks
}

/// The nodes have one list, so all of them take heartbeats at one port.
fn heartbeats(args: &NodeArgs, listen: &str) -> Result<Option<UnicastHeartbeats>> {
    let Some(first) = args.heartbeat_to.first() else { return Ok(None) };
    let (_, port) = first.rsplit_once(':').context("the command line checked it")?;
    let port = port.parse().context("the command line checked it")?;
    let any: IpAddr = match cluster::interface(listen) {
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    Ok(Some(UnicastHeartbeats::new(args.heartbeat_to.clone()).bind(SocketAddr::new(any, port))))
}
