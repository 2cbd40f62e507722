//! Newtypes for Java classes that no Rust type stands for.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{DATE, INSTANT, UUID};

/// `java.util.Date`: milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JavaDate(pub i64);

impl Serialize for JavaDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(DATE, &self.0)
    }
}

impl<'de> Deserialize<'de> for JavaDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(JavaDate)
    }
}

/// `java.time.Instant`: nanoseconds since 1970. Java knows about a thousand million years in both directions; what
/// lies beyond is refused when written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JavaInstant(pub i128);

impl Serialize for JavaInstant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(INSTANT, &self.0)
    }
}

impl<'de> Deserialize<'de> for JavaInstant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i128::deserialize(deserializer).map(JavaInstant)
    }
}

/// `byte[]`. A `Vec<u8>` is a list of numbers for serde and becomes an `ArrayList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JavaBytes(pub Vec<u8>);

impl Serialize for JavaBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for JavaBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = JavaBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<JavaBytes, E> {
                Ok(JavaBytes(bytes.to_vec()))
            }

            // Formats without bytes have numbers instead.
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JavaBytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(JavaBytes(bytes))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// `java.util.UUID`, as its 16 bytes in the order in which it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JavaUuid(pub [u8; 16]);

impl Serialize for JavaUuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(UUID, &JavaBytes(self.0.to_vec()))
    }
}

impl<'de> Deserialize<'de> for JavaUuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = JavaBytes::deserialize(deserializer)?.0;
        let wrong_length = |_| serde::de::Error::custom("a UUID has 16 bytes");
        bytes.try_into().map(JavaUuid).map_err(wrong_length)
    }
}
