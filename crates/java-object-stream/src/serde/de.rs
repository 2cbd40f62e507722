//! Java objects as Rust values. No class is ever looked up: what the table in `shape` does not know is an error.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::Error;
use crate::document::Document;
use crate::field::FieldValue;
use crate::graph::NodeId;
use crate::limits::Limits;
use crate::shape::{Shape, class_of, shape};
use crate::value::Value;

/// Levels of nesting; serde recurses, and an object may contain itself.
const DEPTH_MAX: usize = 128;

/// The object of a stream that holds exactly one.
///
/// # Errors
/// [`Error::Read`] if the stream is malformed, [`Error::Class`] for a class that Rust has no counterpart of,
/// [`Error::Type`] if `T` is something else than what stands there.
pub fn from_bytes<T: DeserializeOwned>(stream: &[u8]) -> Result<T, Error> {
    let document = Document::parse(stream.to_vec(), &Limits::default())?;
    let node = document.root()?;
    T::deserialize(In { document: &document, item: FieldValue::Reference(node), depth: 0 })
}

/// One value of a document.
#[derive(Clone, Copy)]
struct In<'d> {
    document: &'d Document,
    item: FieldValue,
    depth: usize,
}

impl<'d> In<'d> {
    fn shape(self) -> Result<Shape<'d>, Error> {
        if self.depth > DEPTH_MAX {
            return Err(Error::TooDeep(DEPTH_MAX));
        }
        match self.item {
            FieldValue::Reference(node) => self.shape_of(node),
            primitive => Ok(Shape::Primitive(primitive)),
        }
    }

    fn shape_of(self, node: NodeId) -> Result<Shape<'d>, Error> {
        shape(self.document, node).ok_or_else(|| Error::Class(class_of(self.document, node)))
    }

    fn inner(self, item: FieldValue) -> Self {
        In { item, depth: self.depth + 1, ..self }
    }

    fn is_null(self) -> bool {
        matches!(self.item, FieldValue::Reference(node) if matches!(self.document.value(node), Value::Null))
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
            Shape::List(items) => visitor.visit_seq(Items { parent: self, items: items.into_iter() }),
            Shape::Map(pairs) => visitor.visit_map(Pairs { parent: self, pairs: pairs.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.shape()? {
            Shape::Bytes(bytes) => visitor.visit_seq(de::value::SeqDeserializer::new(bytes.iter().copied())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
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
                visitor.visit_enum(Variant { name: self.inner(name), content: self.inner(content) })
            }
            _ => Err(Error::Type("a variant is a string or a map with one entry".into())),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for In<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'d> {
    parent: In<'d>,
    items: std::vec::IntoIter<FieldValue>,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.items.next().map(|item| seed.deserialize(self.parent.inner(item))).transpose()
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
        seed.deserialize(self.parent.inner(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take().ok_or_else(|| Error::Type("a value was asked for before its key".into()))?;
        seed.deserialize(self.parent.inner(value))
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
