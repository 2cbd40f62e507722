//! Views of arrays.

use crate::class::Class;
use crate::code;
use crate::field::FieldValue;
use crate::graph::{Node, NodeId};

/// An array of primitives or of values.
#[derive(Debug, Clone, Copy)]
pub struct Array<'d> {
    class: Class<'d>,
    node: NodeId,
}

impl<'d> Array<'d> {
    pub(crate) fn new(class: Class<'d>, node: NodeId) -> Self {
        Array { class, node }
    }

    /// The array's class: `[B`, `[Ljava.lang.String;`, `[[I`, …
    pub fn class(self) -> Class<'d> {
        self.class
    }

    /// Number of elements.
    pub fn len(self) -> usize {
        match self.class.document().graph.node(self.node) {
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
        match self.class.document().graph.node(self.node) {
            Node::Primitives { count, start, .. } if self.class.name().as_bytes() == b"[B" => {
                Some(&self.class.document().source[start as usize..(start + count) as usize])
            }
            _ => None,
        }
    }

    /// Bytes per element of an array of primitives.
    pub(crate) fn element_width(self) -> Option<usize> {
        code::primitive_width(*self.class.name().as_bytes().get(1)?)
    }

    /// The element at `index`.
    pub fn get(self, index: usize) -> Option<FieldValue> {
        if index >= self.len() {
            return None;
        }
        let document = self.class.document();
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
