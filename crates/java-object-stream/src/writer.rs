//! Builds a stream the way Java's `ObjectOutputStream` does.
//!
//! One descriptor per class, primitive data in blocks cut at 1024 bytes, small boxed numbers shared. Values
//! that came from other streams are spliced in with their handles renumbered and their descriptors unified.
//! Never writes an exception marker: a value that cannot be written leaves the stream as it was.

use crate::code;
use crate::descriptor::{CONTENTS, ClassDescriptor};
use crate::document::{Document, parse_with_retries, root};
use crate::emit::{EmitScratch, Emitter};
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::graph::{Graph, Node, NodeId};
use crate::limits::Limits;
use crate::mutf8;
use crate::numbers::{DenseNumbers, Numbers, SparseNumbers};
use crate::parse::Scratch;
use crate::registry::KnownClasses;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// Values handed to a writer are already in memory and nest on the heap only: nothing is left to bound.
const UNLIMITED: Limits = Limits {
    bytes_max: usize::MAX,
    depth_max: usize::MAX,
    handles_max: usize::MAX,
    elements_max: usize::MAX,
    string_bytes_max: usize::MAX,
    class_depth_max: usize::MAX,
};

/// Writes one stream.
///
/// Primitives written at the top level, in annotations and in external data go to block data; inside an object
/// they are its fields. Values are written one after another.
///
/// ```
/// use java_object_stream::{Document, Limits, Writer};
///
/// let mut writer = Writer::new();
/// writer.write_utf("a session id")?;
/// writer.write_bool(false);
/// writer.write_string("a value");
/// let stream = writer.finish();
///
/// let document = Document::parse(stream, &Limits::default())?;
/// let mut contents = document.cursor();
/// assert_eq!(contents.read_utf()?, "a session id");
/// assert!(!contents.read_bool()?);
/// // A value of one stream becomes a stream of its own, and part of another.
/// let value = document.cut(contents.read_object()?)?;
/// let mut other = Writer::new();
/// other.write_stream_value(&value)?;
/// assert_eq!(other.finish(), value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// Primitive data not yet written as a block; at most [`code::BLOCK_MAX`] bytes.
    block: Vec<u8>,
    next_handle: u32,
    open: Vec<Open>,
    known: KnownClasses,
    /// Handles of boxed values that Java shares, by type code and value.
    boxed: HashMap<(u8, i64), u32>,
    boxed_classes: HashMap<u8, u32>,
    graph: Graph,
    parse_scratch: Scratch,
    emit_scratch: EmitScratch,
    numbers: DenseNumbers,
}

/// An object or array that is being written.
#[derive(Debug)]
struct Open {
    layout: Arc<[u8]>,
    /// The part of the layout that comes next.
    next: usize,
    /// Within contents: primitive data goes to blocks, values are not counted.
    in_contents: bool,
    fits: bool,
}

impl Writer {
    /// An empty stream.
    pub fn new() -> Self {
        Self::with_capacity(128)
    }

