//! The one-byte codes and flag bits of the object stream protocol.
//!
//! Only numbers: what follows a code is the business of `parse` and `emit`.

/// Magic number and version that open every stream.
pub(crate) const HEADER: [u8; 4] = [0xac, 0xed, 0x00, 0x05];

pub(crate) const NULL: u8 = 0x70;
pub(crate) const REFERENCE: u8 = 0x71;
pub(crate) const CLASS_DESC: u8 = 0x72;
pub(crate) const OBJECT: u8 = 0x73;
pub(crate) const STRING: u8 = 0x74;
pub(crate) const ARRAY: u8 = 0x75;
pub(crate) const CLASS: u8 = 0x76;
pub(crate) const BLOCK: u8 = 0x77;
pub(crate) const END_BLOCK: u8 = 0x78;
pub(crate) const RESET: u8 = 0x79;
pub(crate) const BLOCK_LONG: u8 = 0x7a;
pub(crate) const EXCEPTION: u8 = 0x7b;
pub(crate) const STRING_LONG: u8 = 0x7c;
pub(crate) const PROXY_DESC: u8 = 0x7d;
pub(crate) const ENUM: u8 = 0x7e;

/// Number of the first handle on the wire.
pub(crate) const BASE_HANDLE: u32 = 0x007e_0000;

/// The class has a `writeObject` method: an annotation follows its fields.
pub(crate) const HAS_WRITE_OBJECT: u8 = 0x01;
/// The class is Externalizable: only external data, none of the superclasses.
pub(crate) const EXTERNALIZABLE: u8 = 0x04;
/// The external data stands in blocks and ends with `78`.
pub(crate) const BLOCK_DATA: u8 = 0x08;

/// A run of primitive data is cut after this many bytes (Java's buffer size).
pub(crate) const BLOCK_MAX: usize = 1024;

/// Bytes that a primitive of this type code takes; `None` for objects, arrays and unknown codes.
pub(crate) const fn primitive_width(type_code: u8) -> Option<usize> {
    match type_code {
        b'B' | b'Z' => Some(1),
        b'C' | b'S' => Some(2),
        b'I' | b'F' => Some(4),
        b'J' | b'D' => Some(8),
        _ => None,
    }
}
