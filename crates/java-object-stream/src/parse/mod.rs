//! Bytes to graph: the grammar of the stream as a machine with its own stack.
//!
//! One frame per value that waits for a part of itself, so the depth of a stream costs heap up to a limit and
//! never call stack. Class names are data here: nothing is looked up or trusted. Every length is compared with
//! the bytes that remain before anything is kept.

mod descriptor;
mod input;
mod object;
#[cfg(test)]
mod tests;

use crate::code;
use crate::error::{ReadError, ReadErrorKind as Kind};
use crate::graph::{Graph, List, Node, NodeId, Span};
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
    /// Collects annotation or external contents; `pending[head]` takes the offset of their end, the next word
    /// their number.
    Notes {
        node: NodeId,
        base: u32,
        chain_base: u32,
        head: u32,
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
    /// Handles given out in the whole stream, before resets too.
    handles: usize,
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
            Parser { source, at: code::HEADER.len(), limits, bare, elements: 0, handles: 0, graph, scratch };
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
        let exception = self.value()?;
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
            Frame::Notes { node, base, chain_base, head } => {
                let end = self.at;
                if !self.at_end_mark()? {
                    return self.content();
                }
                let head = head as usize;
                let count = self.scratch.pending.len() - head - 2;
                self.scratch.pending[head] = end as u32;
                self.scratch.pending[head + 1] = count as u32;
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
    fn assign(&mut self, node: NodeId) -> Result<()> {
        if self.handles >= self.limits.handles_max {
            return self.fail(Kind::Limit(Limit::Handles));
        }
        self.handles += 1;
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
}
