//! JDK values as standalone streams, byte for byte as Java writes them.

use bytes::Bytes;
use clowder_proto::session::JavaStr;

/// java.lang.Integer
pub(crate) fn integer(value: i32) -> Bytes {
    boxed("java.lang.Integer", 0x12e2_a0a4_f781_8738, b'I', true, &value.to_be_bytes())
}

/// java.lang.Long
pub(crate) fn long(value: i64) -> Bytes {
    boxed("java.lang.Long", 0x3b8b_e490_cc8f_23df, b'J', true, &value.to_be_bytes())
}

/// java.lang.Double
pub(crate) fn double(value: f64) -> Bytes {
    boxed("java.lang.Double", 0x80b3_c24a_296b_fb04, b'D', true, &value.to_be_bytes())
}

/// java.lang.Boolean
pub(crate) fn boolean(value: bool) -> Bytes {
    boxed("java.lang.Boolean", 0xcd20_7280_d59c_faee, b'Z', false, &[u8::from(value)])
}

/// java.lang.String
pub(crate) fn string(text: &str) -> Bytes {
    let mut out = Out::new();
    out.string(text);
    out.finish()
}

/// `byte[]`
pub(crate) fn bytes(bytes: &[u8]) -> Bytes {
    let mut out = Out::new();
    out.byte_array(bytes);
    out.finish()
}

/// java.util.Date
pub(crate) fn date(ms: i64) -> Bytes {
    let mut out = Out::new();
    out.object("java.util.Date", 0x686a_8101_4b59_7419, SERIALIZABLE | WRITE_OBJECT, &[]);
    out.no_superclass();
    out.block(&ms.to_be_bytes());
    out.end_of_block_data();
    out.finish()
}

/// java.util.UUID
pub(crate) fn uuid(most: u64, least: u64) -> Bytes {
    let mut out = Out::new();
    let fields = [(b'J', "leastSigBits", ""), (b'J', "mostSigBits", "")];
    out.object("java.util.UUID", 0xbc99_03f7_986d_852f, SERIALIZABLE, &fields);
    out.no_superclass();
    out.raw(&least.to_be_bytes());
    out.raw(&most.to_be_bytes());
    out.finish()
}

/// java.time.Instant
pub(crate) fn instant(seconds: i64, nanos: i32) -> Bytes {
    let mut out = Out::new();
    out.object("java.time.Ser", 0x955d_84ba_1b22_48b2, EXTERNALIZABLE | BLOCK_DATA, &[]);
    out.no_superclass();
    let mut data = vec![2];
    data.extend(seconds.to_be_bytes());
    data.extend(nanos.to_be_bytes());
    out.block(&data);
    out.end_of_block_data();
    out.finish()
}

/// java.math.BigDecimal: `magnitude` × 10^-`scale`, the magnitude without leading zero bytes.
pub(crate) fn decimal(negative: bool, magnitude: &[u8], scale: i32) -> Bytes {
    let mut out = Out::new();
    let fields = [(b'I', "scale", ""), (b'L', "intVal", "Ljava/math/BigInteger;")];
    out.object("java.math.BigDecimal", 0x54c7_1557_f981_284f, SERIALIZABLE | WRITE_OBJECT, &fields);
    out.number(); // handle 2, behind the class and the signature
    out.raw(&scale.to_be_bytes());
    let fields = [
        (b'I', "bitCount", ""),
        (b'I', "bitLength", ""),
        (b'I', "firstNonzeroByteNum", ""),
        (b'I', "lowestSetBit", ""),
        (b'I', "signum", ""),
        (b'[', "magnitude", "[B"),
    ];
    out.object("java.math.BigInteger", 0x8cfc_9f1f_a93b_fb1d, SERIALIZABLE | WRITE_OBJECT, &fields);
    out.reference(2);
    let signum = match (magnitude.is_empty(), negative) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    };
    [-1, -1, -2, -2, signum].into_iter().for_each(|value: i32| out.raw(&value.to_be_bytes()));
    out.byte_array(magnitude);
    out.end_of_block_data();
    out.end_of_block_data();
    out.finish()
}

