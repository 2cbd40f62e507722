//! Keys. They are shown nowhere, and gone from memory when they are dropped.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// A secret that all members share.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Its bytes as they are.
    pub fn new(bytes: &[u8]) -> Key {
        Key(Zeroizing::new(bytes.to_vec()))
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.len())
    }
}

/// Why a text is no key. It says nothing about the text's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Half a byte is missing.
    #[error("a key has an even number of hexadecimal digits, this one has {digits}")]
    Odd {
        /// How many there are.
        digits: usize,
    },
    /// A character is no digit.
    #[error("character {at} of the key is no hexadecimal digit; there is no prefix and no blank in a key")]
    Digit {
        /// Which one, the first is 1.
        at: usize,
    },
}

impl FromStr for Key {
    type Err = KeyError;

    /// Hexadecimal digits in upper or lower case; blanks around them are ignored, as in Tomcat.
    fn from_str(text: &str) -> Result<Key, KeyError> {
        let text = text.trim();
        if let Some(at) = text.chars().position(|character| !character.is_ascii_hexdigit()) {
            return Err(KeyError::Digit { at: at + 1 });
        }
        if text.len() % 2 == 1 {
            return Err(KeyError::Odd { digits: text.len() });
        }
        let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
        bytes.extend(text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])));
        Ok(Key(bytes))
    }
}

/// One key to send with, and any number of others that are accepted too.
///
/// To change the key of a running cluster: make every member accept the new key, then make every member send with it
/// and accept the old one, then drop the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing {
    /// The key of every message that is sent; accepted too. Default none, with which nothing can be built.
    pub sending: Option<Key>,
    /// Accepted in received messages, in this order after `sending`. Default none.
    pub accepted: Vec<Key>,
}
