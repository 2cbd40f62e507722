//! Settings as text: the attributes of Tomcat's configuration.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

/// The configuration is at fault; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// The layer has no such attribute.
    #[error("{layer} has no attribute {attribute:?}; it has {}", .known.join(", "))]
    Unknown {
        /// Name of the layer.
        layer: &'static str,
        /// As configured.
        attribute: String,
        /// What it has.
        known: &'static [&'static str],
    },
    /// The attribute cannot have this value.
    #[error("{layer}: {attribute}={value:?}: {reason}")]
    Value {
        /// Name of the layer.
        layer: &'static str,
        /// Name of the attribute.
        attribute: String,
        /// As configured.
        value: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// An attribute that `layer` does not have.
pub fn unknown(layer: &'static str, attribute: &str, known: &'static [&'static str]) -> AttributeError {
    AttributeError::Unknown { layer, attribute: attribute.to_owned(), known }
}

/// A value that an attribute cannot have.
pub fn bad(layer: &'static str, attribute: &str, value: &str, reason: impl Into<String>) -> AttributeError {
    AttributeError::Value { layer, attribute: attribute.to_owned(), value: value.to_owned(), reason: reason.into() }
}

/// A whole number in decimal, as Java's `int` or `long`; blanks around it are ignored.
pub fn parse_int<T: FromStr>(layer: &'static str, attribute: &str, value: &str) -> Result<T, AttributeError> {
    let reason = "expected a whole number in decimal, such as 256";
    value.trim().parse().map_err(|_| bad(layer, attribute, value, reason))
}

/// A whole number that is at least `least`.
pub fn parse_count(layer: &'static str, attribute: &str, value: &str, least: usize) -> Result<usize, AttributeError> {
    let count: i64 = parse_int(layer, attribute, value)?;
    let count = usize::try_from(count).ok().filter(|count| *count >= least);
    count.ok_or_else(|| bad(layer, attribute, value, format!("must be at least {least}")))
}

/// A duration in milliseconds.
pub fn parse_millis(layer: &'static str, attribute: &str, value: &str) -> Result<Duration, AttributeError> {
    let millis: i64 = parse_int(layer, attribute, value)?;
    let millis = u64::try_from(millis).map_err(|_| bad(layer, attribute, value, "milliseconds must be at least 0"))?;
    Ok(Duration::from_millis(millis))
}

/// `true` or `false`, in any case.
///
/// Differs from Tomcat: it reads everything else as false without a word.
/// Test: a_value_that_is_neither_true_nor_false_is_refused.
pub fn parse_bool(layer: &'static str, attribute: &str, value: &str) -> Result<bool, AttributeError> {
    let trimmed = value.trim();
    if trimmed.eq_ignore_ascii_case("true") {
        return Ok(true);
    }
    if trimmed.eq_ignore_ascii_case("false") {
        return Ok(false);
    }
    Err(bad(layer, attribute, value, "expected true or false; Tomcat reads everything but true as false"))
}

/// Bytes in braces, `{1,2,-3}`, or text in ISO-8859-1.
///
/// Differs from Tomcat: 128 to 255 are the same as -128 to -1, and blanks are ignored, where it refuses both; a
/// character outside of ISO-8859-1 is refused, where it becomes a question mark.
/// Tests: bytes_in_braces_are_signed_or_not_with_blanks_or_without, text_outside_of_iso_8859_1_is_refused.
pub fn parse_bytes(layer: &'static str, attribute: &str, value: &str) -> Result<Bytes, AttributeError> {
    if !value.trim_start().starts_with('{') {
        let bytes: Option<Vec<u8>> = value.chars().map(|character| u8::try_from(character).ok()).collect();
        let reason = "only characters of ISO-8859-1 have a byte; write others as bytes in braces, such as {-30,-126}";
        return bytes.map(Bytes::from).ok_or_else(|| bad(layer, attribute, value, reason));
    }
    // As Tomcat: empty pieces vanish, so that {} is no byte.
    let pieces = value.split(['{', ',', '}']).map(str::trim).filter(|piece| !piece.is_empty());
    let bytes: Option<Vec<u8>> = pieces
        .map(|piece| {
            let number: i16 = piece.parse().ok()?;
            (-128..=255).contains(&number).then(|| number.to_be_bytes()[1])
        })
        .collect();
    let reason = "expected decimal bytes in braces, each -128 to 255, such as {1,2,-3}";
    bytes.map(Bytes::from).ok_or_else(|| bad(layer, attribute, value, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: &str = "domain";

    fn bytes(value: &str) -> Option<Vec<u8>> {
        parse_bytes(LAYER, "domain", value).ok().map(|bytes| bytes.to_vec())
    }

    #[test]
    fn numbers_are_plain_decimal() {
        let parse = |value| parse_int::<i32>(LAYER, "optionFlag", value).ok();
        assert_eq!(["256", " -1 ", "+7", "2147483647"].map(parse), [Some(256), Some(-1), Some(7), Some(i32::MAX)]);
        assert_eq!(["0x100", "", "1.0", "2147483648", "1k"].map(parse), [None; 5]);
        assert_eq!(parse_count(LAYER, "n", "1", 1), Ok(1));
        assert!(parse_count(LAYER, "n", "0", 1).is_err() && parse_count(LAYER, "n", "-1", 0).is_err());
        assert_eq!(parse_millis(LAYER, "expire", "3000"), Ok(Duration::from_secs(3)));
        assert!(parse_millis(LAYER, "expire", "-1").is_err());
    }

    #[test]
    fn a_value_that_is_neither_true_nor_false_is_refused() {
        let parse = |value| parse_bool(LAYER, "useThread", value).ok();
        assert_eq!(["true", "TRUE", " True "].map(parse), [Some(true); 3]);
        assert_eq!(["false", "False"].map(parse), [Some(false); 2]);
        assert_eq!(["yes", "1", ""].map(parse), [None; 3]);
    }

    #[test]
    fn bytes_in_braces_are_signed_or_not_with_blanks_or_without() {
        assert_eq!(bytes("{1,2,-3}"), Some(vec![1, 2, 253]));
        assert_eq!(bytes("{216,1}"), Some(vec![216, 1]));
        assert_eq!(bytes(" { 1 , 2 } "), Some(vec![1, 2]));
        assert_eq!(bytes("{{0,,1,2}"), Some(vec![0, 1, 2]));
        assert_eq!(bytes("{}"), Some(vec![]));
        assert_eq!(["{256}", "{-129}", "{x}", "{1;2}"].map(bytes), [None, None, None, None]);
    }

    #[test]
    fn text_outside_of_iso_8859_1_is_refused() {
        assert_eq!(bytes("staging"), Some(b"staging".to_vec()));
        assert_eq!(bytes("caf\u{e9}"), Some(b"caf\xe9".to_vec()));
        assert_eq!(bytes(""), Some(vec![]));
        assert_eq!(bytes("\u{20ac}"), None);
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let error = unknown(LAYER, "domian", &["domain", "logInterval"]);
        assert_eq!(error.to_string(), "domain has no attribute \"domian\"; it has domain, logInterval");
        let error = parse_bool(LAYER, "useThread", "yes").unwrap_err().to_string();
        assert!(error.starts_with("domain: useThread=\"yes\": expected true or false"), "{error}");
    }
}
