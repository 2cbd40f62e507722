//! Read and write Java object serialization streams as data, without classes.

mod array;
mod class;
mod code;
mod cursor;
mod descriptor;
mod document;
mod emit;
mod error;
mod field;
mod graph;
mod jdk;
mod limits;
mod mutf8;
mod numbers;
mod object;
mod parse;
mod registry;
mod serde;
mod shape;
mod value;
mod writer;

pub use self::serde::{Error, JavaBytes, JavaDate, JavaInstant, JavaUuid, from_bytes, from_bytes_within, to_bytes};
pub use array::Array;
pub use class::Class;
pub use cursor::Cursor;
pub use descriptor::ClassDescriptor;
pub use document::Document;
pub use error::{ReadError, ReadErrorKind, WriteError};
pub use field::{Field, FieldValue};
pub use graph::NodeId;
pub use limits::{Limit, Limits};
pub use object::{Object, ObjectLevel};
pub use shape::class_name;
pub use value::{Aborted, Block, Text, Value};
pub use writer::{Handle, Writer};
