//! Bounds that every decoder obeys.

/// How much a peer may ask this node to hold. Reaching one is a [`WireError`](super::WireError) of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in the content of one frame. Default 64 MiB.
    pub frame_bytes_max: usize,
    /// Bytes in one member record. Default 65,535, what fits a heartbeat datagram.
    pub member_bytes_max: usize,
    /// Bytes in a message id. Tomcat writes 16 and reads any length. Default 64.
    pub id_bytes_max: usize,
    /// Members in one message between coordinators. Default 1024.
    pub coordination_members_max: usize,
    /// Bytes in one message between coordinators. Default 256 KiB.
    pub coordination_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            frame_bytes_max: 64 << 20,
            member_bytes_max: 65_535,
            id_bytes_max: 64,
            coordination_members_max: 1024,
            coordination_bytes_max: 256 << 10,
        }
    }
}
