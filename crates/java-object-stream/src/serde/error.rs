//! Why a Rust value and a Java object do not meet.

use std::fmt::Display;

use crate::error::{ReadError, WriteError};

/// An error of [`to_bytes`](crate::to_bytes) or [`from_bytes`](crate::from_bytes). Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream is at fault.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The value cannot be written as a Java object.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The object's class has no counterpart in Rust.
    #[error("objects of class {0} cannot be read as a Rust value")]
    Class(String),
    /// Nested too deeply, or an object that contains itself.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// A number that no Java type of the kind holds: beyond a long, or more than 2,147,483,647 elements.
    #[error("{0} is too large for Java")]
    TooLarge(i128),
    /// The type asked for does not fit, in the words of the type.
    #[error("{0}")]
    Type(String),
}

impl serde::ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Error::Type(message.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Error::Type(message.to_string())
    }
}
