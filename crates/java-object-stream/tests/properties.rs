//! What holds for all streams: written values are read as they were, streams are written as they were read, values
//! taken out of one and put into another stay the same, and nothing that is no stream does harm.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

#[path = "support/same.rs"]
mod same;
mod support;
#[path = "support/tree.rs"]
mod tree;

use java_object_stream::{Document, Error, Limits, Value, Writer, class_name, from_bytes};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use same::same_graph;
use std::collections::HashMap;
use support::vectors;
use tree::{read, trees, write};

/// What a mutated stream may cost: enough for every vector.
fn limits() -> Limits {
    Limits { depth_max: 100, handles_max: 2000, elements_max: 2000, ..Limits::default() }
}

/// Everything that can be done with bytes of unknown origin; where it succeeds, it must be right.
fn withstand(bytes: &[u8]) {
    let _ = class_name(bytes);
    let _: Result<serde_json::Value, Error> = from_bytes(bytes);
    let _ = Writer::new().write_stream_value(bytes);
    let Ok(document) = Document::parse(bytes.to_vec(), &limits()) else { return };
    assert_eq!(document.write(), bytes);
    for node in document.contents() {
        moves(&document, node);
    }
    let mut cursor = document.cursor();
    while !cursor.is_at_end() {
        cursor.skip_data();
        let _ = cursor.read_object();
    }
}

/// A value that is cut out, and then put between others in a new stream, is the same as before.
fn moves(document: &Document, node: java_object_stream::NodeId) {
    let mut writer = Writer::new();
    writer.write_integer(1);
    writer.write_utf("between").unwrap();
    let written = writer.write_value(document, node);
    let Ok(cut) = document.cut(node) else {
        assert!(written.is_err());
        assert!(matches!(document.value(node), Value::Block(_) | Value::Reset | Value::Aborted(_)));
        return;
    };
    written.unwrap();
    assert!(cut.len() <= document.source().len());
    writer.write_stream_value(&cut).unwrap();
    writer.write_string("last");
    let alone = Document::parse(cut.clone(), &Limits::default()).unwrap();
    let root = alone.root().unwrap();
    assert!(same_graph((document, node), (&alone, root)));
    assert_eq!(alone.cut(root).unwrap(), cut);
    let all = Document::parse(writer.finish(), &Limits::default()).unwrap();
    let nodes: Vec<_> = all.contents().collect();
    let [_, _, first, second, _] = nodes[..] else { panic!("{nodes:?}") };
    assert!(same_graph((document, node), (&all, first)));
    assert!(same_graph((document, node), (&all, second)));
}

#[test]
fn every_value_of_the_vectors_moves() {
    for vector in vectors() {
        let document = Document::parse(vector.bytes.clone(), &Limits::default()).unwrap();
        for node in document.contents() {
            moves(&document, node);
        }
    }
}

/// The comparison would be worth nothing if everything were the same to it.
#[test]
fn different_values_are_told_apart() {
    let values: Vec<_> = vectors()
        .iter()
        .map(|vector| (&vector.name, Document::parse(vector.bytes.clone(), &Limits::default()).unwrap()))
        .filter_map(|(name, document)| Some((name, document.root().ok()?, document)))
        .collect();
    for (name_a, root_a, a) in &values {
        for (name_b, root_b, b) in &values {
            let same = a.source() == b.source();
            assert_eq!(same_graph((a, *root_a), (b, *root_b)), same, "{name_a} and {name_b}");
        }
    }
}

/// A class descriptor in full, or a reference to what may be one.
fn class(descriptor: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => Just(descriptor.to_vec()), 1 => reference()]
}

fn reference() -> impl Strategy<Value = Vec<u8>> {
    (0..12u8).prop_map(|handle| vec![0x71, 0, 0x7e, 0, handle])
}

fn block() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![&b"\x77\x02\x00\x01"[..], b"\x77\x00", b"\x7a\x00\x00\x00\x01\x05"])
        .prop_map(<[u8]>::to_vec)
}

