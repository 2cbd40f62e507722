//! The channel that a command line describes.
//!
//! The only place where names on the command line are resolved. What cannot work is an error with its remedy; what may
//! work later, such as a peer that does not run yet, is left to the channel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use clowder::{Channel, ChannelBuilder, Dns, Multicast, StartError, StaticMember, UnicastHeartbeats};

use crate::cli::{NodeArgs, Peer, UniqueId};

/// Start the channel of a node.
///
/// # Errors
/// A peer's name cannot be resolved, or the channel cannot start.
pub(crate) async fn start(args: &NodeArgs) -> Result<Channel> {
    let mut builder = Channel::builder().listen(args.cluster.as_str()).domain(args.domain.clone().into_bytes());
    if let Some(UniqueId(id)) = args.id {
        builder = builder.unique_id(id);
    }
    for peer in &args.peers {
        if args.id == Some(peer.unique_id) {
            tracing::info!("--peer {peer} has this node's own id and is passed over");
            continue;
        }
        builder = builder.member(member(peer).await?);
    }
    if let Some(group) = args.multicast {
        let mut multicast = Multicast::new(group);
        if let Some(interface) = args.multicast_interface.or_else(|| interface(&args.cluster)) {
            multicast = multicast.interface(interface);
        }
        builder = builder.multicast(multicast);
    }
    if let Some(heartbeats) = heartbeats(args)? {
        builder = builder.unicast(heartbeats);
    }
    builder = discover(args, builder)?;
    builder.start().await.map_err(|error| {
        let context = match error {
            StartError::Discovery(_) => format!("cannot find the cluster from {}", args.cluster),
            _ => format!(
                "cannot join the cluster on {}: is the address one of this machine, and a port of it free?",
                args.cluster
            ),
        };
        anyhow::Error::new(error).context(context)
    })
}

/// The nodes have one list, so all of them take heartbeats at one port.
fn heartbeats(args: &NodeArgs) -> Result<Option<UnicastHeartbeats>> {
    let Some(first) = args.heartbeat_to.first() else { return Ok(None) };
    let (_, port) = first.rsplit_once(':').context("the command line checked it")?;
    let port = port.parse().context("the command line checked it")?;
    let any: IpAddr = match interface(&args.cluster) {
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    Ok(Some(UnicastHeartbeats::new(args.heartbeat_to.clone()).bind(SocketAddr::new(any, port))))
}

fn discover(args: &NodeArgs, mut builder: ChannelBuilder) -> Result<ChannelBuilder> {
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

/// Some option says where the others are.
pub(crate) fn looks_for_others(args: &NodeArgs) -> bool {
    let mut looks = !args.peers.is_empty() || args.multicast.is_some() || args.dns.is_some();
    looks |= !args.heartbeat_to.is_empty();
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

/// A static member with its address resolved.
///
/// # Errors
/// The name has no address.
pub(crate) async fn member(peer: &Peer) -> Result<StaticMember> {
    let resolved = tokio::net::lookup_host(&peer.address).await;
    let resolved = resolved.with_context(|| format!("--peer {peer}: '{}' has no address", peer.address))?;
    let addresses: Vec<SocketAddr> = resolved.collect();
    // Members are the same if their address bytes are, so the family matters: Tomcat announces IPv4 wherever it can.
    match addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()) {
        Some(address) => Ok(StaticMember::new(*address, peer.unique_id.0)),
        None => bail!("--peer {peer}: '{}' has no address", peer.address),
    }
}

/// The address of --cluster, if it names one interface.
fn interface(cluster: &str) -> Option<IpAddr> {
    let (host, _) = cluster.rsplit_once(':')?;
    let address: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multicast_uses_the_interface_of_the_cluster_address() {
        assert_eq!(interface("10.0.0.1:4000"), "10.0.0.1".parse().ok());
        assert_eq!(interface("[::1]:4000-4100"), "::1".parse().ok());
        assert_eq!(interface("0.0.0.0:4000"), None);
    }
}
