//! Rust values with parts: lists and maps, whose size Java wants first and serde tells last.

use serde::Serialize;
use serde::ser;

use super::Error;
use super::ser::{Out, jdk};

/// Buckets of a Java map that holds so many entries: doubled whenever three quarters are exceeded.
fn buckets(entries: usize) -> usize {
    let mut buckets = 16;
    while entries > buckets / 4 * 3 {
        buckets *= 2;
    }
    buckets
}

fn int(count: usize) -> Result<i32, Error> {
    i32::try_from(count).map_err(|_| Error::TooLarge(count as i128))
}

impl Out {
    pub(super) fn list(&mut self) -> List<'_> {
        self.class = None;
        self.writer.begin_object(jdk("java.util.ArrayList"));
        let size_at = self.writer.position();
        self.writer.write_i32(0);
        self.writer.begin_annotation();
        self.writer.write_i32(0);
        self.writer.flush_block();
        let capacity_at = self.writer.position() - 4;
        List { out: self, size_at, capacity_at, size: 0 }
    }

    pub(super) fn map(&mut self) -> Map<'_> {
        self.class = None;
        self.writer.begin_object(jdk("java.util.LinkedHashMap"));
        self.writer.write_f32(0.75);
        let threshold_at = self.writer.position();
        self.writer.write_i32(0);
        self.writer.begin_annotation();
        self.writer.write_i32(0);
        self.writer.write_i32(0);
        self.writer.flush_block();
        let buckets_at = self.writer.position() - 8;
        Map { out: self, threshold_at, buckets_at, size: 0 }
    }

    /// `{variant: content}`, the content to be written by what `begin` makes.
    pub(super) fn variant<'a, C>(&'a mut self, variant: &str, begin: impl FnOnce(&'a mut Out) -> C) -> Variant<C> {
        let Map { threshold_at, buckets_at, .. } = self.map();
        self.writer.write_string(variant);
        Variant { threshold_at, buckets_at, content: begin(self) }
    }
}

/// An `ArrayList` whose size is known at its end.
pub(super) struct List<'a> {
    out: &'a mut Out,
    size_at: usize,
    capacity_at: usize,
    size: usize,
}

impl<'a> List<'a> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.size += 1;
        value.serialize(&mut *self.out)
    }

    fn close(self) -> Result<&'a mut Out, Error> {
        let size = int(self.size)?;
        self.out.writer.patch_i32(self.size_at, size);
        self.out.writer.patch_i32(self.capacity_at, size);
        self.out.writer.end_object()?;
        Ok(self.out)
    }
}

/// A `LinkedHashMap` whose size is known at its end.
pub(super) struct Map<'a> {
    out: &'a mut Out,
    threshold_at: usize,
    buckets_at: usize,
    size: usize,
}

impl<'a> Map<'a> {
    pub(super) fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.out.writer.write_string(key);
        self.value(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.size += 1;
        value.serialize(&mut *self.out)
    }

    pub(super) fn close(self) -> Result<&'a mut Out, Error> {
        let buckets = buckets(self.size);
        let threshold = if self.size == 0 { 0 } else { buckets / 4 * 3 };
        self.out.writer.patch_i32(self.threshold_at, int(threshold)?);
        self.out.writer.patch_i32(self.buckets_at, int(buckets)?);
        self.out.writer.patch_i32(self.buckets_at + 4, int(self.size)?);
        self.out.writer.end_annotation();
        self.out.writer.write_bool(false);
        self.out.writer.end_object()?;
        Ok(self.out)
    }
}

/// A variant with data: its content, a list or a map, as the only entry of a map.
pub(super) struct Variant<C> {
    threshold_at: usize,
    buckets_at: usize,
    content: C,
}

impl<C> Variant<C> {
    fn close<'a>(self, close: impl FnOnce(C) -> Result<&'a mut Out, Error>) -> Result<(), Error> {
        let Variant { threshold_at, buckets_at, content } = self;
        let out = close(content)?;
        Map { out, threshold_at, buckets_at, size: 1 }.close().map(drop)
    }
}

impl ser::SerializeSeq for List<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close().map(drop)
    }
}

impl ser::SerializeTuple for List<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close().map(drop)
    }
}

impl ser::SerializeTupleStruct for List<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close().map(drop)
    }
}

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(&mut *self.out)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close().map(drop)
    }
}

impl ser::SerializeStruct for Map<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.entry(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close().map(drop)
    }
}

impl ser::SerializeTupleVariant for Variant<List<'_>> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.content.push(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close(|list| list.close())
    }
}

impl ser::SerializeStructVariant for Variant<Map<'_>> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.content.entry(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close(|map| map.close())
    }
}
