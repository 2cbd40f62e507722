//! Fields of a class descriptor, and the values that fields and array elements have.

use crate::code;
use crate::graph::NodeId;
use crate::value::Text;

/// A field of a class descriptor.
#[derive(Debug, Clone, Copy)]
pub struct Field<'d> {
    /// One of `B C D F I J S Z` for primitives, `L` for objects, `[` for arrays.
    pub type_code: char,
    /// Name of the field.
    pub name: Text<'d>,
    /// String node with the type of a reference field, for example `Ljava/lang/String;`.
    pub signature: Option<NodeId>,
}

/// The value of a field or array element.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FieldValue {
    /// byte
    Byte(i8),
    /// char: a UTF-16 unit
    Char(u16),
    /// double
    Double(f64),
    /// float
    Float(f32),
    /// int
    Int(i32),
    /// long
    Long(i64),
    /// short
    Short(i16),
    /// boolean
    Bool(bool),
    /// Any value: string, object, array, null, …
    Reference(NodeId),
}

impl FieldValue {
    /// Reads a primitive; `bytes` are as many as its type code takes.
    fn primitive(type_code: u8, bytes: &[u8]) -> Option<Self> {
        Some(match (type_code, bytes) {
            (b'B', &[a]) => FieldValue::Byte(a as i8),
            (b'Z', &[a]) => FieldValue::Bool(a != 0),
            (b'C', &[a, b]) => FieldValue::Char(u16::from_be_bytes([a, b])),
            (b'S', &[a, b]) => FieldValue::Short(i16::from_be_bytes([a, b])),
            (b'I', bytes) => FieldValue::Int(i32::from_be_bytes(bytes.try_into().ok()?)),
            (b'F', bytes) => FieldValue::Float(f32::from_be_bytes(bytes.try_into().ok()?)),
            (b'J', bytes) => FieldValue::Long(i64::from_be_bytes(bytes.try_into().ok()?)),
            (b'D', bytes) => FieldValue::Double(f64::from_be_bytes(bytes.try_into().ok()?)),
            _ => return None,
        })
    }

    pub(crate) fn read(source: &[u8], type_code: u8, word: u32) -> Self {
        code::primitive_width(type_code)
            .and_then(|width| Self::primitive(type_code, &source[word as usize..word as usize + width]))
            .unwrap_or(FieldValue::Reference(NodeId(word)))
    }

    /// byte, short, int and long as a number.
    pub fn as_integer(self) -> Option<i64> {
        match self {
            FieldValue::Byte(v) => Some(v.into()),
            FieldValue::Short(v) => Some(v.into()),
            FieldValue::Int(v) => Some(v.into()),
            FieldValue::Long(v) => Some(v),
            _ => None,
        }
    }

    /// The node of a reference field.
    pub fn as_node(self) -> Option<NodeId> {
        match self {
            FieldValue::Reference(node) => Some(node),
            _ => None,
        }
    }
}
