//! The channel of an [`EndArgs`]: command line and file together. What the command line says comes first.

use anyhow::Result;
use clowder::chain::LayerConfig;
use clowder::{Channel, StaticService};

use super::file::{self, ChannelFile};
use super::keys;
use crate::cli::{ChainSource, EndArgs, Peer};
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
    let listen = args.cluster.as_ref().or(file.listen.as_ref()).map_or(cluster, String::as_str).to_owned();
    let named = args.member.peers.iter();
    // The service asks those who are named; it does not expect them.
    let (peers, contacts): (Vec<Peer>, Vec<Peer>) = match (&args.static_service, &file.service) {
        (None, None) => (named.chain(&file.members).cloned().collect(), Vec::new()),
        (Some(_), Some((_, more))) | (None, Some((_, more))) => {
            (file.members.clone(), named.chain(more).cloned().collect())
        }
        (Some(_), None) => (file.members.clone(), named.cloned().collect()),
    };
    let domain = args.domain.as_ref().map_or(&file.domain[..], |domain| domain.as_bytes());
    let membership = Membership {
        cluster: &listen,
        id: args.member.id.or(file.id),
        peers: &peers,
        multicast: args.member.multicast,
        multicast_interface: args.member.multicast_interface,
        domain,
        #[cfg(feature = "tls")]
        tls: &args.tls,
    };
    let mut transport = file.transport;
    if args.cluster.is_some() {
        (transport.receiver.address, transport.receiver.bind) = (None, None);
    }
    // It says where to listen, too, and the file may have said nothing of that.
    let mut builder = cluster::builder(&membership).await?.transport(&transport).listen(listen.as_str());
    if let (None, Some(multicast)) = (args.member.multicast, file.multicast) {
        builder = builder.multicast(multicast);
    }
    let service = args.static_service.as_ref().map(StaticService::new);
    if let Some(mut service) = service.or(file.service.map(|(service, _)| service)) {
        for contact in contacts.iter().filter(|contact| membership.id != Some(contact.unique_id)) {
            service = service.member(cluster::member(contact).await?);
        }
        builder = builder.static_service(service);
    }
    if let Some(udp) = &args.udp {
        builder = builder.udp(udp.as_str());
    }
    let names = file.chain.layers.iter().map(LayerConfig::name).collect();
    let channel = cluster::started(builder.chain(file.chain.clone()), &listen).await?;
    if let ChainSource::File(path) = &args.chain {
        keys::reload_on_hangup(&channel, &file.chain, path)?;
    }
    Ok((channel, names))
}
