//! The channel that a command line describes.
//!
//! The only place where names on the command line are resolved. What cannot work is an error with its remedy; what may
//! work later, such as a peer that does not run yet, is left to the channel.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};
use clowder::{Channel, ChannelBuilder, Multicast, StartError, StaticMember};

use crate::cli::{Peer, UniqueId};

/// What a command line says about a member and about whom it knows.
pub(crate) struct Membership<'a> {
    /// Where others connect.
    pub(crate) cluster: &'a str,
    /// Its unique id; random if there is none.
    pub(crate) id: Option<UniqueId>,
    /// Members that are always expected; it may be among them.
    pub(crate) peers: &'a [Peer],
    pub(crate) multicast: Option<SocketAddr>,
    pub(crate) multicast_interface: Option<IpAddr>,
    pub(crate) domain: &'a [u8],
    #[cfg(feature = "tls")]
    pub(crate) tls: &'a crate::cli::TlsArgs,
}

/// Start what was built; `cluster` is its address as the user wrote it.
///
/// # Errors
/// The channel cannot start.
pub(crate) async fn started(builder: ChannelBuilder, cluster: &str) -> Result<Channel> {
    let channel = builder.start().await.map_err(|error| {
        let what = match &error {
            StartError::Bind { .. } => format!(
                "cannot join the cluster on {cluster}: is the address one of this machine, and a port of it free?"
            ),
            _ => format!("cannot join the cluster on {cluster}"),
        };
        anyhow::Error::new(error).context(what)
    })?;
    #[cfg(feature = "tls")]
    crate::tls::reload_on_hangup(&channel)?;
    Ok(channel)
}

/// A channel that is not started.
///
/// # Errors
/// A peer's name cannot be resolved.
pub(crate) async fn builder(membership: &Membership<'_>) -> Result<ChannelBuilder> {
    let mut builder = Channel::builder().listen(membership.cluster).domain(membership.domain.to_vec());
    if let Some(UniqueId(id)) = membership.id {
        builder = builder.unique_id(id);
    }
    for peer in membership.peers {
        if membership.id == Some(peer.unique_id) {
            tracing::info!("--peer {peer} has this node's own id and is passed over");
            continue;
        }
        builder = builder.member(member(peer).await?);
    }
    if let Some(group) = membership.multicast {
        let mut multicast = Multicast::new(group);
        if let Some(interface) = membership.multicast_interface.or_else(|| interface(membership.cluster)) {
            multicast = multicast.interface(interface);
        }
        builder = builder.multicast(multicast);
    }
    #[cfg(feature = "tls")]
    let builder = crate::tls::apply(membership.tls, builder);
    Ok(builder)
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
pub(crate) fn interface(cluster: &str) -> Option<IpAddr> {
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
