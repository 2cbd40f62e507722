//! Views of the values of a document: what a value is, and those without parts.
//!
//! Views borrow the document and copy nothing. They show the stream as it is: unknown classes, raw strings and
//! float bits included.

use crate::array::Array;
use crate::class::Class;
use crate::document::Document;
use crate::graph::{Node, NodeId};
use crate::mutf8;
use crate::object::Object;
use std::borrow::Cow;

/// What a node of a document is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Value<'d> {
    /// null
    Null,
    /// A string.
    String(Text<'d>),
    /// An object of any class.
    Object(Object<'d>),
    /// An array of primitives or of values.
    Array(Array<'d>),
    /// An enum constant: the enum's class and the name of the constant, a string node.
    Enum(Class<'d>, NodeId),
    /// A `java.lang.Class`.
    Class(Class<'d>),
    /// A class descriptor that stands as a value (`java.io.ObjectStreamClass`).
    Descriptor(Class<'d>),
    /// Primitive data among values.
    Block(Block<'d>),
    /// All handles were forgotten here. Only at the top level.
    Reset,
    /// The writer failed inside this value and left an exception. Only at the top level.
    Aborted(Aborted<'d>),
}

impl<'d> Value<'d> {
    pub(crate) fn of(document: &'d Document, node: NodeId) -> Self {
        match document.graph.node(node) {
            Node::Null => Value::Null,
            Node::Reset => Value::Reset,
            Node::Text { long, text } => Value::String(Text::new(text.of(&document.source), long)),
            Node::Block { long, data } => Value::Block(Block { bytes: data.of(&document.source), long }),
            Node::Object { desc, words } => Value::Object(Object::new(Class::of(document, desc), words)),
            Node::Array { desc, .. } | Node::Primitives { desc, .. } => {
                Value::Array(Array::new(Class::of(document, desc), node))
            }
            Node::Enum { desc, constant } => Value::Enum(Class::of(document, desc), constant),
            Node::Class { desc } => Value::Class(Class::of(document, desc)),
            Node::Desc(_) => Value::Descriptor(Class::of(document, node)),
            Node::Aborted { partial, exception } => {
                Value::Aborted(Aborted { partial: partial.of(&document.source), exception })
            }
        }
    }

    /// The string, if it is one.
    pub fn as_string(&self) -> Option<Text<'d>> {
        match *self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<Object<'d>> {
        match *self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The array, if it is one.
    pub fn as_array(&self) -> Option<Array<'d>> {
        match *self {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }
}

/// A string or name as it stands in the stream: modified UTF-8, unpaired surrogates possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'d> {
    bytes: &'d [u8],
    long: bool,
}

impl<'d> Text<'d> {
    pub(crate) fn new(bytes: &'d [u8], long: bool) -> Self {
        Text { bytes, long }
    }

    /// The raw modified UTF-8.
    pub fn as_bytes(self) -> &'d [u8] {
        self.bytes
    }

    /// The text; `None` if it has an unpaired surrogate or is malformed.
    pub fn to_str(self) -> Option<Cow<'d, str>> {
        mutf8::to_text(self.bytes)
    }

    /// The text, with U+FFFD in place of what is no text.
    pub fn to_str_lossy(self) -> Cow<'d, str> {
        mutf8::to_text_lossy(self.bytes)
    }

    /// The UTF-16 units that Java sees; `None` if the bytes are malformed.
    pub fn to_units(self) -> Option<Vec<u16>> {
        mutf8::units(self.bytes)
    }

    /// Written with a length of 8 bytes (`7c`).
    pub fn is_long_form(self) -> bool {
        self.long
    }
}

/// A block of primitive data. Blocks have no meaning as units, see [`Cursor`](crate::Cursor).
#[derive(Debug, Clone, Copy)]
pub struct Block<'d> {
    bytes: &'d [u8],
    long: bool,
}

impl<'d> Block<'d> {
    /// The data.
    pub fn as_bytes(self) -> &'d [u8] {
        self.bytes
    }

    /// Written with a length of 4 bytes (`7a`).
    pub fn is_long_form(self) -> bool {
        self.long
    }
}

/// A value that its writer gave up.
#[derive(Debug, Clone, Copy)]
pub struct Aborted<'d> {
    partial: &'d [u8],
    exception: NodeId,
}

impl<'d> Aborted<'d> {
    /// What was written of the value.
    pub fn partial(self) -> &'d [u8] {
        self.partial
    }

    /// The exception that stopped it.
    pub fn exception(self) -> NodeId {
        self.exception
    }
}
