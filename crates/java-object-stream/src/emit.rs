//! Graph to bytes: the same walk as the parser's, giving handles in the order of the walk.
//!
//! A node met for the first time is written out, later as a reference to the handle it got *here*; the handles
//! of the source play no part. So the whole graph gives the source's bytes again, a part of it gives the stream
//! that Java writes for that part, and a [`Registry`] lets parts of several streams share class descriptors.
//! Own stack, like the parser: depth costs heap only.

use crate::code;
use crate::graph::{Desc, Graph, Level, List, Node, NodeId, Span};
use crate::numbers::Numbers;

/// Descriptors and signature strings that the output already has from elsewhere.
pub(crate) trait Registry {
    /// Gives numbers to a descriptor, its superclasses and its signatures if equal ones are in the output.
    fn find<N: Numbers>(&mut self, graph: &Graph, source: &[u8], desc: &Desc, numbers: &mut N) -> bool;
    /// A descriptor has been written completely.
    fn add<N: Numbers>(&mut self, graph: &Graph, source: &[u8], desc: &Desc, numbers: &N);
    /// The handle of an equal signature string.
    fn signature(&mut self, text: &[u8]) -> Option<u32>;
    fn add_signature(&mut self, text: &[u8], handle: u32);
}

/// For outputs that come from one graph only: sharing is what it was there.
pub(crate) struct NoRegistry;

impl Registry for NoRegistry {
    fn find<N: Numbers>(&mut self, _: &Graph, _: &[u8], _: &Desc, _: &mut N) -> bool {
        false
    }

    fn add<N: Numbers>(&mut self, _: &Graph, _: &[u8], _: &Desc, _: &N) {}

    fn signature(&mut self, _: &[u8]) -> Option<u32> {
        None
    }

    fn add_signature(&mut self, _: &[u8], _: u32) {}
}

#[derive(Debug, Clone, Copy)]
enum Task {
    Node(NodeId),
    Desc(NodeId),
    /// Annotation and superclass of a descriptor.
    DescTail(u32),
    /// The descriptor is complete, superclasses included.
    DescDone(u32),
    ObjectData(NodeId),
    ArrayData(NodeId),
    EnumConstant(NodeId),
    Number(NodeId),
    /// Field values of a class of an object from `field` on, then its contents.
    Values {
        level: Level,
        field: u32,
    },
    List(List),
    EndBlock,
    /// The handles begin again at 0.
    Restart,
}

/// Stacks worth keeping between parts.
#[derive(Debug, Default)]
pub(crate) struct EmitScratch {
    tasks: Vec<Task>,
    chain: Vec<u32>,
    levels: Vec<Level>,
}

pub(crate) struct Emitter<'a, N, R> {
    pub(crate) graph: &'a Graph,
    pub(crate) source: &'a [u8],
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) next_handle: &'a mut u32,
    pub(crate) numbers: &'a mut N,
    pub(crate) registry: &'a mut R,
    pub(crate) scratch: &'a mut EmitScratch,
}

