//! Session messages as bytes: the message object, deltas, whole sessions, and what Clowder adds behind them.
//!
//! Values stay opaque: each is carried as a Java stream of its own ([`Bytes`](bytes::Bytes)), is cut out of the
//! streams of messages and written into them without knowing its class.

mod data;
mod delta;
mod error;
mod message;
mod stream;
mod trailer;
mod value;

pub(super) use data::checked_id;
pub(super) use data::{Block, BlockSession, is_listed_note};
pub use data::{SessionData, decode_sessions, encode_sessions};
pub(super) use delta::encode_new_id;
pub use delta::{Action, ActionKind, Delta, decode_new_id};
pub use error::{SessionWireError, SessionWireErrorKind};
pub use message::{Event, SessionMessage};
pub(super) use trailer::{SessionExtra, Trailer};
pub use value::{boolean, boolean_value, integer, integer_value, string};
pub(super) use value::{is_value, value_class};
