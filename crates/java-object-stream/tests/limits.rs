//! Each limit, at it and beyond it; lengths that promise more than there is; depth that costs no stack.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod support;

use java_object_stream::{
    ClassDescriptor, Document, Error, Limit, Limits, ReadError, ReadErrorKind, Writer, class_name, from_bytes,
};
use support::vector;

const HEADER: &[u8] = b"\xac\xed\x00\x05";
/// Descriptor of `[L`; handle 0 if it is the first.
const ARRAY_CLASS: &[u8] = b"\x72\x00\x02[L\0\0\0\0\0\0\0\0\x02\x00\x00\x78\x70";
const HANDLE_0: &[u8] = b"\x71\x00\x7e\x00\x00";

fn parse(stream: &[u8], limits: Limits) -> Result<(), ReadErrorKind> {
    Document::parse(stream.to_vec(), &limits).map(drop).map_err(|error| error.kind)
}

/// `stream` is read with the limit and refused with one less.
#[track_caller]
fn ends_at(stream: &[u8], limit: Limit, bounded: impl Fn(usize) -> Limits, bound: usize) {
    assert_eq!(parse(stream, bounded(bound)), Ok(()));
    assert_eq!(parse(stream, bounded(bound - 1)), Err(ReadErrorKind::Limit(limit)));
}

/// Arrays of one array each, `depth` of them around null.
fn nested(depth: usize) -> Vec<u8> {
    let mut stream = [HEADER, b"\x75", ARRAY_CLASS, b"\0\0\0\x01"].concat();
    let one = [b"\x75", HANDLE_0, b"\0\0\0\x01"].concat();
    stream.reserve(one.len() * depth);
    (1..depth).for_each(|_| stream.extend_from_slice(&one));
    stream.push(0x70);
    stream
}

#[test]
fn bytes() {
    let stream = vector("bean");
    ends_at(&stream, Limit::Bytes, |bytes_max| Limits { bytes_max, ..Limits::default() }, stream.len());
}

#[test]
fn string_bytes() {
    let limits = |string_bytes_max| Limits { string_bytes_max, ..Limits::default() };
    ends_at(&vector("string_ascii"), Limit::StringBytes, limits, 5);
    let mut writer = Writer::new();
    writer.write_string(&"x".repeat(70_000));
    ends_at(&writer.finish(), Limit::StringBytes, limits, 70_000);
    // Signatures are strings as well.
    ends_at(&vector("bean"), Limit::StringBytes, limits, "Ljava/lang/String;".len());
}

#[test]
fn depth() {
    let limits = |depth_max| Limits { depth_max, ..Limits::default() };
    ends_at(&nested(100), Limit::Depth, limits, 100);
    ends_at(&nested(10_000), Limit::Depth, limits, Limits::default().depth_max);
}

#[test]
fn handles() {
    let limits = |handles_max| Limits { handles_max, ..Limits::default() };
    // Descriptor, signature, object, label.
    ends_at(&vector("bean"), Limit::Handles, limits, 4);
    // Those before a reset count too.
    ends_at(&vector("reset"), Limit::Handles, limits, 2);
}

#[test]
fn elements() {
    let limits = |elements_max| Limits { elements_max, ..Limits::default() };
    // An array of three at the top level; a list of two with its block; three contents.
    ends_at(&vector("string_array"), Limit::Elements, limits, 3 + 1);
    ends_at(&vector("array_list"), Limit::Elements, limits, 1 + 2 + 1);
    ends_at(&vector("reset"), Limit::Elements, limits, 3);
    // Primitives are bounded by their bytes.
    ends_at(&vector("int_array"), Limit::Elements, limits, 1);
}

