//! Rust values as Java objects.

use bytes::Bytes;
use serde::Serialize;
use serde::ser::Serializer;

use super::compound::{List, Map, Variant};
use super::{DATE, Error, INSTANT, UUID};
use crate::descriptor::ClassDescriptor;
use crate::shape::INSTANT_KIND;
use crate::writer::Writer;

/// Seconds since 1970 of `Instant.MIN` and `Instant.MAX`.
const INSTANT_SECONDS: std::ops::RangeInclusive<i64> = -31_557_014_167_219_200..=31_556_889_864_403_199;

/// The value as a stream that holds exactly one object.
///
/// | Rust | Java, written | Java, read in addition |
/// |---|---|---|
/// | `i8` `i16` `i32` `i64` | `Byte` `Short` `Integer` `Long` | any integer, atomic or not, that fits |
/// | `u8` `u16` `u32` `u64` | `Short` `Integer` `Long` `Long` | the same |
/// | `i128` | `Long` | the same, `java.time.Instant` in nanoseconds |
/// | `f32` `f64` | `Float` `Double` | any number |
/// | `bool` `char` | `Boolean` `Character` (beyond U+FFFF `String`) | `AtomicBoolean`, strings of one character |
/// | `str`, unit variant | `String` | enum constants |
/// | bytes, [`JavaBytes`](crate::JavaBytes) | `byte[]` | |
/// | sequence, tuple | `ArrayList` | other lists, sets, arrays and their wrappers |
/// | map, struct | `LinkedHashMap` | other maps and their wrappers |
/// | variant with data | `LinkedHashMap` with one entry | |
/// | `None`, unit | null | |
/// | [`JavaDate`](crate::JavaDate), [`JavaInstant`](crate::JavaInstant), [`JavaUuid`](crate::JavaUuid) | `java.util.Date`, `java.time.Instant`, `java.util.UUID` | `java.sql` dates |
///
/// An integer beyond a Java `long` is an error. Wrappers are those of `Arrays`, `Collections`, `List.of` and the like.
///
/// A newtype is written as what it holds. Map keys may be any values.
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
pub(super) struct Out {
    pub(super) writer: Writer,
    pub(super) class: Option<&'static str>,
}

pub(super) fn jdk(name: &str) -> &'static ClassDescriptor {
    ClassDescriptor::jdk(name).expect("only classes of the table are asked for")
}

impl Out {
    fn date(&mut self, ms: i64) -> Result<(), Error> {
        self.writer.begin_object(jdk(DATE));
        self.writer.begin_annotation();
        self.writer.write_i64(ms);
        Ok(self.writer.end_object()?)
    }

    fn instant(&mut self, nanos: i128) -> Result<(), Error> {
        let out_of_range = || Error::Type("the instant is beyond those of java.time.Instant".into());
        let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).map_err(|_| out_of_range())?;
        if !INSTANT_SECONDS.contains(&seconds) {
            return Err(out_of_range());
        }
        self.writer.begin_object(jdk("java.time.Ser"));
        self.writer.write_i8(INSTANT_KIND as i8);
        self.writer.write_i64(seconds);
        self.writer.write_i32(nanos.rem_euclid(1_000_000_000) as i32);
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

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        if self.class.take() == Some(INSTANT) {
            return self.instant(value);
        }
        let long = i64::try_from(value).map_err(|_| Error::TooLarge(value))?;
        self.serialize_i64(long)
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
        self.serialize_i64(i64::try_from(value).map_err(|_| Error::TooLarge(value.into()))?)
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
            Err(_) => self.serialize_str(value.encode_utf8(&mut [0; 4]))?,
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
        self.class = [DATE, INSTANT, UUID].contains(&name).then_some(name);
        let done = value.serialize(&mut *self);
        // Asked of this value only, whether it had the form for it or not.
        self.class = None;
        done
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
