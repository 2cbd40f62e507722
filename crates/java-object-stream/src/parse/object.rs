//! Objects, arrays and the elements of annotations.

use super::input::unexpected;
use super::{Frame, Parser, Result, Step};
use crate::code;
use crate::error::{ReadError, ReadErrorKind as Kind};
use crate::graph::{Graph, List, Node, NodeId};
use crate::limits::Limit;

impl Parser<'_> {
    pub(super) fn begin_object(&mut self, start: u32, id: NodeId) -> Result<Step> {
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
            return Ok(self.begin_notes(node, base, chain_base));
        }
        self.graph.push_chain(id, &mut self.scratch.chain);
        self.next_level(node, base, chain_base)
    }

    /// Goes on with the next class of an object, or completes the object.
    pub(super) fn next_level(&mut self, node: NodeId, base: u32, chain_base: u32) -> Result<Step> {
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
    pub(super) fn fields(&mut self, node: NodeId, base: u32, chain_base: u32, desc: u32, first: u32) -> Result<Step> {
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
        Ok(self.begin_notes(node, base, chain_base))
    }

    /// Makes room for the end and the number of the contents that follow.
    fn begin_notes(&mut self, node: NodeId, base: u32, chain_base: u32) -> Step {
        let head = self.scratch.pending.len() as u32;
        self.scratch.pending.extend([0, 0]);
        self.replace(Frame::Notes { node, base, chain_base, head });
        Step::Go
    }

    pub(super) fn begin_array(&mut self, start: u32, id: NodeId) -> Result<Step> {
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
                self.take(count.saturating_mul(width))?;
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
    pub(super) fn content(&mut self) -> Result<Step> {
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
    pub(super) fn object(&mut self) -> Result<Step> {
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

    /// The descriptor that `id` is, if a value can be of its class.
    pub(super) fn usable(&self, id: NodeId) -> Result<u32> {
        let index = self.graph.desc_index(id).ok_or(ReadError::new(Kind::NotADescriptor, self.at.saturating_sub(1)))?;
        if self.graph.desc(index).finished { Ok(index) } else { self.fail(Kind::UnfinishedDescriptor) }
    }
}
