//! The wire formats: bytes to values and back. No state, no policy; every decoder takes [`Limits`] and never panics.
//!
//! All integers are big endian, two's complement; a length always counts bytes.

mod ack;
mod error;
mod frame;
mod java_member;
mod limits;
mod member;
mod message;
mod object_error;
pub mod options;
pub(crate) mod read;
mod short;
#[cfg(test)]
mod tests;

pub use ack::Ack;
pub use error::{WireError, WireErrorKind};
pub use frame::{FRAME_OVERHEAD, FrameDecoder, encode_frame, frame_header, frame_trailer};
pub use java_member::{JavaMember, MemberClass};
pub use limits::Limits;
pub use member::{Capabilities, Member, MemberId, SHUTDOWN_COMMAND};
pub use message::{Message, MessageId};
pub use object_error::{ObjectError, ObjectErrorKind};
pub(crate) use object_error::{read_field, write_field};
pub use short::ShortBytes;
