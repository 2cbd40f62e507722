//! Bytes to graph: the grammar of the stream as a machine with its own stack.
//!
//! One frame per value that waits for a part of itself, so the depth of a stream costs heap up to a limit and
//! never call stack. Class names are data here: nothing is looked up or trusted. Every length is compared with
//! the bytes that remain before anything is kept.

use crate::code;
use crate::error::{ReadError, ReadErrorKind as Kind};
use crate::graph::{Desc, Field, Graph, List, Node, NodeId, Span};
use crate::limits::{Limit, Limits};

/// A value that waits for a part of itself.
#[derive(Debug, Clone, Copy)]
enum Frame {
    /// Waits for the descriptor of an object, array, enum or class value that began at this offset.
    ForObject(u32),
    ForArray(u32),
    ForEnum(u32),
    ForClass(u32),
    /// Collects the annotation of a descriptor.
    DescNotes {
        desc: u32,
        base: u32,
    },
    /// Waits for the superclass of a descriptor.
    ForSuper {
        desc: u32,
    },
    /// Reads the fields of `desc`, `field` being the next; the classes below it wait on the chain stack.
    Fields {
        node: NodeId,
        base: u32,
        chain_base: u32,
        desc: u32,
        field: u32,
    },
    /// Collects annotation or external contents; their number goes to `pending[count_at]`.
    Notes {
        node: NodeId,
        base: u32,
        chain_base: u32,
        count_at: u32,
    },
    /// Collects `left` more elements.
    Elements {
        node: NodeId,
        base: u32,
        left: u32,
    },
    ForConstant {
        node: NodeId,
    },
}

enum Step {
    /// The top frame changed; go on with it.
    Go,
    /// A value is complete; the frame below takes it.
    Done(NodeId),
    /// An exception marker: the outermost value ends here unfinished.
    Abort,
}

/// Memory of a parser that is worth keeping between streams.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    handles: Vec<NodeId>,
    frames: Vec<Frame>,
    /// Words of unfinished values; each frame knows where its own begin.
    pending: Vec<u32>,
    chain: Vec<u32>,
    /// Classes with `writeObject` and fields that had an object, the latest last: candidates for a second try.
    pub(crate) suspects: Vec<Span>,
}

pub(crate) struct Parser<'a> {
    source: &'a [u8],
    at: usize,
    limits: &'a Limits,
    /// Names of classes to be read as if they wrote none of their fields.
    bare: &'a [&'a [u8]],
    elements: usize,
    in_exception: bool,
    graph: &'a mut Graph,
    scratch: &'a mut Scratch,
}

type Result<T> = std::result::Result<T, ReadError>;

