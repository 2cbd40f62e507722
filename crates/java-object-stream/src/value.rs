//! Views of the values of a document: what a value is, its class, fields, elements and annotation.
//!
//! Views borrow the document and copy nothing. They show the stream as it is: unknown classes, raw strings and
//! float bits included.

use crate::code;
use crate::cursor::Cursor;
use crate::document::Document;
use crate::graph::{Desc, Graph, Level, Node, NodeId};
use crate::mutf8;
use std::borrow::Cow;

/// What a node of a document is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Value<'d> {
    /// null
    Null,
    /// A string.
    String(Text<'d>),
    /// An object of any class.
    Object(Object<'d>),
    /// An array of primitives or of values.
    Array(Array<'d>),
    /// An enum constant: the enum's class and the name of the constant, a string node.
    Enum(Class<'d>, NodeId),
    /// A `java.lang.Class`.
    Class(Class<'d>),
    /// A class descriptor that stands as a value (`java.io.ObjectStreamClass`).
    Descriptor(Class<'d>),
    /// Primitive data among values.
    Block(Block<'d>),
    /// All handles were forgotten here. Only at the top level.
    Reset,
    /// The writer failed inside this value and left an exception. Only at the top level.
    Aborted(Aborted<'d>),
}

impl<'d> Value<'d> {
    pub(crate) fn of(document: &'d Document, node: NodeId) -> Self {
        match document.graph.node(node) {
            Node::Null => Value::Null,
            Node::Reset => Value::Reset,
            Node::Text { long, text } => Value::String(Text { bytes: text.of(&document.source), long }),
            Node::Block { long, data } => Value::Block(Block { bytes: data.of(&document.source), long }),
            Node::Object { desc, words } => Value::Object(Object { class: Class::of(document, desc), words }),
            Node::Array { desc, .. } | Node::Primitives { desc, .. } => {
                Value::Array(Array { class: Class::of(document, desc), node })
            }
            Node::Enum { desc, constant } => Value::Enum(Class::of(document, desc), constant),
            Node::Class { desc } => Value::Class(Class::of(document, desc)),
            Node::Desc(index) => Value::Descriptor(Class { document, index }),
            Node::Aborted { partial, exception } => {
                Value::Aborted(Aborted { partial: partial.of(&document.source), exception })
            }
        }
    }

    /// The string, if it is one.
    pub fn as_string(&self) -> Option<Text<'d>> {
        match *self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<Object<'d>> {
        match *self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The array, if it is one.
    pub fn as_array(&self) -> Option<Array<'d>> {
        match *self {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }
}

/// A string or name as it stands in the stream: modified UTF-8, unpaired surrogates possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'d> {
    bytes: &'d [u8],
    long: bool,
}

impl<'d> Text<'d> {
    /// The raw modified UTF-8.
    pub fn as_bytes(self) -> &'d [u8] {
        self.bytes
    }

    /// The text; `None` if it has an unpaired surrogate or is malformed.
    pub fn to_str(self) -> Option<Cow<'d, str>> {
        mutf8::to_text(self.bytes)
    }

    /// The text, with U+FFFD in place of what is no text.
    pub fn to_str_lossy(self) -> Cow<'d, str> {
        mutf8::to_text_lossy(self.bytes)
    }

    /// The UTF-16 units that Java sees; `None` if the bytes are malformed.
    pub fn to_units(self) -> Option<Vec<u16>> {
        mutf8::units(self.bytes)
    }

    /// Written with a length of 8 bytes (`7c`).
    pub fn is_long_form(self) -> bool {
        self.long
    }
}

/// A block of primitive data. Blocks have no meaning as units, see [`Cursor`].
#[derive(Debug, Clone, Copy)]
pub struct Block<'d> {
    bytes: &'d [u8],
    long: bool,
}

impl<'d> Block<'d> {
    /// The data.
    pub fn as_bytes(self) -> &'d [u8] {
        self.bytes
    }

    /// Written with a length of 4 bytes (`7a`).
    pub fn is_long_form(self) -> bool {
        self.long
    }
}

/// A value that its writer gave up.
#[derive(Debug, Clone, Copy)]
pub struct Aborted<'d> {
    partial: &'d [u8],
    exception: NodeId,
}

