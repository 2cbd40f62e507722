//! Rust values as Java objects.

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{self, Serializer};

use super::{DATE, Error, UUID};
use crate::descriptor::ClassDescriptor;
use crate::writer::Writer;

/// The value as a stream that holds exactly one object.
///
/// ```
/// let stream = java_object_stream::to_bytes(&vec![1, 2])?;
/// assert_eq!(java_object_stream::class_name(&stream)?, "java.util.ArrayList");
/// assert_eq!(java_object_stream::from_bytes::<Vec<i32>>(&stream)?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::TooLarge`] for a `u64` that is no Java long, [`Error::Type`] for what the type itself refuses.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Error> {
    let mut out = Out { writer: Writer::new(), class: None };
    value.serialize(&mut out)?;
    Ok(out.writer.finish())
}

/// The stream in the making, and the class that a newtype asks for its content.
struct Out {
    writer: Writer,
    class: Option<&'static str>,
}

fn jdk(name: &str) -> &'static ClassDescriptor {
    ClassDescriptor::jdk(name).expect("only classes of the table are asked for")
}

/// Buckets of a Java map that holds so many entries: doubled whenever three quarters are exceeded.
fn buckets(entries: usize) -> usize {
    let mut buckets = 16;
    while entries > buckets / 4 * 3 {
        buckets *= 2;
    }
    buckets
}

fn int(count: usize) -> Result<i32, Error> {
    i32::try_from(count).map_err(|_| Error::TooLarge(count as u64))
}

impl Out {
    fn date(&mut self, ms: i64) -> Result<(), Error> {
        self.writer.begin_object(jdk(DATE));
        self.writer.begin_annotation();
        self.writer.write_i64(ms);
        Ok(self.writer.end_object()?)
    }

    fn uuid(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let (most, least) = bytes.split_first_chunk::<8>().ok_or_else(|| Error::Type("a UUID has 16 bytes".into()))?;
        let least = least.try_into().map_err(|_| Error::Type("a UUID has 16 bytes".into()))?;
        self.writer.begin_object(jdk(UUID));
        self.writer.write_i64(i64::from_be_bytes(least));
        self.writer.write_i64(i64::from_be_bytes(*most));
        Ok(self.writer.end_object()?)
    }

    fn list(&mut self) -> List<'_> {
        self.writer.begin_object(jdk("java.util.ArrayList"));
        let size_at = self.writer.position();
        self.writer.write_i32(0);
        self.writer.begin_annotation();
        self.writer.write_i32(0);
        self.writer.flush_block();
        let capacity_at = self.writer.position() - 4;
        List { out: self, size_at, capacity_at, size: 0 }
    }

    fn map(&mut self) -> Map<'_> {
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
    fn variant<'a, C>(&'a mut self, variant: &str, begin: impl FnOnce(&'a mut Out) -> C) -> Variant<C> {
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
    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.out.writer.write_string(key);
        self.value(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.size += 1;
        value.serialize(&mut *self.out)
    }

    fn close(self) -> Result<&'a mut Out, Error> {
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

impl<'a> Serializer for &'a mut Out {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = Variant<List<'a>>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Variant<Map<'a>>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.writer.write_boolean(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.writer.write_byte(value);
        Ok(())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.writer.write_short(value);
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.writer.write_integer(value);
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        if self.class.take() == Some(DATE) {
            return self.date(value);
        }
        self.writer.write_long(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_i16(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_i32(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.serialize_i64(i64::try_from(value).map_err(|_| Error::TooLarge(value))?)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.writer.write_float(value);
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.writer.write_double(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        match u16::try_from(u32::from(value)) {
            Ok(unit) => self.writer.write_character(unit),
            Err(_) => self.writer.write_string(value.encode_utf8(&mut [0; 4])),
        }
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.writer.write_string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        if self.class.take() == Some(UUID) {
            return self.uuid(value);
        }
        self.writer.write_byte_array(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.writer.write_null();
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Error> {
        self.class = [DATE, UUID].contains(&name).then_some(name);
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut map = self.map();
        map.entry(variant, value)?;
        map.close().map(drop)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Variant<List<'a>>, Error> {
        Ok(self.variant(variant, Out::list))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a>, Error> {
        Ok(self.map())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Map<'a>, Error> {
        Ok(self.map())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Variant<Map<'a>>, Error> {
        Ok(self.variant(variant, Out::map))
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
