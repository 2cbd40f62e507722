//! Java objects as Rust values. No class is ever looked up: what the table in `shape` does not know is an error.

use std::cell::Cell;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::Error;
use crate::document::Document;
use crate::error::{ReadError, ReadErrorKind};
use crate::field::FieldValue;
use crate::graph::NodeId;
use crate::limits::{Limit, Limits};
use crate::shape::{Shape, class_of, shape};
use crate::value::Value;

/// Levels of nesting; serde recurses, and an object may contain itself.
const DEPTH_MAX: usize = 128;

/// The object of a stream that holds exactly one, within the default [`Limits`].
///
/// # Errors
/// [`Error::Read`] if the stream is malformed or a limit is reached, [`Error::TooDeep`] beyond 128 levels of nesting,
/// [`Error::Class`] for a class that Rust has no counterpart of, [`Error::Type`] if `T` is something else than what
/// stands there.
pub fn from_bytes<T: DeserializeOwned>(stream: &[u8]) -> Result<T, Error> {
    from_bytes_within(stream, &Limits::default())
}

/// As [`from_bytes`], within other limits.
///
/// `elements_max` and `bytes_max` also bound the Rust value: a list that stands once in a stream and is mentioned a
/// thousand times there becomes a thousand lists.
///
/// # Errors
/// As for [`from_bytes`].
pub fn from_bytes_within<T: DeserializeOwned>(stream: &[u8], limits: &Limits) -> Result<T, Error> {
    let document = Document::parse(stream.to_vec(), limits)?;
    let node = document.root()?;
    let budget = Budget { elements: Cell::new(limits.elements_max), bytes: Cell::new(limits.bytes_max) };
    T::deserialize(In { document: &document, budget: &budget, item: FieldValue::Reference(node), depth: 0 })
}

/// What may still become part of the Rust value. A stream mentions a value as often as it likes at five bytes each, so
/// the length of the stream does not bound what it turns into.
struct Budget {
    elements: Cell<usize>,
    bytes: Cell<usize>,
}

impl Budget {
    /// Pays for the parts of a value, each time it is mentioned.
    fn pay(&self, shape: &Shape<'_>) -> Result<(), Limit> {
        let (elements, bytes) = match shape {
            Shape::List(items) => (items.len(), 0),
            Shape::Map(pairs) => (2 * pairs.len(), 0),
            Shape::Array(array) => match array.element_width() {
                Some(width) => (0, width * array.len()),
                None => (array.len(), 0),
            },
            Shape::Text(text) => (0, text.as_bytes().len()),
            Shape::Bytes(bytes) => (0, bytes.len()),
            Shape::Null | Shape::Primitive(_) | Shape::Uuid(_) | Shape::Instant(_) => (0, 0),
        };
        self.elements.set(self.elements.get().checked_sub(elements).ok_or(Limit::Elements)?);
        self.bytes.set(self.bytes.get().checked_sub(bytes).ok_or(Limit::Bytes)?);
        Ok(())
    }
}

/// One value of a document.
#[derive(Clone, Copy)]
struct In<'d> {
    document: &'d Document,
    budget: &'d Budget,
    item: FieldValue,
    depth: usize,
}

impl<'d> In<'d> {
    fn shape(self) -> Result<Shape<'d>, Error> {
        match self.item {
            FieldValue::Reference(node) => self.shape_of(node),
            primitive => Ok(Shape::Primitive(primitive)),
        }
    }

    fn shape_of(self, node: NodeId) -> Result<Shape<'d>, Error> {
        let shape = shape(self.document, node).ok_or_else(|| Error::Class(class_of(self.document, node)))?;
        self.budget
            .pay(&shape)
            .map_err(|limit| ReadError::new(ReadErrorKind::Limit(limit), self.document.offset(node)))?;
        Ok(shape)
    }

    /// A value one level down.
    fn inner(self, item: FieldValue) -> Result<Self, Error> {
        if self.depth == DEPTH_MAX {
            return Err(Error::TooDeep(DEPTH_MAX));
        }
        Ok(In { item, depth: self.depth + 1, ..self })
    }

    fn visit_items<'de, V: Visitor<'de>>(
        self,
        items: impl ExactSizeIterator<Item = FieldValue>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let len = items.len();
        let mut items = Items { parent: self, items };
        let value = visitor.visit_seq(&mut items)?;
        match items.items.len() {
            0 => Ok(value),
            left => Err(de::Error::invalid_length(len, &&*format!("{} elements", len - left))),
        }
    }

    fn is_null(self) -> bool {
        matches!(self.item, FieldValue::Reference(node) if node.is_null())
    }
}

