//! One end of a channel, for the commands that have one.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clowder::chain::ChainConfig;

use super::{MemberArgs, listen};
use crate::joining::chain_text;

/// This end of a channel: who it is, whom it knows, and what it does to messages.
#[derive(Args, Clone, Debug)]
pub(crate) struct EndArgs {
    /// Where other members connect: IP:PORT, or IP:FIRST-LAST of which the first free port is taken. Never an address
    /// that the other members cannot reach. Default: 127.0.0.1:4000-4100; of `channel send` and `channel rpc` any free
    /// port.
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    pub(crate) cluster: Option<String>,

    /// Receive datagrams too, which members can send with Tomcat's option UDP: IP:PORT, or IP:FIRST-LAST of which the first free port is
    /// taken. Default: not.
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    pub(crate) udp: Option<String>,

    #[command(flatten)]
    pub(crate) member: MemberArgs,

    /// Find members as Tomcat's StaticMembershipService does: each --peer is asked instead of expected. NAME is that of
    /// Tomcat's channel, for example Catalina-Channel for the cluster Catalina.
    #[arg(long, value_name = "NAME")]
    pub(crate) static_service: Option<String>,

    /// Domain in the member record, shown to the other members. See also the layer `domain` of --chain.
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Option<String>,

    /// What is done to messages between the application and the wire: layers in Tomcat's order, separated by commas,
    /// with Tomcat's attributes in parentheses; or a file with Tomcat's `<Channel>` element, @FILE or a name that ends
    /// with .xml. Layers: dispatch, failure-detector, ping, static, domain, fragment, gzip, order, two-phase,
    /// throughput, encrypt, coordinator, simple-coordinator. All members need the same. SIGHUP reads the keys of encrypt
    /// from the file again. Default: none.
    #[arg(long, value_name = "CHAIN", default_value = "")]
    pub(crate) chain: ChainSource,

    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub(crate) tls: super::TlsArgs,

    /// End when standard input ends: how a parent process keeps its children from outliving it.
    #[arg(long, hide = true)]
    pub(crate) end_with_stdin: bool,
}

/// Where a chain is described.
#[derive(Clone, Debug)]
pub(crate) enum ChainSource {
    /// On the command line.
    Text(ChainConfig),
    /// In a file with a `<Channel>` element.
    File(PathBuf),
}

impl FromStr for ChainSource {
    type Err = chain_text::ChainTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let file = text.strip_prefix('@').or_else(|| text.ends_with(".xml").then_some(text));
        match file {
            Some(path) => Ok(ChainSource::File(path.into())),
            None => chain_text::parse(text).map(ChainSource::Text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_text_or_a_file() {
        assert!(matches!("gzip,order".parse(), Ok(ChainSource::Text(chain)) if chain.layers.len() == 2));
        for name in ["@conf/server.xml", "conf/server.xml"] {
            assert!(matches!(name.parse(), Ok(ChainSource::File(path)) if path.ends_with("conf/server.xml")));
        }
        assert!("server.yml".parse::<ChainSource>().is_err());
    }
}
