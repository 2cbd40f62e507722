//! Rust values to and from Java objects, through serde.
//!
//! | Rust | Java, written | Java, read in addition |
//! |---|---|---|
//! | `i8` `i16` `i32` `i64` | `Byte` `Short` `Integer` `Long` | any integer, atomic or not, that fits |
//! | `u8` `u16` `u32` `u64` | `Short` `Integer` `Long` `Long` (`u64` beyond `i64::MAX` is an error) | the same |
//! | `f32` `f64` | `Float` `Double` | any number |
//! | `bool` `char` | `Boolean` `Character` (one UTF-16 unit, else `String`) | |
//! | `str`, unit variant | `String` | enum constants |
//! | bytes | `byte[]` | |
//! | sequence, tuple | `ArrayList` | other lists, sets, arrays and their wrappers |
//! | map, struct | `LinkedHashMap` | other maps and their wrappers |
//! | variant with data | `LinkedHashMap` with one entry | |
//! | `None`, unit | null | |
//! | [`JavaDate`], [`JavaUuid`] | `java.util.Date`, `java.util.UUID` | `java.sql` dates |

mod de;
mod error;
mod ser;
mod types;

pub use de::from_bytes;
pub use error::Error;
pub use ser::to_bytes;
pub use types::{JavaDate, JavaUuid};

/// Names by which serde hands the newtypes through.
const DATE: &str = "java.util.Date";
const UUID: &str = "java.util.UUID";
