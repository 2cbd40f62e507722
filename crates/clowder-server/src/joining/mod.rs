//! The channel of an [`EndArgs`]: command line and file together. What the command line says comes first.

pub(crate) mod chain_text;
mod file;
mod keys;

use std::path::PathBuf;

use anyhow::Result;
use clowder::chain::{ChainConfig, LayerConfig};
use clowder::{Channel, ChannelBuilder, StaticService};

use crate::cli::{ChainSource, EndArgs, Peer};
use crate::cluster::{self, Membership};
use file::ChannelFile;

/// Where a node listens by default.
pub(crate) const CLUSTER: &str = "127.0.0.1:4000-4100";

/// A channel that is described and not started.
pub(crate) struct Joining {
    pub(crate) builder: ChannelBuilder,
    /// Where it will listen, as the user wrote it.
    pub(crate) listen: String,
    /// It was told of others, or where to find them.
    pub(crate) finds_others: bool,
    /// Its unique id is the user's choice, the same at every start.
    pub(crate) has_id: bool,
    chain: ChainConfig,
    /// Where the chain stands, if in a file.
    file: Option<PathBuf>,
}

/// `cluster`: where to listen if nobody says so.
///
/// # Errors
/// The file cannot be read or describes no channel, or a name cannot be resolved.
pub(crate) async fn describe(args: &EndArgs, cluster: &str) -> Result<Joining> {
    let file = match &args.chain {
        ChainSource::Text(chain) => ChannelFile { chain: chain.clone(), ..ChannelFile::default() },
        ChainSource::File(path) => file::read(path)?,
    };
    let listen = args.cluster.as_ref().or(file.listen.as_ref()).map_or(cluster, String::as_str).to_owned();
    let (peers, contacts) = known(args, &file);
    let is_multicast = args.member.multicast.is_some() || file.multicast.is_some();
    let finds_others = is_multicast || !peers.is_empty() || !contacts.is_empty();
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
    Ok(Joining {
        builder: builder.chain(file.chain.clone()),
        finds_others,
        has_id: membership.id.is_some(),
        listen,
        chain: file.chain,
        file: match &args.chain {
            ChainSource::Text(_) => None,
            ChainSource::File(path) => Some(path.clone()),
        },
    })
}

/// The expected members, and those that the static membership service asks: whoever is named belongs to them if there is
/// one.
fn known(args: &EndArgs, file: &ChannelFile) -> (Vec<Peer>, Vec<Peer>) {
    let named = args.member.peers.iter();
    if args.static_service.is_none() && file.service.is_none() {
        return (named.chain(&file.members).cloned().collect(), Vec::new());
    }
    let more = file.service.iter().flat_map(|(_, contacts)| contacts);
    (file.members.clone(), named.chain(more).cloned().collect())
}

impl Joining {
    /// Start it. Keys in its file are read again whenever SIGHUP comes.
    ///
    /// # Errors
    /// The channel cannot start.
    pub(crate) async fn start(self) -> Result<Channel> {
        let channel = cluster::started(self.builder, &self.listen).await?;
        if let Some(path) = &self.file {
            keys::reload_on_hangup(&channel, &self.chain, path)?;
        }
        Ok(channel)
    }

    /// The names of its layers from the application to the wire.
    pub(crate) fn layers(&self) -> Vec<&'static str> {
        self.chain.layers.iter().map(LayerConfig::name).collect()
    }
}
