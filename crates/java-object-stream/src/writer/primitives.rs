//! Primitive data: into the fields of an object, else into blocks.

use super::Writer;
use crate::code;
use crate::error::WriteError;
use crate::mutf8;

/// Type code of raw bytes: they have a place in block data only.
const RAW: u8 = 0;

impl Writer {
    /// A boolean.
    pub fn write_bool(&mut self, value: bool) {
        self.primitive(b'Z', &[u8::from(value)]);
    }

    /// A byte.
    pub fn write_i8(&mut self, value: i8) {
        self.primitive(b'B', &value.to_be_bytes());
    }

    /// A short.
    pub fn write_i16(&mut self, value: i16) {
        self.primitive(b'S', &value.to_be_bytes());
    }

    /// A char: one UTF-16 unit.
    pub fn write_char(&mut self, unit: u16) {
        self.primitive(b'C', &unit.to_be_bytes());
    }

    /// An int.
    pub fn write_i32(&mut self, value: i32) {
        self.primitive(b'I', &value.to_be_bytes());
    }

    /// A long.
    pub fn write_i64(&mut self, value: i64) {
        self.primitive(b'J', &value.to_be_bytes());
    }

    /// A float.
    pub fn write_f32(&mut self, value: f32) {
        self.primitive(b'F', &value.to_be_bytes());
    }

    /// A double.
    pub fn write_f64(&mut self, value: f64) {
        self.primitive(b'D', &value.to_be_bytes());
    }

    /// Raw bytes of block data. Not for fields: a byte array there is a value.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.primitive(RAW, bytes);
    }

    /// `writeUTF`: two bytes of length and modified UTF-8, in block data.
    ///
    /// # Errors
    /// `UtfTooLong` beyond 65,535 bytes; nothing is written then.
    pub fn write_utf(&mut self, text: &str) -> Result<(), WriteError> {
        let mut bytes = Vec::with_capacity(text.len());
        mutf8::push(&mut bytes, text);
        self.write_utf_bytes(&bytes)
    }

    /// `writeUTF` of bytes that are modified UTF-8 already.
    ///
    /// # Errors
    /// As for [`Writer::write_utf`].
    pub fn write_utf_bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let len = u16::try_from(bytes.len()).map_err(|_| WriteError::UtfTooLong(bytes.len()))?;
        self.primitive(RAW, &len.to_be_bytes());
        self.primitive(RAW, bytes);
        Ok(())
    }

    fn primitive(&mut self, type_code: u8, bytes: &[u8]) {
        match self.open.last_mut() {
            Some(open) if !open.in_contents => {
                open.take(type_code);
                self.out.extend_from_slice(bytes);
            }
            _ => self.block_data(bytes),
        }
    }

    fn block_data(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.block.len() == code::BLOCK_MAX {
                self.flush_block();
            }
            let (now, later) = bytes.split_at(bytes.len().min(code::BLOCK_MAX - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
        }
    }

    pub(crate) fn flush_block(&mut self) {
        if self.block.is_empty() {
            return;
        }
        match u8::try_from(self.block.len()) {
            Ok(len) => self.out.extend_from_slice(&[code::BLOCK, len]),
            Err(_) => {
                self.out.push(code::BLOCK_LONG);
                self.out.extend_from_slice(&(self.block.len() as u32).to_be_bytes());
            }
        }
        self.out.append(&mut self.block);
    }
}
