//! The few values whose class matters here, as Java streams of their own.

use bytes::Bytes;
use java_object_stream::{Document, Limits, Value};

use crate::session::JavaStr;

/// Up to the value of a `java.lang.Integer` alone in a stream.
const INTEGER: &[u8] = b"\xac\xed\x00\x05sr\x00\x11java.lang.Integer\x12\xe2\xa0\xa4\xf7\x81\x87\x38\x02\x00\x01I\x00\x05valuexr\x00\x10java.lang.Number\x86\xac\x95\x1d\x0b\x94\xe0\x8b\x02\x00\x00xp";
/// Up to the value of a `java.lang.Boolean` alone in a stream.
const BOOLEAN: &[u8] =
    b"\xac\xed\x00\x05sr\x00\x11java.lang.Boolean\xcd\x20\x72\x80\xd5\x9c\xfa\xee\x02\x00\x01Z\x00\x05valuexp";
const HEADER: &[u8] = b"\xac\xed\x00\x05";

/// A `java.lang.Integer`.
pub fn integer(value: i32) -> Bytes {
    Bytes::from([INTEGER, &value.to_be_bytes()].concat())
}

/// The number, if the stream is a `java.lang.Integer`.
pub fn integer_value(stream: &[u8]) -> Option<i32> {
    let value = stream.strip_prefix(INTEGER)?;
    Some(i32::from_be_bytes(value.try_into().ok()?))
}

/// A `java.lang.Boolean`.
pub fn boolean(value: bool) -> Bytes {
    Bytes::from([BOOLEAN, &[u8::from(value)]].concat())
}

/// The truth value, if the stream is a `java.lang.Boolean` as Java writes it; other bytes than 0 and 1 stay as they are.
pub fn boolean_value(stream: &[u8]) -> Option<bool> {
    match stream.strip_prefix(BOOLEAN)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// A `java.lang.String`.
pub fn string(text: &JavaStr) -> Bytes {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(HEADER.len() + 9 + bytes.len());
    out.extend_from_slice(HEADER);
    match u16::try_from(bytes.len()) {
        Ok(length) => {
            out.push(0x74);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x7c);
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
    Bytes::from(out)
}

/// True if the bytes are a Java stream with exactly one value, which is not null.
pub(in crate::session) fn is_value(stream: &Bytes) -> bool {
    if let Some([0x74, high, low, text @ ..]) = stream.strip_prefix(HEADER) {
        return text.len() == usize::from(u16::from_be_bytes([*high, *low]));
    }
    let limits = Limits { bytes_max: stream.len(), ..Limits::default() };
    Document::parse(stream.clone(), &limits).is_ok_and(|document| {
        document.root().is_ok_and(|root| !matches!(document.value(root), Value::Null | Value::Aborted(_)))
    })
}

/// Binary class name of the value that a stream holds; `None` if it holds none.
pub(in crate::session) fn value_class(stream: &[u8]) -> Option<String> {
    match stream.strip_prefix(HEADER)? {
        [0x74 | 0x7c, ..] => Some("java.lang.String".to_owned()),
        // An object or array with a class descriptor that begins with its name.
        [0x73 | 0x75 | 0x7e, 0x72, high, low, rest @ ..] => {
            let name = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
            Some(JavaStr::from_modified_utf8(name).to_text().into_owned())
        }
        [0x76, ..] => Some("java.lang.Class".to_owned()),
        // A dynamic proxy has a name that only its JVM knows.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxed_values_come_back() {
        assert_eq!(integer_value(&integer(-7)), Some(-7));
        assert_eq!(boolean_value(&boolean(true)), Some(true));
        assert_eq!(integer_value(&boolean(true)), None);
        assert!(is_value(&integer(1)) && is_value(&boolean(false)));
    }

    #[test]
    fn only_whole_streams_with_one_value_are_values() {
        let text = string(&JavaStr::from("hello"));
        assert!(is_value(&text));
        assert!(!is_value(&text.slice(..text.len() - 1)));
        assert!(!is_value(&Bytes::from_static(b"hello")));
        assert!(!is_value(&Bytes::from_static(b"\xac\xed\x00\x05\x70")));
        assert!(!is_value(&Bytes::from_static(b"\xac\xed\x00\x05\x77\x01\x00")));
        let long = JavaStr::from("x".repeat(70_000).as_str());
        assert!(is_value(&string(&long)));
    }

    #[test]
    fn the_class_of_a_value_is_the_one_that_java_names() {
        let name = |stream: &[u8]| value_class(stream);
        assert_eq!(name(&string(&JavaStr::from("x"))).as_deref(), Some("java.lang.String"));
        assert_eq!(name(&integer(5)).as_deref(), Some("java.lang.Integer"));
        let bytes =
            b"\xac\xed\x00\x05\x75\x72\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00\x78\x70\x00\x00\x00\x00";
        assert_eq!(name(bytes).as_deref(), Some("[B"));
        assert_eq!(name(b"\xac\xed\x00\x05\x73\x72\xff\xff"), None);
    }
}