impl<N: Numbers, R: Registry> Emitter<'_, N, R> {
    /// Writes `node` and what it needs.
    pub(crate) fn emit(&mut self, node: NodeId) {
        self.scratch.tasks.clear();
        self.run(Task::Node(node));
    }

    /// Writes the class descriptor `node`, or a reference to it.
    pub(crate) fn emit_desc(&mut self, node: NodeId) {
        self.scratch.tasks.clear();
        self.run(Task::Desc(node));
    }

    fn run(&mut self, first: Task) {
        let mut next = Some(first);
        while let Some(task) = next {
            self.perform(task);
            next = self.scratch.tasks.pop();
        }
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Node(id) => self.node(id),
            Task::Desc(id) => self.desc(id),
            Task::DescTail(index) => self.desc_tail(index),
            Task::DescDone(index) => {
                let desc = self.graph.desc(index);
                self.registry.add(self.graph, self.source, desc, self.numbers);
            }
            Task::ObjectData(id) => self.object_data(id),
            Task::ArrayData(id) => self.array_data(id),
            Task::EnumConstant(id) => {
                self.number(id);
                if let Node::Enum { constant, .. } = self.graph.node(id) {
                    self.node(constant);
                }
            }
            Task::Number(id) => self.number(id),
            Task::Values { level, field } => self.values(level, field),
            Task::List(list) => self.list(list),
            Task::EndBlock => self.out.push(code::END_BLOCK),
            Task::Restart => *self.next_handle = 0,
        }
    }

    fn later(&mut self, task: Task) {
        self.scratch.tasks.push(task);
    }

    fn number(&mut self, id: NodeId) {
        self.numbers.set(id, *self.next_handle);
        *self.next_handle += 1;
    }

    fn reference(&mut self, handle: u32) {
        self.out.push(code::REFERENCE);
        self.out.extend_from_slice(&(code::BASE_HANDLE + handle).to_be_bytes());
    }

    fn raw(&mut self, span: Span) {
        self.out.extend_from_slice(span.of(self.source));
    }

    /// A length of two bytes and the bytes; spans of names come from such a length.
    fn name(&mut self, span: Span) {
        self.out.extend_from_slice(&(span.len as u16).to_be_bytes());
        self.raw(span);
    }

    fn node(&mut self, id: NodeId) {
        if let Some(handle) = self.numbers.get(id) {
            return self.reference(handle);
        }
        match self.graph.node(id) {
            Node::Null => self.out.push(code::NULL),
            Node::Reset => {
                self.out.push(code::RESET);
                self.perform(Task::Restart);
            }
            Node::Text { long, text } => {
                self.text(long, text);
                self.number(id);
            }
            Node::Block { long, data } => {
                if long {
                    self.out.push(code::BLOCK_LONG);
                    self.out.extend_from_slice(&data.len.to_be_bytes());
                } else {
                    self.out.extend_from_slice(&[code::BLOCK, data.len as u8]);
                }
                self.raw(data);
            }
            Node::Object { desc, .. } => {
                self.out.push(code::OBJECT);
                self.later(Task::ObjectData(id));
                self.desc(desc);
            }
            Node::Array { desc, .. } | Node::Primitives { desc, .. } => {
                self.out.push(code::ARRAY);
                self.later(Task::ArrayData(id));
                self.desc(desc);
            }
            Node::Enum { desc, .. } => {
                self.out.push(code::ENUM);
                self.later(Task::EnumConstant(id));
                self.desc(desc);
            }
            Node::Class { desc } => {
                self.out.push(code::CLASS);
                self.later(Task::Number(id));
                self.desc(desc);
            }
            Node::Desc(_) => self.desc(id),
            Node::Aborted { partial, exception } => {
                self.raw(partial);
                self.out.push(code::EXCEPTION);
                self.perform(Task::Restart);
                self.later(Task::Restart);
                self.later(Task::Node(exception));
            }
        }
    }

    fn text(&mut self, long: bool, text: Span) {
        if long {
            self.out.push(code::STRING_LONG);
            self.out.extend_from_slice(&u64::from(text.len).to_be_bytes());
        } else {
            self.out.push(code::STRING);
            self.out.extend_from_slice(&(text.len as u16).to_be_bytes());
        }
        self.raw(text);
    }

    fn desc(&mut self, id: NodeId) {
        let Some(index) = self.graph.desc_index(id) else {
            return self.out.push(code::NULL);
        };
        if let Some(handle) = self.numbers.get(id) {
            return self.reference(handle);
        }
        let graph = self.graph;
        let desc = graph.desc(index);
        if self.registry.find(graph, self.source, desc, self.numbers)
            && let Some(handle) = self.numbers.get(id)
        {
            return self.reference(handle);
        }
        if desc.is_proxy {
            self.out.push(code::PROXY_DESC);
            self.number(id);
            self.out.extend_from_slice(&desc.fields_len.to_be_bytes());
            for interface in graph.fields(desc) {
                self.name(interface.name);
            }
        } else {
            self.out.push(code::CLASS_DESC);
            self.name(desc.name);
            self.out.extend_from_slice(&desc.suid.to_be_bytes());
            self.number(id);
            self.out.push(desc.flags);
            self.out.extend_from_slice(&(desc.fields_len as u16).to_be_bytes());
            for field in graph.fields(desc) {
                self.out.push(field.type_code);
                self.name(field.name);
                if !field.signature.is_null() {
                    self.signature(field.signature);
                }
            }
        }
        if desc.annotation.len == 0 {
            self.out.push(code::END_BLOCK);
            self.later(Task::DescDone(index));
            self.later(Task::Desc(desc.superclass));
        } else {
            self.later(Task::DescTail(index));
            self.later(Task::List(desc.annotation));
        }
    }

    fn desc_tail(&mut self, index: u32) {
        self.out.push(code::END_BLOCK);
        self.later(Task::DescDone(index));
        self.later(Task::Desc(self.graph.desc(index).superclass));
    }

    /// Signatures are equal by text: Java keeps one string object per signature and stream.
    fn signature(&mut self, id: NodeId) {
        let Node::Text { text, .. } = self.graph.node(id) else {
            return self.node(id);
        };
        if self.numbers.get(id).is_none() {
            let text = text.of(self.source);
            if let Some(handle) = self.registry.signature(text) {
                self.numbers.set(id, handle);
            } else {
                self.registry.add_signature(text, *self.next_handle);
            }
        }
        self.node(id);
    }

    fn object_data(&mut self, id: NodeId) {
        self.number(id);
        let Node::Object { desc, words } = self.graph.node(id) else {
            return;
        };
        let scratch = &mut *self.scratch;
        scratch.levels.clear();
        self.graph.push_levels(desc, words, &mut scratch.chain, &mut scratch.levels);
        // Tasks run last in, first out; the topmost class comes first.
        let values = scratch.levels.drain(..).rev().map(|level| Task::Values { level, field: 0 });
        scratch.tasks.extend(values);
    }

    fn values(&mut self, level: Level, first: u32) {
        let graph = self.graph;
        let fields = graph.fields(graph.desc(level.desc));
        for index in first..level.value_count {
            let word = graph.words[(level.values + index) as usize];
            match code::primitive_width(fields[index as usize].type_code) {
                Some(width) => self.raw(Span { start: word, len: width as u32 }),
                None => {
                    let pending = self.scratch.tasks.len();
                    self.node(NodeId(word));
                    if self.scratch.tasks.len() > pending {
                        // The value has parts to come; the other fields wait below them.
                        let rest = Task::Values { level, field: index + 1 };
                        self.scratch.tasks.insert(pending, rest);
                        return;
                    }
                }
            }
        }
        if let Some(contents) = level.contents {
            self.later(Task::EndBlock);
            self.list(contents);
        }
    }

    fn array_data(&mut self, id: NodeId) {
        self.number(id);
        match self.graph.node(id) {
            Node::Array { items, .. } => {
                self.out.extend_from_slice(&items.len.to_be_bytes());
                self.list(items);
            }
            Node::Primitives { desc, count, start } => {
                self.out.extend_from_slice(&count.to_be_bytes());
                let len = count * self.graph.element_width(desc, self.source);
                self.raw(Span { start, len });
            }
            _ => {}
        }
    }

    fn list(&mut self, list: List) {
        let graph = self.graph;
        for (index, item) in graph.list(list).enumerate() {
            let pending = self.scratch.tasks.len();
            self.node(item);
            if self.scratch.tasks.len() > pending {
                let done = index as u32 + 1;
                let rest = List { start: list.start + done, len: list.len - done };
                self.scratch.tasks.insert(pending, Task::List(rest));
                return;
            }
        }
    }
}