impl<'d> Aborted<'d> {
    /// What was written of the value.
    pub fn partial(self) -> &'d [u8] {
        self.partial
    }

    /// The exception that stopped it.
    pub fn exception(self) -> NodeId {
        self.exception
    }
}

/// A class descriptor.
#[derive(Clone, Copy)]
pub struct Class<'d> {
    document: &'d Document,
    index: u32,
}

impl std::fmt::Debug for Class<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Class").field(&self.name().to_str_lossy()).finish()
    }
}

impl<'d> Class<'d> {
    /// `node` must be a descriptor: the parser admits nothing else where a class belongs.
    fn of(document: &'d Document, node: NodeId) -> Self {
        let index = document.graph.desc_index(node).expect("the parser checks that classes are descriptors");
        Class { document, index }
    }

    fn desc(self) -> &'d Desc {
        self.document.graph.desc(self.index)
    }

    fn text(self, span: crate::graph::Span) -> Text<'d> {
        Text { bytes: span.of(&self.document.source), long: false }
    }

    /// The node of the descriptor.
    pub fn node(self) -> NodeId {
        self.desc().node
    }

    /// Binary name with dots (`java.util.Map$Entry`, `[I`); empty for a proxy.
    pub fn name(self) -> Text<'d> {
        self.text(self.desc().name)
    }

    /// True if the name is `name`.
    pub fn is(self, name: &str) -> bool {
        self.name().as_bytes() == name.as_bytes()
    }

    /// serialVersionUID; 0 for a proxy.
    pub fn suid(self) -> i64 {
        self.desc().suid
    }

    /// Flag bits: 1 writeObject, 2 Serializable, 4 Externalizable, 8 block data, 16 enum.
    pub fn flags(self) -> u8 {
        self.desc().flags
    }

    /// Class of a dynamic proxy.
    pub fn is_proxy(self) -> bool {
        self.desc().is_proxy
    }

    /// The class is read as one whose `writeObject` leaves its fields out, see [`Document::parse`].
    pub fn leaves_out_fields(self) -> bool {
        self.desc().bare
    }

    /// Names of the interfaces of a proxy.
    pub fn interfaces(self) -> impl Iterator<Item = Text<'d>> {
        let fields = if self.is_proxy() { self.document.graph.fields(self.desc()) } else { &[] };
        fields.iter().map(move |field| self.text(field.name))
    }

    /// The fields in the order of the descriptor.
    pub fn fields(self) -> impl ExactSizeIterator<Item = Field<'d>> {
        let fields = if self.is_proxy() { &[] } else { self.document.graph.fields(self.desc()) };
        fields.iter().map(move |field| Field {
            type_code: char::from(field.type_code),
            name: self.text(field.name),
            signature: (!field.signature.is_null()).then_some(field.signature),
        })
    }

    /// What the writer's class annotation holds; nearly always nothing.
    pub fn annotation(self) -> impl ExactSizeIterator<Item = NodeId> + 'd {
        self.document.graph.list(self.desc().annotation)
    }

    /// The superclass, if it is Serializable.
    pub fn superclass(self) -> Option<Class<'d>> {
        let node = self.desc().superclass;
        self.document.graph.desc_index(node).map(|index| Class { document: self.document, index })
    }
}

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

    fn read(source: &[u8], type_code: u8, word: u32) -> Self {
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

/// An object: for each class of its chain the field values, then what `writeObject` or `writeExternal` wrote.
#[derive(Debug, Clone, Copy)]
pub struct Object<'d> {
    class: Class<'d>,
    words: u32,
}

impl<'d> Object<'d> {
    /// The object's own class.
    pub fn class(self) -> Class<'d> {
        self.class
    }

    /// The data class by class, in stream order: the topmost superclass first. An Externalizable object has one
    /// level without fields whose contents are the external data.
    pub fn levels(self) -> Vec<ObjectLevel<'d>> {
        let document = self.class.document;
        let (mut chain, mut levels) = (Vec::new(), Vec::new());
        document.graph.push_levels(self.class.node(), self.words, &mut chain, &mut levels);
        levels.into_iter().map(|level| ObjectLevel { document, level }).collect()
    }

    /// The field `name` of the lowest class that has one of this name.
    pub fn field(self, name: &str) -> Option<FieldValue> {
        self.levels().into_iter().rev().find_map(|level| level.field(name))
    }

    /// The field `name` if it is a reference.
    pub fn field_node(self, name: &str) -> Option<NodeId> {
        self.field(name)?.as_node()
    }

    /// Reads what the `writeObject` method of the class `class` wrote, or the external data of the object.
    pub fn contents_of(self, class: &str) -> Option<Cursor<'d>> {
        self.levels().into_iter().find(|level| level.class().is(class))?.cursor()
    }

    /// Reads the external data, or the annotation of the lowest class that has one.
    pub fn contents(self) -> Option<Cursor<'d>> {
        self.levels().into_iter().rev().find_map(|level| level.cursor())
    }
}

