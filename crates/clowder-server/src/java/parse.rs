//! Text of a request as a JDK value.

use bytes::Bytes;

use super::{time, write};

/// The types that a request can name; without one it is a String.
pub(crate) const TYPES: [&str; 10] =
    ["int", "long", "double", "bool", "list", "map", "date", "uuid", "decimal", "instant"];

/// Digits beyond which a decimal is refused; the conversion is quadratic.
const DECIMAL_DIGITS_MAX: usize = 1000;

/// The stream of the value that the same servlet in Java stores for this text.
///
/// # Errors
/// What is wrong with type or text, and what is right.
pub(crate) fn value(kind: Option<&str>, text: &str) -> Result<Bytes, String> {
    let form = |form: &str| format!("'{text}' is no {}: write {form}", kind.unwrap_or("string"));
    match kind {
        None | Some("string") => Ok(write::string(text)),
        Some("int") => text.parse().map(write::integer).map_err(|_| form("-2147483648 to 2147483647")),
        Some("long") => text.parse().map(write::long).map_err(|_| form("a whole number of 64 bits")),
        Some("double") => double(text).map(write::double).ok_or_else(|| form("a number such as 2.5 or 1e-3")),
        Some("bool") => Ok(write::boolean(text.eq_ignore_ascii_case("true"))),
        Some("list") => Ok(write::list(&split(text))),
        Some("map") => {
            let pairs: Option<Vec<(&str, &str)>> = split(text).into_iter().map(|entry| entry.split_once('=')).collect();
            pairs.map(|pairs| write::map(&pairs)).ok_or_else(|| form("k=v,k=v"))
        }
        Some("date") => text.parse().map(write::date).map_err(|_| form("milliseconds since 1970")),
        Some("uuid") => {
            let (most, least) = uuid(text).ok_or_else(|| form("00112233-4455-6677-8899-aabbccddeeff"))?;
            Ok(write::uuid(most, least))
        }
        Some("decimal") => decimal(text).ok_or_else(|| form("a number such as 12.50 or -1E+3")),
        Some("instant") => {
            let (seconds, nanos) = time::parse_instant(text).ok_or_else(|| form("2023-11-14T22:13:20.5Z"))?;
            Ok(write::instant(seconds, nanos))
        }
        Some(other) => Err(format!("unknown type '{other}': one of {}, or none for a string", TYPES.join(", "))),
    }
}

/// Java: String.split(",") — empty parts at the end fall away, but an empty text is one empty part.
fn split(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return vec![""];
    }
    let mut parts: Vec<&str> = text.split(',').collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// Java writes NaN and Infinity with these letters only, and has no other words for them.
fn double(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let word = unsigned.starts_with(|c: char| c.is_ascii_alphabetic());
    if word && unsigned != "NaN" && unsigned != "Infinity" {
        return None;
    }
    text.trim().parse().ok()
}

fn uuid(text: &str) -> Option<(u64, u64)> {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    if lengths != [8, 4, 4, 4, 12] {
        return None;
    }
    let bytes = hex::decode(parts.concat()).ok()?;
    let (most, least) = bytes.split_at(8);
    Some((u64::from_be_bytes(most.try_into().ok()?), u64::from_be_bytes(least.try_into().ok()?)))
}

/// Java: BigDecimal(String) — sign, digits with at most one point, exponent.
fn decimal(text: &str) -> Option<Bytes> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, number) = match number.as_bytes().first()? {
        b'-' => (true, &number[1..]),
        b'+' => (false, &number[1..]),
        _ => (false, number),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > DECIMAL_DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    let scale = i32::try_from(i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?).ok()?;
    let mut magnitude: Vec<u8> = Vec::new();
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in magnitude.iter_mut().rev() {
            let value = u32::from(*byte) * 10 + carry;
            (*byte, carry) = (value.to_be_bytes()[3], value >> 8);
        }
        if carry > 0 {
            magnitude.insert(0, carry.to_be_bytes()[3]);
        }
    }
    Some(write::decimal(negative, &magnitude, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::java::text::describe;

    fn shown(kind: &str, text: &str) -> String {
        let stream = value((!kind.is_empty()).then_some(kind), text).unwrap_or_else(|error| panic!("{error}"));
        let (class, text) = describe(&stream);
        format!("{class}:{}", text.unwrap())
    }

    #[test]
    fn every_type_is_stored_and_shown_as_java_does() {
        for (kind, text, expected) in [
            ("", "alice", "java.lang.String:alice"),
            ("int", "-7", "java.lang.Integer:-7"),
            ("long", "5000000000", "java.lang.Long:5000000000"),
            ("double", "2.50", "java.lang.Double:2.5"),
            ("bool", "TRUE", "java.lang.Boolean:true"),
            ("bool", "yes", "java.lang.Boolean:false"),
            ("list", "a,b,,", "java.util.ArrayList:[a, b]"),
            ("list", "", "java.util.ArrayList:[]"),
            ("map", "k=v,n=1=2", "java.util.HashMap:{k=v, n=1=2}"),
            ("date", "1700000000000", "java.util.Date:Tue Nov 14 22:13:20 UTC 2023"),
            ("uuid", "00112233-4455-6677-8899-AABBCCDDEEFF", "java.util.UUID:00112233-4455-6677-8899-aabbccddeeff"),
            ("decimal", "-12.50", "java.math.BigDecimal:-12.50"),
            ("decimal", "1e3", "java.math.BigDecimal:1E+3"),
            ("decimal", "0.00", "java.math.BigDecimal:0.00"),
            ("instant", "2023-11-14T22:13:20Z", "java.time.Instant:2023-11-14T22:13:20Z"),
        ] {
            assert_eq!(shown(kind, text), expected);
        }
        assert_eq!(split("a,,b,"), ["a", "", "b"]);
        assert_eq!(split(","), Vec::<&str>::new());
    }

    #[test]
    fn what_is_refused_says_what_is_right() {
        for (kind, text, says) in [
            ("int", "x", "2147483647"),
            ("long", "1.5", "64 bits"),
            ("double", "inf", "2.5"),
            ("map", "k", "k=v"),
            ("date", "today", "milliseconds"),
            ("uuid", "0011", "00112233-"),
            ("decimal", "1.2.3", "12.50"),
            ("decimal", "-", "12.50"),
            ("instant", "now", "2023-"),
            ("colour", "red", "one of int, long"),
        ] {
            let error = value(Some(kind), text).unwrap_err();
            assert!(error.contains(says), "{kind} {text}: {error}");
        }
    }
}
