//! What tells a copy of a received message from another message.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;

use super::Chain;
use crate::wire::{Message, MessageId};

/// So much of a body's end tells the pieces of one message apart.
const END_BYTES: usize = 32;

impl Chain {
    /// By what a copy of `message`, as it came from the wire, is recognised: its id, or what is made of it and of the
    /// end of the body if several messages of a sender carry one id. The pieces of a fragmented message differ there: in
    /// their number, or in what a layer below made of it.
    pub fn identity(&self, message: &Message) -> MessageId {
        if !self.shares_ids() {
            return message.id.clone();
        }
        let end = &message.body[message.body.len().saturating_sub(END_BYTES)..];
        let mut mixed = [0; 16];
        for (half, seed) in mixed.chunks_exact_mut(8).zip([0_u8, 1]) {
            let mut hasher = DefaultHasher::new();
            (seed, &message.id, message.body.len(), end).hash(&mut hasher);
            half.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        MessageId(Bytes::copy_from_slice(&mixed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::chain::tests::node::{Node, draft, member};
    use crate::chain::{FragmentConfig, LayerConfig};

    fn identities(node: &Node, body: &'static [u8]) -> Vec<MessageId> {
        let plan = node.send(draft(0, 7, body), &[member(2)]);
        let messages = plan.parcels.into_iter().map(|parcel| parcel.draft.into_message(member(1)));
        messages.map(|message| node.chain.identity(&message)).collect()
    }

    #[test]
    fn the_pieces_of_a_message_are_no_copies_of_each_other() {
        let node = Node::new(vec![LayerConfig::Fragment(FragmentConfig { max_size: 1, ..FragmentConfig::default() })]);
        let pieces = identities(&node, b"aaaa");
        assert_eq!(pieces, identities(&node, b"aaaa"), "a copy is one");
        assert_eq!(pieces.iter().collect::<HashSet<_>>().len(), 4);
    }

    #[test]
    fn without_fragmentation_the_id_alone_tells_a_copy() {
        let node = Node::new(vec![]);
        assert_eq!(identities(&node, b"one"), identities(&node, b"two"));
    }
}
