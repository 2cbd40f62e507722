//! A few bytes that own themselves: hosts and message ids.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// What fits without an allocation: an IPv6 address, a UUID.
const INLINE: usize = 16;

/// Bytes of which there are few, and which live longer than the buffer that they came in. Up to 16 of them, which is
/// all that Tomcat ever writes, are copied without an allocation and without a counter that threads share.
#[derive(Clone)]
pub struct ShortBytes(Repr);

#[derive(Clone)]
enum Repr {
    Inline(u8, [u8; INLINE]),
    Boxed(Box<[u8]>),
}

impl Deref for ShortBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Repr::Boxed(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for ShortBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for ShortBytes {
    fn from(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(front), Ok(length)) => {
                front.copy_from_slice(bytes);
                ShortBytes(Repr::Inline(length, inline))
            }
            _ => ShortBytes(Repr::Boxed(bytes.into())),
        }
    }
}

impl<const N: usize> From<[u8; N]> for ShortBytes {
    fn from(bytes: [u8; N]) -> Self {
        ShortBytes::from(&bytes[..])
    }
}

impl From<Bytes> for ShortBytes {
    fn from(bytes: Bytes) -> Self {
        ShortBytes::from(&bytes[..])
    }
}

impl Default for ShortBytes {
    fn default() -> Self {
        ShortBytes::from([])
    }
}

impl PartialEq for ShortBytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ShortBytes {}

impl PartialOrd for ShortBytes {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortBytes {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl std::hash::Hash for ShortBytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for ShortBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_are_what_they_were() {
        let all: Vec<u8> = (0..127).collect();
        for length in 0..all.len() {
            let bytes = ShortBytes::from(&all[..length]);
            assert_eq!(*bytes, all[..length]);
            assert_eq!(bytes, bytes.clone());
            assert_ne!(bytes, ShortBytes::from(&all[..=length]));
            assert!(bytes < ShortBytes::from(&all[..=length]), "as slices are ordered");
        }
    }
}
