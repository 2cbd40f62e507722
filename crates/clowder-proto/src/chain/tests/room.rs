//! Room that layers have for what lower layers held.

use super::node::{Node, delivered, rejected};
use crate::chain::{FragmentConfig, LayerConfig, OrderConfig, TwoPhaseConfig};

const BYTES_MAX: usize = 4_000;

fn two_phase_over_order() -> Node {
    let two_phase = TwoPhaseConfig { held_bytes_max: BYTES_MAX, messages_max: 1, ..TwoPhaseConfig::default() };
    let order = OrderConfig { held_bytes_max: BYTES_MAX, ..OrderConfig::default() };
    Node::new(vec![LayerConfig::TwoPhase(two_phase), LayerConfig::Order(order)])
}

fn fragment_over_order() -> Node {
    let fragment = FragmentConfig { held_bytes_max: BYTES_MAX, messages_max: 1, ..FragmentConfig::default() };
    let order = OrderConfig { held_bytes_max: BYTES_MAX, ..OrderConfig::default() };
    Node::new(vec![LayerConfig::Fragment(fragment), LayerConfig::Order(order)])
}

fn numbered(number: u32, body: Vec<u8>) -> Vec<u8> {
    [&body[..], &number.to_be_bytes()].concat()
}

/// The first of two pieces.
fn piece() -> Vec<u8> {
    [&[7; 1_000][..], &[0, 0, 0, 0, 0, 0, 0, 2, 1]].concat()
}

#[test]
fn what_a_lower_layer_acknowledged_and_held_has_room_above_it() {
    for (node, body) in [(two_phase_over_order(), vec![7; 1_000]), (fragment_over_order(), piece())] {
        for number in [2, 3] {
            let sink = node.receive_body(number, numbered(number.into(), body.clone()));
            assert!(rejected(&sink).is_empty(), "it waits, and counts as processed");
        }
        let sink = node.receive_body(1, numbered(1, body));
        assert!(rejected(&sink).is_empty(), "{:?} of {:?}", rejected(&sink), node.chain);
        assert!(node.chain.held_bytes() <= 2 * BYTES_MAX, "no more than the bounds of both layers");
    }
}

#[test]
fn a_layer_holds_only_what_would_have_room_above_it() {
    let node = two_phase_over_order();
    assert!(rejected(&node.receive_body(1, numbered(1, vec![7; 2_000]))).is_empty(), "it waits to be confirmed");
    let sink = node.receive_body(3, numbered(3, vec![7; 2_000]));
    assert_eq!((rejected(&sink), delivered(&sink).len()), (vec!["memory_full"], 0));
}
