//! Modified UTF-8: each UTF-16 unit coded by itself, U+0000 as two bytes.
//!
//! Unpaired surrogates are legal in Java, so the bytes of a string are kept as they are and become text
//! only where text is asked for. Invariant: nothing here fails on any byte sequence, it answers `None`.

use std::borrow::Cow;

/// Appends `text` in modified UTF-8.
pub(crate) fn push(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for unit in text.encode_utf16() {
        push_unit(out, unit);
    }
}

/// Appends one UTF-16 unit.
pub(crate) fn push_unit(out: &mut Vec<u8>, unit: u16) {
    match unit {
        0x01..=0x7f => out.push(unit as u8),
        0 | 0x80..=0x7ff => {
            out.push(0xc0 | (unit >> 6) as u8);
            out.push(0x80 | (unit & 0x3f) as u8);
        }
        _ => {
            out.push(0xe0 | (unit >> 12) as u8);
            out.push(0x80 | ((unit >> 6) & 0x3f) as u8);
            out.push(0x80 | (unit & 0x3f) as u8);
        }
    }
}

/// Length of `text` in modified UTF-8.
pub(crate) fn len(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '\0' => 2,
            c if u32::from(c) > 0xffff => 6,
            c => c.len_utf8(),
        })
        .sum()
}

/// The UTF-16 units of `bytes`, `None` if they are malformed.
pub(crate) fn units(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let first = u16::from(*first);
        let continuation = |i: usize| {
            let byte = *tail.get(i)?;
            (byte & 0xc0 == 0x80).then_some(u16::from(byte & 0x3f))
        };
        // Java's reader accepts a plain 00 byte and overlong forms; so does this one.
        let (unit, used) = match first {
            0x00..=0x7f => (first, 0),
            0xc0..=0xdf => ((first & 0x1f) << 6 | continuation(0)?, 1),
            0xe0..=0xef => ((first & 0x0f) << 12 | continuation(0)? << 6 | continuation(1)?, 2),
            _ => return None,
        };
        units.push(unit);
        rest = &tail[used..];
    }
    Some(units)
}

/// The text of `bytes`, `None` if they are malformed or hold an unpaired surrogate.
pub(crate) fn to_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if bytes.is_ascii() {
        return std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    }
    // Most other strings are UTF-8 too. Surrogates never pass as UTF-8, so a string that does decodes the
    // same both ways; only the two-byte zero, which is invalid UTF-8, and the supplements need the units.
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(|c| u32::from(c) <= 0xffff)
    {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf16(&units(bytes)?).ok().map(Cow::Owned)
}

/// The text of `bytes` with U+FFFD in place of what is no text.
pub(crate) fn to_text_lossy(bytes: &[u8]) -> Cow<'_, str> {
    match to_text(bytes) {
        Some(text) => text,
        None => match units(bytes) {
            Some(units) => Cow::Owned(String::from_utf16_lossy(&units)),
            None => String::from_utf8_lossy(bytes),
        },
    }
}

/// True if the UTF-8 of these bytes is also their modified UTF-8.
fn is_plain(bytes: &[u8]) -> bool {
    // 0xf0 and above begin the four-byte forms of UTF-8, which become two surrogates.
    bytes.iter().all(|&b| b != 0 && b < 0xf0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn zero_and_supplementary_characters_take_their_long_forms() {
        let mut out = Vec::new();
        push(&mut out, "a\0\u{e9}\u{20ac}\u{1f600}");
        assert_eq!(hex::encode(&out), "61c080c3a9e282aceda0bdedb880");
        assert_eq!(len("a\0\u{e9}\u{20ac}\u{1f600}"), out.len());
    }

    #[test]
    fn a_lone_surrogate_has_units_but_no_text() {
        assert_eq!(units(b"\xed\xa0\xbd"), Some(vec![0xd83d]));
        assert_eq!(to_text(b"\xed\xa0\xbd"), None);
        assert_eq!(to_text_lossy(b"x\xed\xa0\xbd"), "x\u{fffd}");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::with_cases(1000)
        })]

        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            let mut out = Vec::new();
            push(&mut out, &text);
            prop_assert_eq!(out.len(), len(&text));
            let back = to_text(&out);
            prop_assert_eq!(back.as_deref(), Some(text.as_str()));
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = to_text(&bytes);
            let _ = to_text_lossy(&bytes);
        }
    }
}
