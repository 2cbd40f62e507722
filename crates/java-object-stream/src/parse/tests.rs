//! What a stream makes its reader hold.

use super::{Parser, Scratch};
use crate::graph::Graph;
use crate::limits::Limits;
use std::mem::size_of_val;

/// Bytes held per byte of input while and after it is parsed; what [`Limits`] says.
const HELD_MAX: usize = 24;

/// Parses, and gives what graph and parser hold then.
fn held(stream: &[u8]) -> usize {
    let (mut graph, mut scratch) = (Graph::default(), Scratch::default());
    let limits = Limits { depth_max: usize::MAX, class_depth_max: usize::MAX, ..Limits::default() };
    // An error ends most of these streams: what was held until then is what counts.
    let _ = Parser::parse(stream, &limits, &[], &mut graph, &mut scratch);
    [
        size_of_val(&graph.nodes[..]),
        size_of_val(&graph.starts[..]),
        size_of_val(&graph.words[..]),
        size_of_val(&graph.descs[..]),
        size_of_val(&graph.fields[..]),
        size_of_val(&graph.contents[..]),
        size_of_val(&scratch.handles[..]),
        size_of_val(&scratch.frames[..]),
        size_of_val(&scratch.pending[..]),
        size_of_val(&scratch.chain[..]),
        size_of_val(&scratch.suspects[..]),
    ]
    .iter()
    .sum()
}

#[test]
fn memory_is_bounded_by_the_input() {
    let header = b"\xac\xed\x00\x05".as_slice();
    let fields = |entry: &[u8]| [b"\x72\0\0\0\0\0\0\0\0\0\0\x02\x7f\xff".as_slice(), &entry.repeat(0x7fff)].concat();
    let array = b"\x75\x72\0\x02[L\0\0\0\0\0\0\0\0\x02\0\0\x78\x70".as_slice();
    let class = b"\x72\0\x01A\0\0\0\0\0\0\0\0\x03\0\x01[\0\x01a\x74\0\0\x78".as_slice();
    for (what, stream) in [
        ("resets", b"\x79".repeat(100_000)),
        ("empty blocks", b"\x77\0".repeat(100_000)),
        ("empty strings", b"\x74\0\0".repeat(100_000)),
        ("nulls", b"\x70".repeat(100_000)),
        ("proxies without interfaces", b"\x7d\0\0\0\0\x78\x70".repeat(10_000)),
        ("proxies in proxies", b"\x7d\0\0\0\0".repeat(20_000)),
        ("superclasses", b"\x7d\0\0\0\0\x78".repeat(20_000)),
        ("interfaces", [b"\x7d\x00\x00\xff\xff".as_slice(), &b"\0\0".repeat(0xffff)].concat()),
        ("primitive fields", fields(b"I\0\0")),
        ("reference fields", fields(b"L\0\0\x74\0\0")),
        ("shared signatures", [b"\x74\0\0".as_slice(), &fields(b"L\0\0\x71\0\x7e\0\0")].concat()),
        ("an array of nulls", [array, b"\0\x01\0\0", &b"\x70".repeat(0x10000)].concat()),
        ("an array that breaks off", [array, b"\0\x01\0\0", &b"\x70".repeat(0xffff), b"\x74"].concat()),
        ("arrays in arrays", [array, b"\0\0\0\x01", &b"\x75\x71\0\x7e\0\0\0\0\0\x01".repeat(20_000)].concat()),
        ("objects in objects", [b"\x73", class, b"\x70", &b"\x73\x71\0\x7e\0\0".repeat(20_000)].concat()),
        ("annotations", [b"\x73", class, b"\x70\x70\x78", &b"\x73\x71\0\x7e\0\0\x70\x78".repeat(20_000)].concat()),
        (
            "a long chain of annotations",
            [b"\x73", &class.repeat(5000)[..], b"\x70", &b"\x70\x78".repeat(5000)].concat(),
        ),
    ] {
        let stream = [header, &stream].concat();
        let held = held(&stream);
        assert!(held <= HELD_MAX * stream.len(), "{what}: {} per byte", held as f64 / stream.len() as f64);
        // A stream that fails at once shows nothing.
        assert!(held > stream.len(), "{what}: {held}");
    }
}