fn visit_primitive<'de, V: Visitor<'de>>(value: FieldValue, visitor: V) -> Result<V::Value, Error> {
    match value {
        FieldValue::Byte(v) => visitor.visit_i8(v),
        FieldValue::Short(v) => visitor.visit_i16(v),
        FieldValue::Int(v) => visitor.visit_i32(v),
        FieldValue::Long(v) => visitor.visit_i64(v),
        FieldValue::Float(v) => visitor.visit_f32(v),
        FieldValue::Double(v) => visitor.visit_f64(v),
        FieldValue::Bool(v) => visitor.visit_bool(v),
        FieldValue::Char(unit) => match char::from_u32(unit.into()) {
            Some(c) => visitor.visit_char(c),
            None => Err(Error::Type("an unpaired surrogate is no char".into())),
        },
        FieldValue::Reference(_) => Err(Error::Type("a reference where a primitive was expected".into())),
    }
}

impl<'de> Deserializer<'de> for In<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.shape()? {
            Shape::Null => visitor.visit_unit(),
            Shape::Text(text) => match text.to_str() {
                Some(text) => visitor.visit_str(&text),
                None => Err(Error::Type("the string has an unpaired surrogate".into())),
            },
            Shape::Primitive(value) => visit_primitive(value, visitor),
            Shape::Bytes(bytes) => visitor.visit_bytes(bytes),
            Shape::Uuid(bytes) => visitor.visit_bytes(&bytes),
            Shape::Instant(nanos) => visitor.visit_i128(nanos),
            Shape::Array(array) => self.visit_items(array.iter(), visitor),
            Shape::List(items) => self.visit_items(items.into_iter(), visitor),
            Shape::Map(pairs) => visitor.visit_map(Pairs { parent: self, pairs: pairs.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() {
            return visitor.visit_none();
        }
        // One level down: a type may consist of nothing but itself and Option.
        visitor.visit_some(self.inner(self.item)?)
    }

    /// An array is a sequence even if it is one of bytes.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.item {
            FieldValue::Reference(node) if let Value::Array(array) = self.document.value(node) => {
                self.shape()?;
                self.visit_items(array.iter(), visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    /// The elements of a byte array are signed in Java and mostly not meant so.
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.item {
            FieldValue::Byte(byte) => visitor.visit_u8(byte as u8),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self.inner(self.item)?)
    }

    /// Unknown classes may stand where nobody looks.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.shape()? {
            Shape::Text(text) => match text.to_str() {
                Some(name) => visitor.visit_enum(StrDeserializer::<Error>::new(&name)),
                None => Err(Error::Type("the string has an unpaired surrogate".into())),
            },
            Shape::Map(pairs) if pairs.len() == 1 => {
                let (name, content) = pairs[0];
                visitor.visit_enum(Variant { name: self.inner(name)?, content: self.inner(content)? })
            }
            _ => Err(Error::Type("a variant is a string or a map with one entry".into())),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        map struct identifier
    }
}

impl<'de> IntoDeserializer<'de, Error> for In<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'d, I> {
    parent: In<'d>,
    items: I,
}

impl<'de, I: ExactSizeIterator<Item = FieldValue>> de::SeqAccess<'de> for Items<'_, I> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.items.next().map(|item| seed.deserialize(self.parent.inner(item)?)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Pairs<'d> {
    parent: In<'d>,
    pairs: std::vec::IntoIter<(FieldValue, FieldValue)>,
    value: Option<FieldValue>,
}

impl<'de> de::MapAccess<'de> for Pairs<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(self.parent.inner(key)?).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take().ok_or_else(|| Error::Type("a value was asked for before its key".into()))?;
        seed.deserialize(self.parent.inner(value)?)
    }
}

struct Variant<'d> {
    name: In<'d>,
    content: In<'d>,
}

impl<'de, 'd> de::EnumAccess<'de> for Variant<'d> {
    type Error = Error;
    type Variant = In<'d>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, In<'d>), Error> {
        Ok((seed.deserialize(self.name)?, self.content))
    }
}

impl<'de> de::VariantAccess<'de> for In<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if self.is_null() { Ok(()) } else { Err(Error::Type("the variant has no data".into())) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }
}
