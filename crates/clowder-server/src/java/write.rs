//! JDK values as standalone streams, byte for byte as Java writes them.

use bytes::Bytes;
use java_object_stream::{ClassDescriptor, JavaDate, JavaUuid, Writer, to_bytes};
use serde::Serialize;

const WRITTEN: &str = "the values written are those of the class";

fn plain<T: Serialize + ?Sized>(value: &T) -> Bytes {
    to_bytes(value).expect("numbers, texts and lists of them have a Java class")
}

/// A stream with one object; `content` writes its fields and annotations.
fn object(class: &str, content: impl FnOnce(&mut Writer)) -> Bytes {
    let mut out = Writer::new();
    write_object(&mut out, class, content);
    out.finish()
}

fn write_object(out: &mut Writer, class: &str, content: impl FnOnce(&mut Writer)) {
    out.begin_object(ClassDescriptor::jdk(class).expect("only classes of the JDK table are written here"));
    content(out);
    out.end_object().expect(WRITTEN);
}

/// java.lang.Integer
pub(crate) fn integer(value: i32) -> Bytes {
    plain(&value)
}

/// java.lang.Long
pub(crate) fn long(value: i64) -> Bytes {
    plain(&value)
}

/// java.lang.Double
pub(crate) fn double(value: f64) -> Bytes {
    plain(&value)
}

/// java.lang.Boolean
pub(crate) fn boolean(value: bool) -> Bytes {
    plain(&value)
}

/// java.lang.String
pub(crate) fn string(text: &str) -> Bytes {
    plain(text)
}

/// `byte[]`
pub(crate) fn bytes(bytes: &[u8]) -> Bytes {
    let mut out = Writer::new();
    out.write_byte_array(bytes);
    out.finish()
}

/// java.util.Date
pub(crate) fn date(ms: i64) -> Bytes {
    plain(&JavaDate(ms))
}

/// java.util.UUID
pub(crate) fn uuid(most: u64, least: u64) -> Bytes {
    plain(&JavaUuid(((u128::from(most) << 64) | u128::from(least)).to_be_bytes()))
}

/// java.time.Instant
pub(crate) fn instant(seconds: i64, nanos: i32) -> Bytes {
    object("java.time.Ser", |out| {
        out.write_i8(2);
        out.write_i64(seconds);
        out.write_i32(nanos);
    })
}

/// java.math.BigDecimal: `magnitude` × 10^-`scale`, the magnitude without leading zero bytes.
pub(crate) fn decimal(negative: bool, magnitude: &[u8], scale: i32) -> Bytes {
    let signum = match (magnitude.is_empty(), negative) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    };
    object("java.math.BigDecimal", |out| {
        out.write_i32(scale);
        write_object(out, "java.math.BigInteger", |out| {
            [-1, -1, -2, -2, signum].into_iter().for_each(|value| out.write_i32(value));
            out.write_byte_array(magnitude);
            out.begin_annotation();
        });
        out.begin_annotation();
    })
}

/// java.util.ArrayList of strings
pub(crate) fn list(elements: &[&str]) -> Bytes {
    plain(elements)
}

/// java.util.HashMap of strings. The last value of a key counts. Entries stand in the order in which Java's own table
/// has them, so that the text of the map is the same on both sides.
pub(crate) fn map(pairs: &[(&str, &str)]) -> Bytes {
    let mut entries: Vec<(&str, &str)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }
    // Java: HashMap — 16 buckets, doubled whenever three quarters are exceeded; 0 is the threshold of an empty map.
    let mut buckets = 16;
    while entries.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    entries.sort_by_key(|(key, _)| bucket(key, buckets));
    let threshold = if entries.is_empty() { 0 } else { buckets / 4 * 3 };
    object("java.util.HashMap", |out| {
        out.write_f32(0.75);
        out.write_i32(count(threshold));
        out.begin_annotation();
        out.write_i32(count(buckets));
        out.write_i32(count(entries.len()));
        for (key, value) in &entries {
            out.write_string(key);
            out.write_string(value);
        }
    })
}

/// Java: String.hashCode over UTF-16 units, spread and masked as HashMap does.
fn bucket(key: &str, buckets: usize) -> usize {
    let hash = key.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) as usize & (buckets - 1)
}

fn count(count: usize) -> i32 {
    i32::try_from(count).expect("made from one request, far below 2 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::java::text::describe;

    const VECTORS: &str = include_str!("../../../../vectors/java-serialization.json");

    fn java(name: &str) -> String {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let vector = vectors["vectors"].as_array().unwrap().iter().find(|vector| vector["name"] == name);
        vector.unwrap_or_else(|| panic!("no vector {name}"))["hex"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_same_bytes_as_java() {
        for (name, stream) in [
            ("integer", integer(42)),
            ("long", long(1_700_000_000_000)),
            ("double", double(-0.1)),
            ("string_ascii", string("hello")),
            ("string_supplementary", string("\u{1f600}")),
            ("byte_array_empty", bytes(b"")),
            ("date", date(1_700_000_000_000)),
            ("uuid", uuid(0x0011_2233_4455_6677, 0x8899_aabb_ccdd_eeff)),
            ("big_decimal", decimal(false, &[0x04, 0xe2], 2)),
            ("array_list", list(&["a", "b"])),
            ("array_list_empty", list(&[])),
        ] {
            assert_eq!(hex::encode(&stream), java(name), "{name}");
        }
    }

    #[test]
    fn what_is_written_is_shown() {
        let shown = |stream: Bytes| {
            let (class, text) = describe(&stream);
            format!("{class}:{}", text.unwrap_or_else(|| "opaque".to_owned()))
        };
        assert_eq!(shown(boolean(true)), "java.lang.Boolean:true");
        assert_eq!(shown(map(&[("k", "v"), ("n", "1"), ("k", "w")])), "java.util.HashMap:{k=w, n=1}");
        assert_eq!(shown(map(&[])), "java.util.HashMap:{}");
        assert_eq!(shown(list(&["a", "b"])), "java.util.ArrayList:[a, b]");
        assert_eq!(shown(instant(1_700_000_000, 5_000_000)), "java.time.Instant:2023-11-14T22:13:20.005Z");
        assert_eq!(shown(decimal(true, &[5], 2)), "java.math.BigDecimal:-0.05");
        assert_eq!(shown(string(&"x".repeat(70_000))).len(), "java.lang.String:".len() + 70_000);
        assert_eq!(shown(bytes(b"abc")), "[B:opaque");
    }

    #[test]
    fn entries_stand_in_the_order_of_javas_table() {
        // "Aa" and "BB" have one hash; "b" comes before "a" only by insertion, never by table order.
        assert_eq!(bucket("Aa", 16), bucket("BB", 16));
        let (_, text) = describe(&map(&[("b", "2"), ("BB", "3"), ("a", "1"), ("Aa", "4")]));
        assert_eq!(text.as_deref(), Some("{BB=3, Aa=4, a=1, b=2}"));
    }

    #[test]
    fn every_vector_is_shown_as_java_does_or_not_at_all() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let mut shown = 0;
        for vector in vectors["vectors"].as_array().unwrap() {
            let (stream, expected) =
                (hex::decode(vector["hex"].as_str().unwrap()).unwrap(), vector["to_string"].as_str());
            if let (Some(expected), (_, Some(text))) = (expected, describe(&stream)) {
                assert_eq!(text, expected, "{}", vector["name"]);
                shown += 1;
            }
        }
        assert!(shown >= 25, "{shown}");
    }
}
