//! Which handle each node of a graph has in an output.
//!
//! Numbers stay when the handles begin again: the parser lets nothing behind a reset refer to what stands before it.

use crate::graph::NodeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Which handle each node has in the output.
pub(crate) trait Numbers {
    fn get(&self, node: NodeId) -> Option<u32>;
    fn set(&mut self, node: NodeId, handle: u32);
}

/// A slot per node: for outputs that hold most of the graph.
#[derive(Debug, Default)]
pub(crate) struct DenseNumbers(Vec<u32>);

impl DenseNumbers {
    const NONE: u32 = u32::MAX;

    /// Forgets everything and makes room for a graph of `nodes` nodes.
    pub(crate) fn reset(&mut self, nodes: usize) {
        self.0.clear();
        self.0.resize(nodes, Self::NONE);
    }
}

impl Numbers for DenseNumbers {
    fn get(&self, node: NodeId) -> Option<u32> {
        Some(self.0[node.index()]).filter(|&handle| handle != Self::NONE)
    }

    fn set(&mut self, node: NodeId, handle: u32) {
        self.0[node.index()] = handle;
    }
}

/// Node ids are dense small integers that a sender cannot choose, so mixing them needs no secret.
#[derive(Debug, Default)]
pub(crate) struct NodeHasher(u64);

impl Hasher for NodeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// For small parts of a large graph: costs what the part costs.
#[derive(Debug, Default)]
pub(crate) struct SparseNumbers(HashMap<NodeId, u32, BuildHasherDefault<NodeHasher>>);

impl Numbers for SparseNumbers {
    fn get(&self, node: NodeId) -> Option<u32> {
        self.0.get(&node).copied()
    }

    fn set(&mut self, node: NodeId, handle: u32) {
        self.0.insert(node, handle);
    }
}