#[test]
fn class_depth() {
    let limits = |class_depth_max| Limits { class_depth_max, ..Limits::default() };
    ends_at(&vector("integer"), Limit::ClassDepth, limits, 2);
    let lowest = (0..100).fold(None, |base, n| {
        Some(ClassDescriptor::new(&format!("A{n}"), 1, ClassDescriptor::SERIALIZABLE, &[], base.as_ref()))
    });
    let mut writer = Writer::new();
    writer.begin_object(&lowest.unwrap());
    writer.end_object().unwrap();
    let stream = writer.finish();
    ends_at(&stream, Limit::ClassDepth, limits, Limits::default().class_depth_max);
    // One more class, its name and its end before those of the others: the writer refuses it too.
    let more = [HEADER, b"\x73\x72\x00\x01B\0\0\0\0\0\0\0\0\x02\x00\x00\x78", &stream[5..]].concat();
    let refused = ReadErrorKind::Limit(Limit::ClassDepth);
    assert_eq!(parse(&more, Limits::default()), Err(refused.clone()));
    assert_eq!(Writer::new().write_stream_value(&more).unwrap_err().kind, refused);
}

#[test]
fn lengths_are_compared_with_what_is_there() {
    let proxies = b"\x73\x7d\x7f\xff\xff\xff".as_slice();
    let block = b"\x7a\x7f\xff\xff\xff".as_slice();
    let string = b"\x7c\x7f\xff\xff\xff\xff\xff\xff\xff".as_slice();
    let array = [b"\x75", ARRAY_CLASS, b"\x7f\xff\xff\xff"].concat();
    let ints = b"\x75\x72\x00\x02[I\0\0\0\0\0\0\0\0\x02\x00\x00\x78\x70\x7f\xff\xff\xff".as_slice();
    for promise in [proxies, block, &array, ints] {
        let error = parse(&[HEADER, promise, &[0x70; 100]].concat(), Limits::default()).unwrap_err();
        assert!(matches!(error, ReadErrorKind::Truncated { .. }), "{error:?}");
    }
    let unlimited = Limits { string_bytes_max: usize::MAX, ..Limits::default() };
    let error = parse(&[HEADER, string].concat(), unlimited).unwrap_err();
    assert!(matches!(error, ReadErrorKind::Truncated { .. }), "{error:?}");
    for negative in [&b"\x7a\xff\xff\xff\xff"[..], b"\x7c\xff\xff\xff\xff\xff\xff\xff\xff", b"\x73\x7d\xff\xff\xff\xff"]
    {
        let error = parse(&[HEADER, negative].concat(), Limits::default()).unwrap_err();
        assert!(matches!(error, ReadErrorKind::NegativeLength(-1)), "{error:?}");
    }
}

/// On a stack that recursion would leave after a few hundred levels.
fn on_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(96 << 10).spawn(work).unwrap().join().unwrap()
}

#[test]
fn ten_million_levels_are_refused() {
    let refused: Vec<ReadError> = on_small_stack(|| {
        let stream = nested(10_000_000);
        let limits = Limits { bytes_max: usize::MAX, elements_max: usize::MAX, ..Limits::default() };
        // The default limits end at the length.
        let named = class_name(&stream).unwrap_err();
        let Err(Error::Read(read)) = from_bytes::<Vec<i32>>(&stream) else { panic!("no error of reading") };
        let parsed = Document::parse(stream, &limits).unwrap_err();
        vec![parsed, named, read]
    });
    let limits: Vec<_> = refused.into_iter().map(|error| error.kind).collect();
    let [depth, bytes] = [Limit::Depth, Limit::Bytes].map(ReadErrorKind::Limit);
    assert_eq!(limits, [depth, bytes.clone(), bytes]);
}

#[test]
fn depth_costs_no_stack() {
    on_small_stack(|| {
        let stream = nested(100_000);
        let limits = Limits { depth_max: usize::MAX, ..Limits::default() };
        let document = Document::parse(stream.clone(), &limits).unwrap();
        let root = document.root().unwrap();
        assert!(document.write() == stream);
        assert!(document.cut(root).unwrap() == stream);
        let mut writer = Writer::new();
        writer.write_value(&document, root).unwrap();
        writer.write_stream_value(&stream).unwrap();
        assert!(writer.len() > 2 * (stream.len() - 100));
    });
}

/// Descriptors nest in annotations of descriptors.
#[test]
fn descriptors_in_descriptors_are_levels_too() {
    let stream = [HEADER, &b"\x7d\0\0\0\0".repeat(1_000_000)].concat();
    assert_eq!(on_small_stack(move || parse(&stream, Limits::default())), Err(ReadErrorKind::Limit(Limit::Depth)));
}
