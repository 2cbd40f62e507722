//! Builds a stream the way Java's `ObjectOutputStream` does.
//!
//! One descriptor per class, primitive data in blocks cut at 1024 bytes, small boxed numbers shared. Values
//! that came from other streams are spliced in with their handles renumbered and their descriptors unified.
//! Never writes an exception marker: a value that cannot be written leaves the stream as it was.

mod boxed;
mod open;
mod primitives;
mod splice;

use self::boxed::Boxes;
use self::open::Open;
use crate::code;
use crate::descriptor::ClassDescriptor;
use crate::emit::{EmitScratch, Emitter};
use crate::error::WriteError;
use crate::graph::Graph;
use crate::mutf8;
use crate::numbers::{DenseNumbers, Numbers};
use crate::parse::Scratch;
use crate::registry::KnownClasses;
use bytes::Bytes;
use std::collections::HashMap;

/// A value of a stream in the making, to be mentioned again by [`Writer::write_reference`].
///
/// Means something only to the writer that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(u32);

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
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
    /// Primitive data not yet written as a block; at most [`code::BLOCK_MAX`] bytes.
    block: Vec<u8>,
    next_handle: u32,
    open: Vec<Open>,
    known: KnownClasses,
    boxes: Boxes,
    /// Handles of enum constants, by the handle of their class and their name.
    constants: HashMap<(Handle, Box<str>), Handle>,
    // Memory worth keeping between spliced values.
    graph: Graph,
    parse_scratch: Scratch,
    emit_scratch: EmitScratch,
    numbers: DenseNumbers,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
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
        Writer {
            out,
            block: Vec::new(),
            next_handle: 0,
            open: Vec::new(),
            known: KnownClasses::default(),
            boxes: Boxes::default(),
            constants: HashMap::new(),
            graph: Graph::default(),
            parse_scratch: Scratch::default(),
            emit_scratch: EmitScratch::default(),
            numbers: DenseNumbers::default(),
        }
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

    /// null
    pub fn write_null(&mut self) {
        self.begin_value();
        self.out.push(code::NULL);
    }

    /// A string object of its own; equal strings are not shared, mention one again by its handle for that.
    pub fn write_string(&mut self, text: &str) -> Handle {
        let mut bytes = Vec::with_capacity(text.len());
        mutf8::push(&mut bytes, text);
        self.write_string_bytes(&bytes)
    }

    /// A string object from modified UTF-8.
    pub fn write_string_bytes(&mut self, bytes: &[u8]) -> Handle {
        self.begin_value();
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
        self.assign()
    }

    /// `byte[]`
    pub fn write_byte_array(&mut self, bytes: &[u8]) -> Handle {
        self.begin_value();
        self.out.push(code::ARRAY);
        self.class(ClassDescriptor::jdk("[B").expect("byte arrays are in the table"));
        let handle = self.assign();
        self.out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        self.out.extend_from_slice(bytes);
        handle
    }

    /// An enum constant. Written once, as there is one object for it in Java.
    pub fn write_enum(&mut self, class: &ClassDescriptor, constant: &str) {
        self.begin_value();
        let mark = self.out.len();
        self.out.push(code::ENUM);
        let class = self.class(class);
        let key = (class, constant.into());
        if let Some(&handle) = self.constants.get(&key) {
            // The class was a reference then and took no handle.
            self.out.truncate(mark);
            return self.reference(handle);
        }
        let handle = self.assign();
        self.constants.insert(key, handle);
        // The name takes its place outside of any field.
        self.open.push(Open::contents());
        self.write_string(constant);
        self.open.pop();
    }

    /// A value of this stream again: the same object for Java. Inside of a value that is still open it makes a
    /// cycle.
    pub fn write_reference(&mut self, value: Handle) {
        self.begin_value();
        self.reference(value);
    }

    /// Begins an array; its `len` elements follow, values or primitives as its class says, then
    /// [`Writer::end_object`].
    pub fn begin_array(&mut self, class: &ClassDescriptor, len: u32) -> Handle {
        self.begin_value();
        self.out.push(code::ARRAY);
        self.class(class);
        let handle = self.assign();
        self.out.extend_from_slice(&len.to_be_bytes());
        self.open.push(Open::array(class, len));
        handle
    }

    /// Begins an object. Write its field values in the order of the descriptors, the topmost superclass first;
    /// where a class has `writeObject`, write its contents between [`Writer::begin_annotation`] and
    /// [`Writer::end_annotation`]. For an Externalizable class write the external data right away.
    /// Then call [`Writer::end_object`].
    pub fn begin_object(&mut self, class: &ClassDescriptor) -> Handle {
        self.begin_value();
        self.out.push(code::OBJECT);
        self.class(class);
        let handle = self.assign();
        self.open.push(Open::object(class));
        if class.is_external() {
            self.begin_annotation();
        }
        handle
    }

    /// Begins what a `writeObject` method writes beyond the fields. Nothing happens without an open object.
    pub fn begin_annotation(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.begin_contents();
        }
    }

    /// Ends an annotation. Nothing happens without an open object.
    pub fn end_annotation(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.end_contents();
            self.flush_block();
            self.out.push(code::END_BLOCK);
        }
    }

    /// Ends an object or array, and its annotation if that is still open.
    ///
    /// # Errors
    /// `Layout` if the values written were not those of the class: the stream is not readable then and must be
    /// thrown away. `Unbalanced` without an open object.
    pub fn end_object(&mut self) -> Result<(), WriteError> {
        if self.open.last().is_some_and(|open| open.in_contents) {
            self.end_annotation();
        }
        let open = self.open.pop().ok_or(WriteError::Unbalanced)?;
        if open.is_complete() { Ok(()) } else { Err(WriteError::Layout) }
    }

    /// A value comes next: it takes a place among fields or elements, or ends a run of primitive data.
    fn begin_value(&mut self) {
        match self.open.last_mut() {
            Some(open) if !open.in_contents => open.take_value(),
            _ => self.flush_block(),
        }
    }

    /// The next handle.
    fn assign(&mut self) -> Handle {
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        handle
    }

    fn reference(&mut self, Handle(number): Handle) {
        self.out.push(code::REFERENCE);
        self.out.extend_from_slice(&(code::BASE_HANDLE + number).to_be_bytes());
    }

    /// Writes a class or a reference to it; its handle.
    fn class(&mut self, class: &ClassDescriptor) -> Handle {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.reset(class.graph.nodes.len());
        self.emitter(&class.graph, &class.stream, &mut numbers, |emitter| {
            emitter.emit_desc(class.node);
        });
        let handle = numbers.get(class.node).expect("a descriptor written has a number");
        self.numbers = numbers;
        Handle(handle)
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