    /// An empty stream with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes.max(code::HEADER.len()));
        out.extend_from_slice(&code::HEADER);
        Writer { out, ..Writer::default() }
    }

    /// Bytes written until now, header and unfinished blocks included.
    pub fn len(&self) -> usize {
        self.out.len() + self.block.len()
    }

    /// True if nothing but the header was written.
    pub fn is_empty(&self) -> bool {
        self.len() == code::HEADER.len()
    }

    /// The finished stream.
    ///
    /// An object begun and not ended makes the stream one that no reader accepts; `end_object` tells.
    pub fn finish(mut self) -> Bytes {
        self.flush_block();
        self.out.into()
    }

    // ---- primitive data -------------------------------------------------------------------------------------

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
        self.primitive(CONTENTS, bytes);
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
        self.primitive(CONTENTS, &len.to_be_bytes());
        self.primitive(CONTENTS, bytes);
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

    // ---- values ---------------------------------------------------------------------------------------------

    /// null
    pub fn write_null(&mut self) {
        self.begin_value(b'L');
        self.out.push(code::NULL);
    }

    /// A string object of its own; equal strings are not shared.
    pub fn write_string(&mut self, text: &str) {
        let mut bytes = Vec::with_capacity(text.len());
        mutf8::push(&mut bytes, text);
        self.write_string_bytes(&bytes);
    }

    /// A string object from modified UTF-8.
    pub fn write_string_bytes(&mut self, bytes: &[u8]) {
        self.begin_value(b'L');
        match u16::try_from(bytes.len()) {
            Ok(len) => {
                self.out.push(code::STRING);
                self.out.extend_from_slice(&len.to_be_bytes());
            }
            Err(_) => {
                self.out.push(code::STRING_LONG);
                self.out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            }
        }
        self.out.extend_from_slice(bytes);
        self.next_handle += 1;
    }

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
        self.begin_value(b'L');
        if let Some(handle) = shared.and_then(|value| self.boxed.get(&(type_code, value))) {
            let handle = *handle;
            return self.reference(handle);
        }
        self.out.push(code::OBJECT);
        match self.boxed_classes.get(&type_code) {
            Some(&handle) => self.reference(handle),
            None => {
                let class = ClassDescriptor::jdk(class).expect("boxed types are in the table");
                let handle = self.class(class);
                self.boxed_classes.insert(type_code, handle);
            }
        }
        if let Some(value) = shared {
            self.boxed.insert((type_code, value), self.next_handle);
        }
        self.next_handle += 1;
        self.out.extend_from_slice(bytes);
    }

    /// `byte[]`
    pub fn write_byte_array(&mut self, bytes: &[u8]) {
        self.begin_value(b'[');
        self.out.push(code::ARRAY);
        self.class(ClassDescriptor::jdk("[B").expect("byte arrays are in the table"));
        self.next_handle += 1;
        self.out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        self.out.extend_from_slice(bytes);
    }

    /// An enum constant.
    pub fn write_enum(&mut self, class: &ClassDescriptor, constant: &str) {
        self.begin_value(b'L');
        self.out.push(code::ENUM);
        self.class(class);
        self.next_handle += 1;
        // The name takes its place outside of any field.
        self.open.push(Open::contents());
        self.write_string(constant);
        self.open.pop();
    }

    /// Begins an array of values; its `len` values follow, then [`Writer::end_object`].
    pub fn begin_array(&mut self, class: &ClassDescriptor, len: u32) {
        self.begin_value(b'[');
        self.out.push(code::ARRAY);
        self.class(class);
        self.next_handle += 1;
        self.out.extend_from_slice(&len.to_be_bytes());
        self.open.push(Open::with_layout(vec![b'L'; len as usize].into()));
    }

    /// Begins an object. Write its field values in the order of the descriptors, the topmost superclass first;
    /// where a class has `writeObject`, write its contents between [`Writer::begin_annotation`] and
    /// [`Writer::end_annotation`]. For an Externalizable class write the external data right away.
    /// Then call [`Writer::end_object`].
    pub fn begin_object(&mut self, class: &ClassDescriptor) {
        self.begin_value(b'L');
        self.out.push(code::OBJECT);
        self.class(class);
        self.next_handle += 1;
        self.open.push(Open::with_layout(class.layout.clone()));
        if class.is_external() {
            self.begin_annotation();
        }
    }

    /// Begins what a `writeObject` method writes beyond the fields.
    pub fn begin_annotation(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.take(CONTENTS);
            open.in_contents = true;
        }
    }

    /// Ends an annotation.
    pub fn end_annotation(&mut self) {
        self.flush_block();
        self.out.push(code::END_BLOCK);
        if let Some(open) = self.open.last_mut() {
            open.fits &= open.in_contents;
            open.in_contents = false;
        }
    }

    /// Ends an object or array.
    ///
    /// # Errors
    /// `Layout` if the values written were not those of the class: the stream is not readable then and must be
    /// thrown away. `Unbalanced` without an open object.
    pub fn end_object(&mut self) -> Result<(), WriteError> {
        if self.open.last().is_some_and(|open| open.in_contents) {
            self.end_annotation();
        }
        let open = self.open.pop().ok_or(WriteError::Unbalanced)?;
        if open.fits && open.next == open.layout.len() { Ok(()) } else { Err(WriteError::Layout) }
    }

    // ---- values of other streams ----------------------------------------------------------------------------

    /// Splices the value of a stream that holds exactly one: handles renumbered, class descriptors that the
    /// output already has replaced by references.
    ///
    /// # Errors
    /// What is wrong with `stream`; nothing is written then.
    pub fn write_stream_value(&mut self, stream: &[u8]) -> Result<(), ReadError> {
        if self.splice_simple(stream) {
            return Ok(());
        }
        let mut graph = std::mem::take(&mut self.graph);
        let parsed =
            parse_with_retries(stream, &UNLIMITED, &mut graph, &mut self.parse_scratch).and_then(|()| root(&graph));
        if let Ok(node) = parsed {
            let array = matches!(graph.node(node), Node::Array { .. } | Node::Primitives { .. });
            self.begin_value(if array { b'[' } else { b'L' });
            let mut numbers = std::mem::take(&mut self.numbers);
            numbers.reset(graph.nodes.len());
            self.emitter(&graph, stream, &mut numbers, |emitter| emitter.emit(node));
            self.numbers = numbers;
        }
        self.graph = graph;
        parsed.map(drop)
    }

    /// Writes a value of a document, as [`Writer::write_stream_value`] does with what [`Document::cut`] gives.
    ///
    /// # Errors
    /// `Aborted` or `NotOneValue` if the node is no value; nothing is written then.
    pub fn write_value(&mut self, document: &Document, node: NodeId) -> Result<(), ReadError> {
        let refused = match document.graph.node(node) {
            Node::Aborted { .. } => ReadErrorKind::Aborted,
            Node::Block { .. } | Node::Reset => ReadErrorKind::NotOneValue,
            kind => {
                let array = matches!(kind, Node::Array { .. } | Node::Primitives { .. });
                self.begin_value(if array { b'[' } else { b'L' });
                let mut numbers = SparseNumbers::default();
                self.emitter(&document.graph, &document.source, &mut numbers, |e| e.emit(node));
                return Ok(());
            }
        };
        Err(ReadError::new(refused, document.offset(node)))
    }

    /// Values that need no graph: null, strings, common boxed numbers, byte arrays.
    fn splice_simple(&mut self, stream: &[u8]) -> bool {
        let Some(value) = stream.strip_prefix(&code::HEADER) else {
            return false;
        };
        match value {
            [code::NULL] => self.write_null(),
            [code::STRING, a, b, text @ ..] if text.len() == usize::from(u16::from_be_bytes([*a, *b])) => {
                self.begin_value(b'L');
                self.out.extend_from_slice(value);
                self.next_handle += 1;
            }
            [code::OBJECT, rest @ ..] => {
                // Boxed numbers are shared by value, as Java shares them.
                if let Some(&[a, b, c, d]) = after_class(rest, "java.lang.Integer") {
                    self.write_integer(i32::from_be_bytes([a, b, c, d]));
                } else if let Some(&[a, b, c, d, e, f, g, h]) = after_class(rest, "java.lang.Long") {
                    self.write_long(i64::from_be_bytes([a, b, c, d, e, f, g, h]));
                } else if let Some(&[flag @ (0 | 1)]) = after_class(rest, "java.lang.Boolean") {
                    self.write_boolean(flag == 1);
                } else {
                    return false;
                }
            }
            [code::ARRAY, rest @ ..] => match after_class(rest, "[B") {
                Some([a, b, c, d, bytes @ ..]) if bytes.len() == u32::from_be_bytes([*a, *b, *c, *d]) as usize => {
                    self.write_byte_array(bytes);
                }
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    // ---- parts ----------------------------------------------------------------------------------------------

    /// A value comes next: it takes a place among fields or elements, or ends a run of primitive data.
    fn begin_value(&mut self, type_code: u8) {
        match self.open.last_mut() {
            Some(open) if !open.in_contents => open.take(type_code),
            _ => self.flush_block(),
        }
    }

    fn reference(&mut self, handle: u32) {
        self.out.push(code::REFERENCE);
        self.out.extend_from_slice(&(code::BASE_HANDLE + handle).to_be_bytes());
    }

    /// Writes a class or a reference to it; its handle.
    fn class(&mut self, class: &ClassDescriptor) -> u32 {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.reset(class.graph.nodes.len());
        self.emitter(&class.graph, &class.stream, &mut numbers, |emitter| {
            emitter.emit_desc(class.node);
        });
        let handle = numbers.get(class.node).expect("a descriptor written has a number");
        self.numbers = numbers;
        handle
    }

    fn emitter<N: Numbers>(
        &mut self,
        graph: &Graph,
        source: &[u8],
        numbers: &mut N,
        emit: impl FnOnce(&mut Emitter<'_, N, KnownClasses>),
    ) {
        emit(&mut Emitter {
            graph,
            source,
            out: &mut self.out,
            next_handle: &mut self.next_handle,
            numbers,
            registry: &mut self.known,
            scratch: &mut self.emit_scratch,
        });
    }

    /// Offset of what is written next; for [`Writer::patch_i32`].
    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    /// Overwrites an int written before, when its value is known.
    pub(crate) fn patch_i32(&mut self, at: usize, value: i32) {
        self.out[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
}

/// The value as a key if Java keeps one object for it.
fn cached(value: i64) -> Option<i64> {
    (-128..=127).contains(&value).then_some(value)
}

/// What follows the descriptor of the JDK class, if `bytes` begin with it.
fn after_class<'b>(bytes: &'b [u8], class: &str) -> Option<&'b [u8]> {
    let class = ClassDescriptor::jdk(class)?;
    bytes.strip_prefix(&class.stream[code::HEADER.len()..])
}

impl Open {
    fn with_layout(layout: Arc<[u8]>) -> Self {
        Open { layout, next: 0, in_contents: false, fits: true }
    }

    fn contents() -> Self {
        Open { in_contents: true, ..Self::with_layout([].into()) }
    }

    /// A value of this type comes; any kind of value may stand in an object field.
    fn take(&mut self, type_code: u8) {
        let expected = self.layout.get(self.next).copied();
        let reference = |code: u8| code == b'L' || code == b'[';
        self.fits &=
            expected.is_some_and(|expected| expected == type_code || reference(expected) && reference(type_code));
        self.next += 1;
    }
}
