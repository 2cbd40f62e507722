//! Names and session ids as Java writes them: modified UTF-8, kept as bytes.
//!
//! A Java string may hold unpaired surrogates, so it is not always text. What came from a peer goes back unchanged;
//! text is made only where somebody asks for it. Equality and order are those of the bytes.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// A string in modified UTF-8, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JavaStr(Arc<[u8]>);

impl JavaStr {
    /// Takes bytes that are modified UTF-8 already, such as those of a stream.
    pub fn from_modified_utf8(bytes: &[u8]) -> Self {
        JavaStr(Arc::from(bytes))
    }

    /// The bytes in modified UTF-8, as they stand on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text; U+FFFD stands for what is no text.
    pub fn to_text(&self) -> Cow<'_, str> {
        if self.0.is_ascii() {
            return String::from_utf8_lossy(&self.0);
        }
        Cow::Owned(String::from_utf16_lossy(&units(&self.0)))
    }
}

impl From<&str> for JavaStr {
    fn from(text: &str) -> Self {
        JavaStr(Arc::from(&*modified_utf8(text)))
    }
}

impl Borrow<[u8]> for JavaStr {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for JavaStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Debug for JavaStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

/// `text` in modified UTF-8; borrowed when both forms are the same, which they are for every session id.
pub(super) fn modified_utf8(text: &str) -> Cow<'_, [u8]> {
    // 0xf0 and above begin the four-byte forms of UTF-8, which become two surrogates of three bytes each.
    if text.bytes().all(|byte| byte != 0 && byte < 0xf0) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    for unit in text.encode_utf16() {
        match unit {
            0x01..=0x7f => out.push(unit.to_be_bytes()[1]),
            0 | 0x80..=0x7ff => out.extend([0xc0 | low(unit >> 6, 0x1f), 0x80 | low(unit, 0x3f)]),
            _ => out.extend([0xe0 | low(unit >> 12, 0x0f), 0x80 | low(unit >> 6, 0x3f), 0x80 | low(unit, 0x3f)]),
        }
    }
    Cow::Owned(out)
}

fn low(unit: u16, mask: u16) -> u8 {
    (unit & mask).to_be_bytes()[1]
}

/// UTF-16 units; a byte that starts no character becomes U+FFFD.
fn units(bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let tail = |byte: u8| (byte & 0xc0 == 0x80).then_some(u16::from(byte & 0x3f));
    while let [first, after @ ..] = rest {
        let first = u16::from(*first);
        let (unit, used) = match (first, after) {
            (0x00..=0x7f, _) => (Some(first), 0),
            (0xc0..=0xdf, [a, ..]) => (tail(*a).map(|a| (first & 0x1f) << 6 | a), 1),
            (0xe0..=0xef, [a, b, ..]) => (tail(*a).zip(tail(*b)).map(|(a, b)| (first & 0x0f) << 12 | a << 6 | b), 2),
            _ => (None, 0),
        };
        units.push(unit.unwrap_or(0xfffd));
        rest = &after[if unit.is_some() { used } else { 0 }..];
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_and_supplementary_characters_take_their_long_forms() {
        let name = JavaStr::from("é€😀\0");
        assert_eq!(hex::encode(name.as_bytes()), "c3a9e282aceda0bdedb880c080");
        assert_eq!(name.to_text(), "é€😀\0");
    }

    #[test]
    fn a_lone_surrogate_survives_as_bytes() {
        let name = JavaStr::from_modified_utf8(b"x\xed\xa0\xbd");
        assert_eq!(name.as_bytes(), b"x\xed\xa0\xbd");
        assert_eq!(name.to_text(), "x\u{fffd}");
    }

    proptest! {
        #[test]
        fn text_comes_back(text in any::<String>()) {
            let name = JavaStr::from(text.as_str());
            prop_assert_eq!(name.to_text(), text);
        }

        #[test]
        fn any_bytes_have_a_text(bytes in any::<Vec<u8>>()) {
            let _ = JavaStr::from_modified_utf8(&bytes).to_text();
        }
    }
}