impl<'a> Parser<'a> {
    /// Parses `source` into `graph`, which is emptied first.
    pub(crate) fn parse(
        source: &'a [u8],
        limits: &'a Limits,
        bare: &'a [&'a [u8]],
        graph: &'a mut Graph,
        scratch: &'a mut Scratch,
    ) -> Result<()> {
        if source.len() > limits.bytes_max.min(u32::MAX as usize - 1) {
            return Err(ReadError::new(Kind::Limit(Limit::Bytes), 0));
        }
        if !source.starts_with(&code::HEADER) {
            return Err(ReadError::new(Kind::NotAStream, 0));
        }
        graph.clear();
        scratch.handles.clear();
        scratch.frames.clear();
        scratch.pending.clear();
        scratch.chain.clear();
        scratch.suspects.clear();
        let mut parser =
            Parser { source, at: code::HEADER.len(), limits, bare, elements: 0, in_exception: false, graph, scratch };
        while parser.at < source.len() {
            let content = parser.top_level()?;
            parser.count_element()?;
            parser.graph.contents.push(content.0);
        }
        Ok(())
    }

    fn top_level(&mut self) -> Result<NodeId> {
        let start = self.at;
        match self.source[start] {
            code::BLOCK | code::BLOCK_LONG => self.block(),
            code::RESET => {
                self.at += 1;
                self.scratch.handles.clear();
                Ok(self.graph.push(Node::Reset, start))
            }
            _ => {
                let marks =
                    (self.graph.nodes.len(), self.graph.words.len(), self.graph.descs.len(), self.graph.fields.len());
                match self.value()? {
                    Some(node) => Ok(node),
                    None => {
                        // Nothing can refer to the parts of the unfinished value: they stay bytes.
                        self.graph.nodes.truncate(marks.0);
                        self.graph.starts.truncate(marks.0);
                        self.graph.words.truncate(marks.1);
                        self.graph.descs.truncate(marks.2);
                        self.graph.fields.truncate(marks.3);
                        self.aborted(start)
                    }
                }
            }
        }
    }

    /// After a `7b`: handles start again for the exception, and once more behind it.
    fn aborted(&mut self, start: usize) -> Result<NodeId> {
        let partial = Span { start: start as u32, len: (self.at - 1 - start) as u32 };
        self.scratch.handles.clear();
        self.scratch.frames.clear();
        self.scratch.pending.clear();
        self.scratch.chain.clear();
        let marker = self.at - 1;
        self.in_exception = true;
        let exception = self.value()?;
        self.in_exception = false;
        self.scratch.handles.clear();
        let exception = exception.ok_or(ReadError::new(Kind::NestedException, marker))?;
        Ok(self.graph.push(Node::Aborted { partial, exception }, start))
    }

    /// Reads one whole value; `None` if an exception marker ended it.
    fn value(&mut self) -> Result<Option<NodeId>> {
        let mut step = self.object()?;
        loop {
            step = match step {
                Step::Go => self.advance()?,
                Step::Done(id) if self.scratch.frames.is_empty() => return Ok(Some(id)),
                Step::Done(id) => self.deliver(id)?,
                Step::Abort => return Ok(None),
            };
        }
    }

    /// Lets the top frame read on until it needs a part or is complete.
    fn advance(&mut self) -> Result<Step> {
        let frame = *self.scratch.frames.last().expect("a frame is open while a value is unfinished");
        match frame {
            Frame::ForObject(_) | Frame::ForArray(_) | Frame::ForEnum(_) | Frame::ForClass(_) => self.descriptor(),
            Frame::ForSuper { .. } => self.descriptor(),
            Frame::DescNotes { desc, base } => {
                if !self.at_end_mark()? {
                    return self.content();
                }
                let annotation = self.flush(base);
                self.graph.descs[desc as usize].annotation = annotation;
                self.replace(Frame::ForSuper { desc });
                Ok(Step::Go)
            }
            Frame::Fields { node, base, chain_base, desc, field } => self.fields(node, base, chain_base, desc, field),
            Frame::Notes { node, base, chain_base, count_at } => {
                if !self.at_end_mark()? {
                    return self.content();
                }
                let count = self.scratch.pending.len() - count_at as usize - 1;
                self.scratch.pending[count_at as usize] = count as u32;
                self.next_level(node, base, chain_base)
            }
            Frame::Elements { node, base, left } => {
                if left > 0 {
                    return self.object();
                }
                let list = self.flush(base);
                if let Node::Array { items, .. } = &mut self.graph.nodes[node.index()] {
                    *items = list;
                }
                self.done(node)
            }
            Frame::ForConstant { .. } => self.object(),
        }
    }

    /// Gives a complete value to the frame that waits for it.
    fn deliver(&mut self, id: NodeId) -> Result<Step> {
        let frame = *self.scratch.frames.last().expect("checked by the caller");
        match frame {
            Frame::ForObject(start) => self.begin_object(start, id),
            Frame::ForArray(start) => self.begin_array(start, id),
            Frame::ForEnum(start) => {
                self.usable(id)?;
                let node = self.graph.push(Node::Enum { desc: id, constant: NodeId::NULL }, start as usize);
                self.assign(node)?;
                self.replace(Frame::ForConstant { node });
                Ok(Step::Go)
            }
            Frame::ForClass(start) => {
                self.usable(id)?;
                let node = self.graph.push(Node::Class { desc: id }, start as usize);
                self.assign(node)?;
                self.done(node)
            }
            Frame::ForSuper { desc } => {
                let mut chain_len = 1;
                if !id.is_null() {
                    chain_len += self.graph.desc(self.usable(id)?).chain_len;
                }
                if chain_len as usize > self.limits.class_depth_max {
                    return self.fail(Kind::Limit(Limit::ClassDepth));
                }
                let desc = &mut self.graph.descs[desc as usize];
                desc.superclass = id;
                desc.chain_len = chain_len;
                desc.finished = true;
                let node = desc.node;
                self.done(node)
            }
            Frame::Elements { node, base, left } => {
                self.scratch.pending.push(id.0);
                self.replace(Frame::Elements { node, base, left: left - 1 });
                Ok(Step::Go)
            }
            Frame::DescNotes { .. } | Frame::Fields { .. } | Frame::Notes { .. } => {
                self.scratch.pending.push(id.0);
                Ok(Step::Go)
            }
            Frame::ForConstant { node } => {
                if !matches!(self.graph.node(id), Node::Text { .. }) {
                    return self.fail(Kind::NotAString);
                }
                if let Node::Enum { constant, .. } = &mut self.graph.nodes[node.index()] {
                    *constant = id;
                }
                self.done(node)
            }
        }
    }

    fn begin_object(&mut self, start: u32, id: NodeId) -> Result<Step> {
        let desc = self.usable(id)?;
        let node = self.graph.push(Node::Object { desc: id, words: 0 }, start as usize);
        self.assign(node)?;
        let base = self.scratch.pending.len() as u32;
        let chain_base = self.scratch.chain.len() as u32;
        let own = self.graph.desc(desc);
        if own.is_external() {
            if own.flags & code::BLOCK_DATA == 0 {
                return self.fail(Kind::UnstructuredExternal);
            }
            self.scratch.pending.push(0);
            self.replace(Frame::Notes { node, base, chain_base, count_at: base });
            return Ok(Step::Go);
        }
        self.graph.push_chain(id, &mut self.scratch.chain);
        self.next_level(node, base, chain_base)
    }

    /// Goes on with the next class of an object, or completes the object.
    fn next_level(&mut self, node: NodeId, base: u32, chain_base: u32) -> Result<Step> {
        if self.scratch.chain.len() > chain_base as usize
            && let Some(desc) = self.scratch.chain.pop()
        {
            self.replace(Frame::Fields { node, base, chain_base, desc, field: 0 });
            return Ok(Step::Go);
        }
        let list = self.flush(base);
        if let Node::Object { words, .. } = &mut self.graph.nodes[node.index()] {
            *words = list.start;
        }
        self.done(node)
    }

    /// Reads field values until one needs a frame of its own.
    fn fields(&mut self, node: NodeId, base: u32, chain_base: u32, desc: u32, first: u32) -> Result<Step> {
        let info = *self.graph.desc(desc);
        for field in first..Graph::value_count(&info) {
            let type_code = self.graph.fields[(info.fields_start + field) as usize].type_code;
            match code::primitive_width(type_code) {
                Some(width) => {
                    let start = self.at;
                    self.take(width)?;
                    self.scratch.pending.push(start as u32);
                }
                None => {
                    self.replace(Frame::Fields { node, base, chain_base, desc, field: field + 1 });
                    match self.object()? {
                        Step::Done(id) => self.scratch.pending.push(id.0),
                        other => return Ok(other),
                    }
                }
            }
        }
        if !info.has_annotation() {
            return self.next_level(node, base, chain_base);
        }
        if info.fields_len > 0 {
            self.scratch.suspects.push(info.name);
        }
        let count_at = self.scratch.pending.len() as u32;
        self.scratch.pending.push(0);
        self.replace(Frame::Notes { node, base, chain_base, count_at });
        Ok(Step::Go)
    }

    fn begin_array(&mut self, start: u32, id: NodeId) -> Result<Step> {
        let desc = self.usable(id)?;
        let name = self.graph.desc(desc).name.of(self.source);
        let element = match name {
            [b'[', element, ..] => *element,
            _ => return self.fail(Kind::NotAnArrayClass),
        };
        let placeholder = Node::Array { desc: id, items: List::EMPTY };
        let node = self.graph.push(placeholder, start as usize);
        self.assign(node)?;
        let count_at = self.at;
        let count = self.length(4)?;
        match code::primitive_width(element) {
            Some(width) => {
                let data = self.at;
                self.take(count.checked_mul(width).unwrap_or(usize::MAX))?;
                self.graph.nodes[node.index()] = Node::Primitives { desc: id, count: count as u32, start: data as u32 };
                self.done(node)
            }
            None if element == b'L' || element == b'[' => {
                // Each element takes at least one byte.
                self.remaining(count)?;
                if self.elements + count > self.limits.elements_max {
                    return Err(ReadError::new(Kind::Limit(Limit::Elements), count_at));
                }
                self.elements += count;
                let base = self.scratch.pending.len() as u32;
                self.replace(Frame::Elements { node, base, left: count as u32 });
                Ok(Step::Go)
            }
            None => self.fail(Kind::NotAnArrayClass),
        }
    }

    /// Reads an element of an annotation: a value or a block.
    fn content(&mut self) -> Result<Step> {
        self.count_element()?;
        match self.peek()? {
            code::BLOCK | code::BLOCK_LONG => {
                let block = self.block()?;
                self.scratch.pending.push(block.0);
                Ok(Step::Go)
            }
            _ => self.object(),
        }
    }

    /// Reads the beginning of a value, the whole of a simple one.
    fn object(&mut self) -> Result<Step> {
        let start = self.at;
        let code = self.u8()?;
        let frame = match code {
            code::NULL => return Ok(Step::Done(NodeId::NULL)),
            code::REFERENCE => return Ok(Step::Done(self.reference()?)),
            code::STRING | code::STRING_LONG => return Ok(Step::Done(self.string(code)?)),
            code::CLASS_DESC | code::PROXY_DESC => return self.begin_desc(code),
            code::EXCEPTION => return Ok(Step::Abort),
            code::OBJECT => Frame::ForObject(start as u32),
            code::ARRAY => Frame::ForArray(start as u32),
            code::ENUM => Frame::ForEnum(start as u32),
            code::CLASS => Frame::ForClass(start as u32),
            _ => return Err(unexpected(code, "a value", start)),
        };
        self.open(frame)?;
        Ok(Step::Go)
    }

    /// Reads what names a class: a descriptor, a reference to one, or null.
    fn descriptor(&mut self) -> Result<Step> {
        let start = self.at;
        match self.u8()? {
            code::NULL => Ok(Step::Done(NodeId::NULL)),
            code::REFERENCE => {
                let id = self.reference()?;
                match self.graph.node(id) {
                    Node::Desc(_) => Ok(Step::Done(id)),
                    _ => Err(ReadError::new(Kind::NotADescriptor, start)),
                }
            }
            code @ (code::CLASS_DESC | code::PROXY_DESC) => self.begin_desc(code),
            code => Err(unexpected(code, "a class descriptor", start)),
        }
    }

    /// Reads a descriptor up to its annotation.
    fn begin_desc(&mut self, code: u8) -> Result<Step> {
        let start = self.at - 1;
        let index = self.graph.descs.len() as u32;
        let is_proxy = code == code::PROXY_DESC;
        let (name, suid) = if is_proxy {
            (Span { start: self.at as u32, len: 0 }, 0)
        } else {
            (self.short_span()?, i64::from_be_bytes(self.array()?))
        };
        let node = self.graph.push(Node::Desc(index), start);
        self.assign(node)?;
        let (flags, count) =
            if is_proxy { (0, self.length(4)?) } else { (self.u8()?, usize::from(u16::from_be_bytes(self.array()?))) };
        // The shortest entry is an interface with an empty name: two bytes.
        self.remaining(count.saturating_mul(2))?;
        let fields_start = self.graph.fields.len() as u32;
        for _ in 0..count {
            let field = if is_proxy {
                Field { type_code: 0, name: self.short_span()?, signature: NodeId::NULL }
            } else {
                self.field()?
            };
            self.graph.fields.push(field);
        }
        let bare = self.bare.contains(&name.of(self.source));
        self.graph.descs.push(Desc {
            node,
            name,
            suid,
            flags,
            is_proxy,
            bare,
            finished: false,
            fields_start,
            fields_len: count as u32,
            annotation: List::EMPTY,
            superclass: NodeId::NULL,
            chain_len: 1,
        });
        let base = self.scratch.pending.len() as u32;
        self.open(Frame::DescNotes { desc: index, base })?;
        Ok(Step::Go)
    }

    fn field(&mut self) -> Result<Field> {
        let start = self.at;
        let type_code = self.u8()?;
        let primitive = code::primitive_width(type_code).is_some();
        if !primitive && type_code != b'L' && type_code != b'[' {
            return Err(ReadError::new(Kind::UnknownFieldType(type_code), start));
        }
        let name = self.short_span()?;
        let signature = if primitive { NodeId::NULL } else { self.signature()? };
        Ok(Field { type_code, name, signature })
    }

    fn signature(&mut self) -> Result<NodeId> {
        let start = self.at;
        match self.u8()? {
            code @ (code::STRING | code::STRING_LONG) => self.string(code),
            code::REFERENCE => {
                let id = self.reference()?;
                match self.graph.node(id) {
                    Node::Text { .. } => Ok(id),
                    _ => Err(ReadError::new(Kind::NotAString, start)),
                }
            }
            code => Err(unexpected(code, "a signature string", start)),
        }
    }

    /// Reads a string whose code has been read.
    fn string(&mut self, code: u8) -> Result<NodeId> {
        let start = self.at - 1;
        let long = code == code::STRING_LONG;
        let len = if long { self.length(8)? } else { usize::from(u16::from_be_bytes(self.array()?)) };
        if len > self.limits.string_bytes_max {
            return Err(ReadError::new(Kind::Limit(Limit::StringBytes), start));
        }
        let text = self.span(len)?;
        let node = self.graph.push(Node::Text { long, text }, start);
        self.assign(node)?;
        Ok(node)
    }

    fn block(&mut self) -> Result<NodeId> {
        let start = self.at;
        let long = self.u8()? == code::BLOCK_LONG;
        let len = if long { self.length(4)? } else { usize::from(self.u8()?) };
        let data = self.span(len)?;
        Ok(self.graph.push(Node::Block { long, data }, start))
    }

    fn reference(&mut self) -> Result<NodeId> {
        let start = self.at - 1;
        let handle = u32::from_be_bytes(self.array()?);
        handle
            .checked_sub(code::BASE_HANDLE)
            .and_then(|number| self.scratch.handles.get(number as usize))
            .copied()
            .ok_or(ReadError::new(Kind::UnknownHandle(handle), start))
    }

    /// The descriptor that `id` is, if a value can be of its class.
    fn usable(&self, id: NodeId) -> Result<u32> {
        let index = self.graph.desc_index(id).ok_or(ReadError::new(Kind::NotADescriptor, self.at.saturating_sub(1)))?;
        if self.graph.desc(index).finished { Ok(index) } else { self.fail(Kind::UnfinishedDescriptor) }
    }

    fn assign(&mut self, node: NodeId) -> Result<()> {
        if self.scratch.handles.len() >= self.limits.handles_max {
            return self.fail(Kind::Limit(Limit::Handles));
        }
        self.scratch.handles.push(node);
        Ok(())
    }

    fn open(&mut self, frame: Frame) -> Result<()> {
        if self.scratch.frames.len() >= self.limits.depth_max {
            return self.fail(Kind::Limit(Limit::Depth));
        }
        self.scratch.frames.push(frame);
        Ok(())
    }

    fn replace(&mut self, frame: Frame) {
        if let Some(top) = self.scratch.frames.last_mut() {
            *top = frame;
        }
    }

    fn done(&mut self, node: NodeId) -> Result<Step> {
        self.scratch.frames.pop();
        Ok(Step::Done(node))
    }

    /// Moves the words of a finished value to their final place.
    fn flush(&mut self, base: u32) -> List {
        let start = self.graph.words.len() as u32;
        self.graph.words.extend(self.scratch.pending.drain(base as usize..));
        List { start, len: self.graph.words.len() as u32 - start }
    }

    fn count_element(&mut self) -> Result<()> {
        if self.elements >= self.limits.elements_max {
            return self.fail(Kind::Limit(Limit::Elements));
        }
        self.elements += 1;
        Ok(())
    }

    fn at_end_mark(&mut self) -> Result<bool> {
        let end = self.peek()? == code::END_BLOCK;
        self.at += usize::from(end);
        Ok(end)
    }

    fn peek(&self) -> Result<u8> {
        self.remaining(1)?;
        Ok(self.source[self.at])
    }

    fn u8(&mut self) -> Result<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("take gives N bytes"))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        self.remaining(len)?;
        let bytes = &self.source[self.at..self.at + len];
        self.at += len;
        Ok(bytes)
    }

    fn span(&mut self, len: usize) -> Result<Span> {
        let start = self.at;
        self.take(len)?;
        Ok(Span { start: start as u32, len: len as u32 })
    }

    fn short_span(&mut self) -> Result<Span> {
        let len = u16::from_be_bytes(self.array()?);
        self.span(usize::from(len))
    }

    /// Reads a signed length of `width` bytes (4 or 8).
    fn length(&mut self, width: usize) -> Result<usize> {
        let start = self.at;
        let value =
            if width == 8 { i64::from_be_bytes(self.array()?) } else { i64::from(i32::from_be_bytes(self.array()?)) };
        if value < 0 {
            return Err(ReadError::new(Kind::NegativeLength(value), start));
        }
        Ok(usize::try_from(value).unwrap_or(usize::MAX))
    }

    fn remaining(&self, needed: usize) -> Result<()> {
        if self.source.len() - self.at < needed { self.fail(Kind::Truncated { needed }) } else { Ok(()) }
    }

    fn fail<T>(&self, kind: Kind) -> Result<T> {
        Err(ReadError::new(kind, self.at))
    }
}

fn unexpected(code: u8, expected: &'static str, at: usize) -> ReadError {
    ReadError::new(Kind::UnexpectedCode { code, expected }, at)
}