/// java.util.ArrayList of strings
pub(crate) fn list(elements: &[&str]) -> Bytes {
    let size = count(elements.len());
    let mut out = Out::new();
    out.object("java.util.ArrayList", 0x7881_d21d_99c7_619d, SERIALIZABLE | WRITE_OBJECT, &[(b'I', "size", "")]);
    out.no_superclass();
    out.raw(&size);
    out.block(&size);
    elements.iter().for_each(|element| out.string(element));
    out.end_of_block_data();
    out.finish()
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
    let mut out = Out::new();
    let fields = [(b'F', "loadFactor", ""), (b'I', "threshold", "")];
    out.object("java.util.HashMap", 0x0507_dac1_c316_60d1, SERIALIZABLE | WRITE_OBJECT, &fields);
    out.no_superclass();
    out.raw(&0.75f32.to_be_bytes());
    out.raw(&count(threshold));
    out.block(&[count(buckets), count(entries.len())].concat());
    for (key, value) in entries {
        out.string(key);
        out.string(value);
    }
    out.end_of_block_data();
    out.finish()
}

/// Java: String.hashCode over UTF-16 units, spread and masked as HashMap does.
fn bucket(key: &str, buckets: usize) -> usize {
    let hash = key.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) as usize & (buckets - 1)
}

fn count(count: usize) -> [u8; 4] {
    i32::try_from(count).expect("made from one request, far below 2 GiB").to_be_bytes()
}

const WRITE_OBJECT: u8 = 1;
const SERIALIZABLE: u8 = 2;
const EXTERNALIZABLE: u8 = 4;
const BLOCK_DATA: u8 = 8;

fn boxed(class: &str, id: u64, field: u8, is_number: bool, value: &[u8]) -> Bytes {
    let mut out = Out::new();
    out.object(class, id, SERIALIZABLE, &[(field, "value", "")]);
    if is_number {
        out.number()
    } else {
        out.no_superclass()
    }
    out.raw(value);
    out.finish()
}

/// A stream in the making. Only what the values above need.
struct Out(Vec<u8>);

impl Out {
    fn new() -> Self {
        Out(vec![0xac, 0xed, 0, 5])
    }

    fn finish(self) -> Bytes {
        self.0.into()
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn utf(&mut self, text: &[u8]) {
        self.raw(&u16::try_from(text.len()).expect("names of JDK classes and fields are short").to_be_bytes());
        self.raw(text);
    }

    fn string(&mut self, text: &str) {
        let text = JavaStr::from(text);
        let text = text.as_bytes();
        if text.len() <= usize::from(u16::MAX) {
            self.raw(&[0x74]);
            self.utf(text);
        } else {
            self.raw(&[0x7c]);
            self.raw(&(text.len() as u64).to_be_bytes());
            self.raw(text);
        }
    }

    fn class(&mut self, name: &str, id: u64, flags: u8, fields: &[(u8, &str, &str)]) {
        self.raw(&[0x72]);
        self.utf(name.as_bytes());
        self.raw(&id.to_be_bytes());
        self.raw(&[flags]);
        self.raw(&u16::try_from(fields.len()).expect("at most six").to_be_bytes());
        for (code, name, signature) in fields {
            self.raw(&[*code]);
            self.utf(name.as_bytes());
            if !signature.is_empty() {
                self.string(signature);
            }
        }
        self.raw(&[0x78]);
    }

    fn object(&mut self, class: &str, id: u64, flags: u8, fields: &[(u8, &str, &str)]) {
        self.raw(&[0x73]);
        self.class(class, id, flags, fields);
    }

    /// The superclass of the numbers, and the end of its own chain.
    fn number(&mut self) {
        self.class("java.lang.Number", 0x86ac_951d_0b94_e08b, SERIALIZABLE, &[]);
        self.no_superclass();
    }

    fn no_superclass(&mut self) {
        self.raw(&[0x70]);
    }

    fn reference(&mut self, handle: u8) {
        self.raw(&[0x71, 0, 0x7e, 0, handle]);
    }

    fn byte_array(&mut self, bytes: &[u8]) {
        self.raw(&[0x75]);
        self.class("[B", 0xacf3_17f8_0608_54e0, SERIALIZABLE, &[]);
        self.no_superclass();
        self.raw(&count(bytes.len()));
        self.raw(bytes);
    }

    fn block(&mut self, data: &[u8]) {
        self.raw(&[0x77, u8::try_from(data.len()).expect("at most 13 bytes")]);
        self.raw(data);
    }

    fn end_of_block_data(&mut self) {
        self.raw(&[0x78]);
    }
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
