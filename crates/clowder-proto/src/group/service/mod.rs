mod message;

pub use message::{MemberEvent, MemberMessage};
