//! Attribute values for people: what Java's `toString` says about them, and how to make them from text.
//!
//! Values of classes outside of the JDK stay opaque; nothing is ever instantiated by its name.

pub(crate) mod number;
pub(crate) mod parse;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod write;
