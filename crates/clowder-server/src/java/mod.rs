//! Attribute values for people: what Java's `toString` says about them.
//!
//! Values of classes outside of the JDK stay opaque; nothing is ever instantiated by its name.

pub(crate) mod number;
pub(crate) mod text;
pub(crate) mod time;