/// The part of an object that belongs to one class of its chain.
#[derive(Debug, Clone, Copy)]
pub struct ObjectLevel<'d> {
    document: &'d Document,
    level: Level,
}

impl<'d> ObjectLevel<'d> {
    /// The class.
    pub fn class(self) -> Class<'d> {
        Class { document: self.document, index: self.level.desc }
    }

    /// The fields with their values. Empty for external data and for a class that leaves its fields out.
    pub fn fields(self) -> impl ExactSizeIterator<Item = (Field<'d>, FieldValue)> {
        let values = self.level.values as usize;
        self.class().fields().take(self.level.value_count as usize).enumerate().map(move |(index, field)| {
            let word = self.document.graph.words[values + index];
            (field, FieldValue::read(&self.document.source, field.type_code as u8, word))
        })
    }

    /// The field of this name.
    pub fn field(self, name: &str) -> Option<FieldValue> {
        let name = name.as_bytes();
        let graph: &Graph = &self.document.graph;
        let fields = &graph.fields(graph.desc(self.level.desc))[..self.level.value_count as usize];
        let index = fields.iter().position(|field| field.name.of(&self.document.source) == name)?;
        let word = graph.words[self.level.values as usize + index];
        Some(FieldValue::read(&self.document.source, fields[index].type_code, word))
    }

    /// Annotation or external data; `None` if the class has none.
    pub fn contents(self) -> Option<impl ExactSizeIterator<Item = NodeId> + 'd> {
        self.level.contents.map(|list| self.document.graph.list(list))
    }

    /// The contents are external data, not an annotation.
    pub fn is_external(self) -> bool {
        self.class().desc().is_external() && self.level.value_count == 0 && self.level.contents.is_some()
    }

    /// Reads the contents.
    pub fn cursor(self) -> Option<Cursor<'d>> {
        let list = self.level.contents?;
        let words = &self.document.graph.words[list.start as usize..(list.start + list.len) as usize];
        Some(Cursor::new(self.document, words, self.document.offset(self.class().node())))
    }
}

/// An array of primitives or of values.
#[derive(Debug, Clone, Copy)]
pub struct Array<'d> {
    class: Class<'d>,
    node: NodeId,
}

impl<'d> Array<'d> {
    /// The array's class: `[B`, `[Ljava.lang.String;`, `[[I`, …
    pub fn class(self) -> Class<'d> {
        self.class
    }

    /// Number of elements.
    pub fn len(self) -> usize {
        match self.class.document.graph.node(self.node) {
            Node::Array { items, .. } => items.len as usize,
            Node::Primitives { count, .. } => count as usize,
            _ => 0,
        }
    }

    /// True if there are no elements.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The elements of a byte array.
    pub fn as_bytes(self) -> Option<&'d [u8]> {
        match self.class.document.graph.node(self.node) {
            Node::Primitives { count, start, .. } if self.class.name().as_bytes() == b"[B" => {
                Some(&self.class.document.source[start as usize..(start + count) as usize])
            }
            _ => None,
        }
    }

    /// The element at `index`.
    pub fn get(self, index: usize) -> Option<FieldValue> {
        if index >= self.len() {
            return None;
        }
        let document = self.class.document;
        match document.graph.node(self.node) {
            Node::Array { items, .. } => {
                Some(FieldValue::Reference(NodeId(document.graph.words[items.start as usize + index])))
            }
            Node::Primitives { start, .. } => {
                let type_code = *self.class.name().as_bytes().get(1)?;
                let width = code::primitive_width(type_code)?;
                Some(FieldValue::read(&document.source, type_code, start + (index * width) as u32))
            }
            _ => None,
        }
    }

    /// The elements in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = FieldValue> + 'd {
        (0..self.len()).map(move |index| self.get(index).unwrap_or(FieldValue::Reference(NodeId::NULL)))
    }
}
