//! Writing streams: primitive data, boxed values with Java's sharing, and values that are streams already.

use bytes::Bytes;
use java_object_stream::Writer;

use crate::session::JavaStr;

/// A stream under construction.
///
/// Java makes one object of each small boxed number and of each truth value, so a second occurrence is a reference;
/// attribute values of these forms take part, or the bytes would differ from a Java writer's.
pub(super) struct Output {
    writer: Writer,
}

impl Output {
    pub(super) fn new(capacity: usize) -> Self {
        Output { writer: Writer::with_capacity(capacity) }
    }

    /// Primitive data: what `writeUTF` writes. The text is at most 65,535 bytes: names and ids are checked where they
    /// come in.
    pub(super) fn utf(&mut self, text: &[u8]) {
        let written = self.writer.write_utf_bytes(text);
        debug_assert_eq!(written, Ok(()));
    }

    /// Primitive data: a boolean.
    pub(super) fn flag(&mut self, flag: bool) {
        self.writer.write_bool(flag);
    }

    /// Primitive data: an int.
    pub(super) fn int(&mut self, value: i32) {
        self.writer.write_i32(value);
    }

    pub(super) fn long(&mut self, value: i64) {
        self.writer.write_long(value);
    }

    pub(super) fn integer(&mut self, value: i32) {
        self.writer.write_integer(value);
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.writer.write_boolean(value);
    }

    pub(super) fn string(&mut self, text: &JavaStr) {
        self.writer.write_string_bytes(text.as_bytes());
    }

    pub(super) fn null(&mut self) {
        self.writer.write_null();
    }

    /// A value that is a stream of its own.
    pub(super) fn value(&mut self, value: &Bytes) {
        if let Some(number) = super::integer_value(value) {
            self.integer(number);
        } else if let Some(truth) = super::boolean_value(value) {
            self.boolean(truth);
        } else if self.writer.write_stream_value(value).is_err() {
            // Every value was checked when it was taken in; a null is what a Java reader skips.
            self.null();
        }
    }

    pub(super) fn finish(self) -> Bytes {
        self.writer.finish()
    }
}
