//! A parsed stream: reading it, writing it again, and cutting values out of it.
//!
//! A document keeps the received bytes and an arena of small nodes beside them; it is never changed. What it
//! does not do: decide what a class means. That is for the readers on top of it.

use crate::code;
use crate::cursor::Cursor;
use crate::emit::{EmitScratch, Emitter, NoRegistry};
use crate::error::{ReadError, ReadErrorKind};
use crate::graph::{Graph, Node, NodeId, Span};
use crate::limits::Limits;
use crate::numbers::{DenseNumbers, Numbers, SparseNumbers};
use crate::parse::{Parser, Scratch};
use crate::value::Value;
use bytes::Bytes;

/// Second tries per stream for classes that do not write their declared fields.
const BARE_TRIES_MAX: usize = 8;

/// Up to this many nodes a slot for each costs less than a table of those met.
const DENSE_NODES_MAX: usize = 1024;

/// A stream as a graph of values.
///
/// ```
/// use java_object_stream::{Document, Limits, Value};
///
/// // An object "hello", then the int 7 in a block.
/// let bytes = &b"\xac\xed\x00\x05\x74\x00\x05hello\x77\x04\x00\x00\x00\x07"[..];
/// let document = Document::parse(bytes, &Limits::default())?;
/// let mut contents = document.cursor();
/// let Value::String(text) = document.value(contents.read_object()?) else { panic!() };
/// assert_eq!(text.to_str().as_deref(), Some("hello"));
/// assert_eq!(contents.read_i32()?, 7);
/// assert_eq!(document.write(), bytes);
/// # Ok::<(), java_object_stream::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Document {
    pub(crate) source: Bytes,
    pub(crate) graph: Graph,
}

impl Document {
    /// Parses a whole stream. The document keeps `bytes` (without copying, if they are [`Bytes`] or static).
    ///
    /// A class with a `writeObject` method that does not write its declared fields cannot be told from one that
    /// does. If a stream makes no sense, each such class outside the JDK and Tomcat is tried as one without
    /// fields, and the first reading that consumes the whole stream is taken.
    ///
    /// # Errors
    /// What is wrong, and where; of the first reading if there were several.
    pub fn parse(bytes: impl Into<Bytes>, limits: &Limits) -> Result<Document, ReadError> {
        let source = bytes.into();
        let mut graph = Graph::default();
        parse_with_retries(&source, limits, &mut graph, &mut Scratch::default())?;
        Ok(Document { source, graph })
    }

    /// The bytes that were parsed.
    pub fn source(&self) -> &Bytes {
        &self.source
    }