/// Values by the grammar, built without the writer: references may lead anywhere, lengths have forms that no writer
/// chooses. Most of them are streams.
fn values() -> impl Strategy<Value = Vec<u8>> {
    const PLAIN: &[u8] = b"\x72\x00\x01P\0\0\0\0\0\0\0\x01\x02\x00\x00\x78\x70";
    const NOTED: &[u8] = b"\x72\x00\x01W\0\0\0\0\0\0\0\x02\x03\x00\x01I\x00\x01i\x78";
    const HOLDER: &[u8] = b"\x72\x00\x01R\0\0\0\0\0\0\0\x03\x02\x00\x01L\x00\x01r\x74\x00\x01X\x78";
    const EXTERNAL: &[u8] = b"\x72\x00\x01E\0\0\0\0\0\0\0\x04\x0c\x00\x00\x78";
    const OBJECTS: &[u8] = b"\x72\x00\x02[L\0\0\0\0\0\0\0\x05\x02\x00\x00\x78\x70";
    const SHORTS: &[u8] = b"\x72\x00\x02[S\0\0\0\0\0\0\0\x06\x02\x00\x00\x78\x70";
    const PROXY: &[u8] = b"\x7d\x00\x00\x00\x01\x00\x01I\x78\x70";
    let simple =
        [&b"\x70"[..], b"\x74\x00\x01A", b"\x7c\x00\x00\x00\x00\x00\x00\x00\x01B", b"\x74\x00\x03\xed\xa0\xbd"];
    let leaf = prop_oneof![
        3 => prop::sample::select(simple.to_vec()).prop_map(<[u8]>::to_vec),
        2 => reference(),
        1 => class(PLAIN),
        1 => class(PLAIN).prop_map(|class| [b"\x73", &class[..]].concat()),
        1 => class(PROXY).prop_map(|class| [b"\x73", &class[..]].concat()),
        1 => class(PLAIN).prop_map(|class| [b"\x76", &class[..]].concat()),
        1 => class(PLAIN).prop_map(|class| [b"\x7e", &class[..], b"\x74\x00\x01C"].concat()),
        1 => class(SHORTS).prop_map(|class| [b"\x75", &class[..], b"\0\0\0\x02\0\x01\0\x02"].concat()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let contents = prop::collection::vec(prop_oneof![3 => inner.clone(), 1 => block()], 0..4);
        let items = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            // With a class as its superclass, or none.
            (inner.clone(), class(PLAIN)).prop_map(|(r, base)| [b"\x73", HOLDER, &base, &r].concat()),
            (inner, reference()).prop_map(|(r, class)| [b"\x73", &class[..], &r].concat()),
            contents.clone().prop_map(|c| [b"\x73", NOTED, b"\x70\0\0\0\x07", &c.concat(), b"\x78"].concat()),
            contents.prop_map(|c| [b"\x73", EXTERNAL, HOLDER, b"\x70", &c.concat(), b"\x78"].concat()),
            (items, class(OBJECTS)).prop_map(|(i, class)| [
                b"\x75",
                &class[..],
                &(i.len() as u32).to_be_bytes(),
                &i.concat()
            ]
            .concat()),
        ]
    })
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    let content = prop_oneof![
        6 => values(),
        2 => block(),
        1 => Just(b"\x79".to_vec()),
        // A list given up by its writer, and the exception.
        1 => (values(), values()).prop_map(|(value, exception)| {
            [b"\x73\x72\x00\x01V\0\0\0\0\0\0\0\x02\x03\0\0\x78\x70", &value[..], b"\x7b", &exception].concat()
        }),
    ];
    prop::collection::vec(content, 0..6).prop_map(|contents| [b"\xac\xed\x00\x05", &contents.concat()[..]].concat())
}

/// A vector with some of its bytes replaced, removed and repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3u8, any::<u8>());
    (
        prop::sample::select(vectors().iter().map(|vector| vector.bytes.clone()).collect::<Vec<_>>()),
        prop::collection::vec(change, 1..5),
    )
        .prop_map(|(mut bytes, changes)| {
            for (at, to, kind, value) in changes {
                if bytes.is_empty() {
                    break;
                }
                let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
                let range = at.min(to)..at.max(to);
                match kind {
                    0 => bytes[at] = value,
                    1 => drop(bytes.drain(range)),
                    _ => {
                        let part = bytes[range.clone()].to_vec();
                        drop(bytes.splice(range.start..range.start, part));
                    }
                }
            }
            bytes
        })
}

/// The same cases in each run.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

#[test]
fn enough_of_the_made_up_streams_are_streams() {
    let mut runner = TestRunner::new(cases(0));
    let made: Vec<_> = (0..500).map(|_| streams().new_tree(&mut runner).unwrap().current()).collect();
    let parsed = made.iter().filter(|bytes| Document::parse(bytes.to_vec(), &limits()).is_ok()).count();
    assert!((150..500).contains(&parsed), "{parsed} of {}", made.len());
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_is_written_is_read(mut values in prop::collection::vec(trees(), 0..5)) {
        let (mut writer, mut handles) = (Writer::new(), Vec::new());
        values.iter_mut().for_each(|value| write(value, &mut writer, &mut handles));
        let stream = writer.finish();
        let document = Document::parse(stream.clone(), &Limits::default()).unwrap();
        prop_assert_eq!(document.write(), stream);
        let mut begun = HashMap::new();
        let back: Vec<_> = document.contents().map(|node| read(&document, node, &mut begun)).collect();
        prop_assert_eq!(back, values);
        for node in document.contents() {
            moves(&document, node);
        }
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        withstand(&bytes);
        withstand(&[b"\xac\xed\x00\x05", &bytes[..]].concat());
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn made_up_streams_do_no_harm(bytes in streams()) {
        withstand(&bytes);
    }

    #[test]
    fn mutated_vectors_do_no_harm(bytes in mutated()) {
        withstand(&bytes);
    }
}
