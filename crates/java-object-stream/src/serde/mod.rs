//! Rust values to and from Java objects, through serde.
//!
//! | Rust | Java, written | Java, read in addition |
//! |---|---|---|
//! | `i8` `i16` `i32` `i64` | `Byte` `Short` `Integer` `Long` | any integer, atomic or not, that fits |
//! | `u8` `u16` `u32` `u64` | `Short` `Integer` `Long` `Long` | the same |
//! | `i128` | `Long` | the same, `java.time.Instant` in nanoseconds |
//! | `f32` `f64` | `Float` `Double` | any number |
//! | `bool` `char` | `Boolean` `Character` (beyond U+FFFF `String`) | `AtomicBoolean`, strings of one character |
//! | `str`, unit variant | `String` | enum constants |
//! | bytes, [`JavaBytes`] | `byte[]` | |
//! | sequence, tuple | `ArrayList` | other lists, sets, arrays and their wrappers |
//! | map, struct | `LinkedHashMap` | other maps and their wrappers |
//! | variant with data | `LinkedHashMap` with one entry | |
//! | `None`, unit | null | |
//! | [`JavaDate`], [`JavaInstant`], [`JavaUuid`] | `java.util.Date`, `java.time.Instant`, `java.util.UUID` | `java.sql` dates |
//!
//! An integer beyond a Java `long` is an error. Wrappers are those of `Arrays`, `Collections`, `List.of` and the like.

mod compound;
mod de;
mod error;
mod ser;
mod types;

pub use de::{from_bytes, from_bytes_within};
pub use error::Error;
pub use ser::to_bytes;
pub use types::{JavaBytes, JavaDate, JavaInstant, JavaUuid};

/// Names by which serde hands the newtypes through.
const DATE: &str = "java.util.Date";
const INSTANT: &str = "java.time.Instant";
const UUID: &str = "java.util.UUID";
