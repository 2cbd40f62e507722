//! Values of other streams: handles renumbered, class descriptors unified.

use super::Writer;
use crate::code;
use crate::descriptor::ClassDescriptor;
use crate::document::{Document, parse_with_retries, root};
use crate::error::{ReadError, ReadErrorKind};
use crate::graph::{Node, NodeId};
use crate::limits::{CLASS_DEPTH_MAX, Limits};
use crate::numbers::SparseNumbers;

/// Values handed to a writer are already in memory and nest on the heap only. What remains to bound is the work per
/// object, which its chain of classes makes.
const UNLIMITED: Limits = Limits {
    bytes_max: usize::MAX,
    depth_max: usize::MAX,
    handles_max: usize::MAX,
    elements_max: usize::MAX,
    string_bytes_max: usize::MAX,
    class_depth_max: CLASS_DEPTH_MAX,
};

impl Writer {
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
            self.begin_value();
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
            _ => {
                self.begin_value();
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
                self.begin_value();
                self.out.extend_from_slice(value);
                self.assign();
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
}

/// What follows the descriptor of the JDK class, if `bytes` begin with it.
fn after_class<'b>(bytes: &'b [u8], class: &str) -> Option<&'b [u8]> {
    let class = ClassDescriptor::jdk(class)?;
    bytes.strip_prefix(&class.stream[code::HEADER.len()..])
}
