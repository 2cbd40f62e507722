//! Options of who a member is and whom it knows, the same for every command that is one.

use std::net::{IpAddr, SocketAddr};

use clap::Args;

use super::{Peer, UniqueId, multicast_group};

/// A member's name, and how it finds the others.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct MemberArgs {
    /// Name of this member in the cluster, 32 hexadecimal digits. Static members are told apart by it, so give one
    /// whenever others name this one with --peer. Default: a new random one at every start.
    #[arg(long, value_name = "HEX32")]
    pub(crate) id: Option<UniqueId>,

    /// A member that is always expected, whether it runs or not. Repeat it for more. This member itself may be in the
    /// list: it is passed over, so that all can have the same one.
    #[arg(long = "peer", value_name = "HOST:PORT/HEX32")]
    pub(crate) peers: Vec<Peer>,

    /// Find members by multicast; Tomcat's default is 228.0.0.4:45564. Can be combined with --peer.
    #[arg(long, value_name = "GROUP:PORT", value_parser = multicast_group)]
    pub(crate) multicast: Option<SocketAddr>,

    /// Local address of the network interface that multicast uses. Default: that of --cluster if it names one, else
    /// the choice of the operating system.
    #[arg(long, value_name = "IP", requires = "multicast")]
    pub(crate) multicast_interface: Option<IpAddr>,
}
