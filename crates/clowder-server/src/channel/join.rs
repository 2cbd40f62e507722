//! The channel of an [`EndArgs`]: command line and file together. What the command line says comes first.

use anyhow::Result;
use clowder::Channel;
use clowder::chain::LayerConfig;

use super::file::{self, ChannelFile};
use crate::cli::{ChainSource, EndArgs};
use crate::cluster::{self, Membership};

/// A started channel, and the names of its layers from the application to the wire.
///
/// # Errors
/// The file cannot be read or describes no channel, a name cannot be resolved, or the channel cannot start.
pub(super) async fn start(args: &EndArgs, cluster: &str) -> Result<(Channel, Vec<&'static str>)> {
    let file = match &args.chain {
        ChainSource::Text(chain) => ChannelFile { chain: chain.clone(), ..ChannelFile::default() },
        ChainSource::File(path) => file::read(path)?,
    };
    let listen = match (&args.cluster, &file.listen) {
        (Some(given), _) => given.clone(),
        (None, Some(listen)) => listen.resolved().await?,
        (None, None) => cluster.to_owned(),
    };
    let peers: Vec<_> = args.peers.iter().chain(&file.members).cloned().collect();
    let domain = args.domain.as_ref().map_or(&file.domain[..], |domain| domain.as_bytes());
    let membership = Membership {
        cluster: &listen,
        id: args.id.or(file.id),
        peers: &peers,
        multicast: args.multicast,
        multicast_interface: args.multicast_interface,
        domain,
        #[cfg(feature = "tls")]
        tls: &args.tls,
    };
    let mut builder = cluster::builder(&membership).await?;
    if let (None, Some(multicast)) = (args.multicast, file.multicast) {
        builder = builder.multicast(multicast);
    }
    if let Some(udp) = &args.udp {
        builder = builder.udp(udp.as_str());
    }
    let names = file.chain.layers.iter().map(LayerConfig::name).collect();
    let channel = cluster::started(builder.timeouts(file.timeouts).chain(file.chain), &listen).await?;
    Ok((channel, names))
}
