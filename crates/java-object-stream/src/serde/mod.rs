//! Rust values to and from Java objects, through serde. What becomes what is in the table at [`to_bytes`].

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
