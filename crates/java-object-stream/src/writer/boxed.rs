//! Boxed primitives, shared where Java keeps one object for a value.

use super::{Handle, Writer};
use crate::code;
use crate::descriptor::ClassDescriptor;
use std::collections::HashMap;

/// What was boxed already.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    /// Handles of the values that Java shares, by type code and value.
    values: HashMap<(u8, i64), Handle>,
    /// Handles of the classes by type code.
    classes: HashMap<u8, Handle>,
}

impl Writer {
    /// `java.lang.Boolean`. Written once per value, as Java's shared constants are.
    pub fn write_boolean(&mut self, value: bool) {
        self.boxed("java.lang.Boolean", b'Z', Some(value.into()), &[u8::from(value)]);
    }

    /// `java.lang.Byte`, shared.
    pub fn write_byte(&mut self, value: i8) {
        self.boxed("java.lang.Byte", b'B', Some(value.into()), &value.to_be_bytes());
    }

    /// `java.lang.Short`, from -128 to 127 shared.
    pub fn write_short(&mut self, value: i16) {
        self.boxed("java.lang.Short", b'S', cached(value.into()), &value.to_be_bytes());
    }

    /// `java.lang.Integer`, from -128 to 127 shared.
    pub fn write_integer(&mut self, value: i32) {
        self.boxed("java.lang.Integer", b'I', cached(value.into()), &value.to_be_bytes());
    }

    /// `java.lang.Long`, from -128 to 127 shared.
    pub fn write_long(&mut self, value: i64) {
        self.boxed("java.lang.Long", b'J', cached(value), &value.to_be_bytes());
    }

    /// `java.lang.Float`.
    pub fn write_float(&mut self, value: f32) {
        self.boxed("java.lang.Float", b'F', None, &value.to_be_bytes());
    }

    /// `java.lang.Double`.
    pub fn write_double(&mut self, value: f64) {
        self.boxed("java.lang.Double", b'D', None, &value.to_be_bytes());
    }

    /// `java.lang.Character`, up to U+007F shared.
    pub fn write_character(&mut self, unit: u16) {
        let shared = (unit <= 0x7f).then_some(i64::from(unit));
        self.boxed("java.lang.Character", b'C', shared, &unit.to_be_bytes());
    }

    fn boxed(&mut self, class: &str, type_code: u8, shared: Option<i64>, bytes: &[u8]) {
        self.begin_value();
        if let Some(&handle) = shared.and_then(|value| self.boxes.values.get(&(type_code, value))) {
            return self.reference(handle);
        }
        self.out.push(code::OBJECT);
        match self.boxes.classes.get(&type_code) {
            Some(&handle) => self.reference(handle),
            None => {
                let class = ClassDescriptor::jdk(class).expect("boxed types are in the table");
                let handle = self.class(class);
                self.boxes.classes.insert(type_code, handle);
            }
        }
        let handle = self.assign();
        if let Some(value) = shared {
            self.boxes.values.insert((type_code, value), handle);
        }
        self.out.extend_from_slice(bytes);
    }
}

/// The value as a key if Java keeps one object for it.
fn cached(value: i64) -> Option<i64> {
    (-128..=127).contains(&value).then_some(value)
}
