//! Target over Java object streams.

use bytes::Bytes;
use java_object_stream::{Document, Limits, Value};

/// A stream that parses is the same bytes when it is written; a value cut out of it is a stream whose only value, cut
/// out again, is the same bytes.
pub fn java_stream(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(document) = Document::parse(bytes.clone(), &Limits::default()) else { return };
    assert_eq!(document.write(), bytes);
    for node in document.contents() {
        let Ok(stream) = document.cut(node) else { continue };
        // A value may point into an earlier one and then brings that along, so a cut can be longer than its part.
        let alone = Document::parse(stream.clone(), &Limits::default()).expect("a cut value is a stream");
        let root = alone.root().expect("a cut value is the only one");
        assert_eq!(alone.cut(root).expect("what was cut can be cut"), stream);
        let same = std::mem::discriminant(&document.value(node)) == std::mem::discriminant(&alone.value(root));
        assert!(same || matches!(document.value(node), Value::Null));
    }
}
