//! Read and write Java object serialization streams as data, without classes.

mod code;
mod cursor;
mod descriptor;
mod document;
mod emit;
mod error;
mod graph;
mod jdk;
mod limits;
mod mutf8;
mod parse;
mod registry;
mod serde;
mod shape;
mod value;
mod writer;

pub use self::serde::{Error, JavaDate, JavaUuid, from_bytes, to_bytes};
pub use cursor::Cursor;
pub use descriptor::ClassDescriptor;
pub use document::Document;
pub use error::{ReadError, ReadErrorKind, WriteError};
pub use graph::NodeId;
pub use limits::{Limit, Limits};
pub use shape::class_name;
pub use value::{Aborted, Array, Block, Class, Field, FieldValue, Object, ObjectLevel, Text, Value};
pub use writer::Writer;