    /// The top-level contents: values, blocks, resets and aborted values in the order of the stream.
    pub fn contents(&self) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.graph.contents.iter().map(|&id| NodeId(id))
    }

    /// Reads the top-level contents in order, primitive data and values.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self, &self.graph.contents, self.source.len())
    }

    /// The only content of the stream.
    ///
    /// # Errors
    /// `NotOneValue` if there is none, more than one, or it is not a value.
    pub fn root(&self) -> Result<NodeId, ReadError> {
        root(&self.graph)
    }

    /// What the node is.
    pub fn value(&self, node: NodeId) -> Value<'_> {
        Value::of(self, node)
    }

    /// Offset in the stream where the node begins; 0 for null, which has no place of its own.
    pub fn offset(&self, node: NodeId) -> usize {
        self.graph.starts[node.index()] as usize
    }

    /// Number of nodes, an upper bound for the handles.
    pub fn node_count(&self) -> usize {
        self.graph.nodes.len()
    }

    /// The stream written again from the graph: the same bytes as the source for every stream that parses.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.source.len());
        out.extend_from_slice(&code::HEADER);
        let mut numbers = DenseNumbers::default();
        numbers.reset(self.graph.nodes.len());
        self.emit_all(self.contents(), &mut out, &mut numbers);
        out
    }

    /// A value as a stream of its own, the bytes that Java writes for it alone: class descriptors in place,
    /// handles from 0, sharing inside the value kept.
    ///
    /// Never longer than the source; but values that share a large part each carry it.
    ///
    /// # Errors
    /// `Aborted` for a value that its writer gave up, `NotOneValue` for a block or reset, which are no values.
    pub fn cut(&self, node: NodeId) -> Result<Bytes, ReadError> {
        let refused = match self.graph.node(node) {
            Node::Aborted { .. } => ReadErrorKind::Aborted,
            Node::Block { .. } | Node::Reset => ReadErrorKind::NotOneValue,
            Node::Text { long, text } => return Ok(self.cut_text(long, text)),
            _ => {
                let mut out = Vec::with_capacity(128);
                out.extend_from_slice(&code::HEADER);
                if self.graph.nodes.len() <= DENSE_NODES_MAX || self.graph.contents == [node.0] {
                    let mut numbers = DenseNumbers::default();
                    numbers.reset(self.graph.nodes.len());
                    self.emit_all([node].into_iter(), &mut out, &mut numbers);
                } else {
                    self.emit_all([node].into_iter(), &mut out, &mut SparseNumbers::default());
                }
                return Ok(out.into());
            }
        };
        Err(ReadError::new(refused, self.offset(node)))
    }

    fn cut_text(&self, long: bool, text: Span) -> Bytes {
        let head = if long { 9 } else { 3 };
        let mut out = Vec::with_capacity(code::HEADER.len() + head + text.len as usize);
        out.extend_from_slice(&code::HEADER);
        // The code and length stand right before the text.
        let start = text.start as usize;
        out.extend_from_slice(&self.source[start - head..start + text.len as usize]);
        out.into()
    }

    fn emit_all<N: Numbers>(&self, nodes: impl Iterator<Item = NodeId>, out: &mut Vec<u8>, numbers: &mut N) {
        let mut next_handle = 0;
        let mut emitter = Emitter {
            graph: &self.graph,
            source: &self.source,
            out,
            next_handle: &mut next_handle,
            numbers,
            registry: &mut NoRegistry,
            scratch: &mut EmitScratch::default(),
        };
        for node in nodes {
            emitter.emit(node);
        }
    }
}

/// The only content of a graph, if it is a value.
pub(crate) fn root(graph: &Graph) -> Result<NodeId, ReadError> {
    let refused = |at: u32| Err(ReadError::new(ReadErrorKind::NotOneValue, at as usize));
    match graph.contents[..] {
        [] => refused(code::HEADER.len() as u32),
        [only] => match graph.node(NodeId(only)) {
            Node::Block { .. } | Node::Reset => refused(graph.starts[only as usize]),
            Node::Aborted { .. } => Err(ReadError::new(ReadErrorKind::Aborted, graph.starts[only as usize] as usize)),
            _ => Ok(NodeId(only)),
        },
        [_, second, ..] => refused(graph.starts[second as usize]),
    }
}

/// Parses; if that fails, tries the classes that may not have written their fields as such.
pub(crate) fn parse_with_retries(
    source: &[u8],
    limits: &Limits,
    graph: &mut Graph,
    scratch: &mut Scratch,
) -> Result<(), ReadError> {
    let Err(first) = Parser::parse(source, limits, &[], graph, scratch) else {
        return Ok(());
    };
    if matches!(first.kind, ReadErrorKind::Limit(_)) {
        return Err(first);
    }
    let mut tried: Vec<&[u8]> = Vec::new();
    for suspect in std::mem::take(&mut scratch.suspects).into_iter().rev() {
        let name = suspect.of(source);
        if tried.len() >= BARE_TRIES_MAX {
            break;
        }
        if writes_its_fields(name) || tried.contains(&name) {
            continue;
        }
        tried.push(name);
        if Parser::parse(source, limits, &[name], graph, scratch).is_ok() {
            return Ok(());
        }
    }
    if tried.len() > 1 && Parser::parse(source, limits, &tried, graph, scratch).is_ok() {
        return Ok(());
    }
    Err(first)
}

/// Classes whose `writeObject` is known to write the declared fields.
fn writes_its_fields(name: &[u8]) -> bool {
    [&b"java."[..], b"javax.", b"jdk.", b"sun.", b"org.apache.catalina."].iter().any(|own| name.starts_with(own))
}
