//! Names of processes.

use clowder_proto::wire::{Capabilities, Member, MemberId};

/// One life of one node. A node that starts again has the address of its earlier lives and another id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Who {
    /// Which node.
    pub node: usize,
    /// Counts from 1.
    pub life: u32,
}

impl Who {
    /// Its member record.
    pub fn member(self) -> Member {
        let number = u8::try_from(self.node + 1).expect("few nodes");
        let mut id = [number; 16];
        id[12..].copy_from_slice(&self.life.to_be_bytes());
        let mut member = Member::new(([10, 0, 0, number], 4000).into(), id);
        member.extension = Capabilities::ALL.encode();
        member
    }

    /// Whose id it is.
    pub fn of(id: &MemberId) -> Who {
        let life = id.unique_id.last_chunk().map_or(0, |life| u32::from_be_bytes(*life));
        Who { node: Who::node_of(id), life }
    }

    /// The node with the address of this member.
    pub fn node_of(id: &MemberId) -> usize {
        usize::from(id.host[3]) - 1
    }
}
