//! The arena that a parsed stream lives in.
//!
//! Nodes are small and flat; everything with a length is a span of the source bytes or a range of `words`.
//! References are resolved: a value that the stream mentions twice is one node mentioned twice. Handles are
//! not stored, they follow from the order of the walk. The arena owns no bytes of the stream, so the same
//! code serves a [`Document`](crate::Document) and the writer's scratch space; and dropping it is flat,
//! whatever the depth of the stream.

/// A value inside a [`Document`](crate::Document).
///
/// Ids are small numbers that mean nothing outside their document: another one has a different value there, or panics
/// if it has fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The one node for null, the same in every graph.
    pub(crate) const NULL: NodeId = NodeId(0);

    /// True for null.
    pub fn is_null(self) -> bool {
        self == Self::NULL
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A piece of the source bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    pub(crate) fn of(self, source: &[u8]) -> &[u8] {
        &source[self.start as usize..(self.start + self.len) as usize]
    }
}

/// A range of `words`, holding node ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl List {
    pub(crate) const EMPTY: List = List { start: 0, len: 0 };
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Node {
    Null,
    Reset,
    Text {
        long: bool,
        text: Span,
    },
    Block {
        long: bool,
        data: Span,
    },
    /// `words` is where the data of the object begins, see [`Graph::push_levels`].
    Object {
        desc: NodeId,
        words: u32,
    },
    Array {
        desc: NodeId,
        items: List,
    },
    /// `count` elements, raw in the source from `start` on.
    Primitives {
        desc: NodeId,
        count: u32,
        start: u32,
    },
    Enum {
        desc: NodeId,
        constant: NodeId,
    },
    Class {
        desc: NodeId,
    },
    /// Index into `descs`.
    Desc(u32),
    Aborted {
        partial: Span,
        exception: NodeId,
    },
}

/// A class descriptor, ordinary or of a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Desc {
    pub(crate) node: NodeId,
    pub(crate) name: Span,
    pub(crate) suid: i64,
    pub(crate) flags: u8,
    pub(crate) is_proxy: bool,
    /// The class declares fields and its `writeObject` does not write them.
    pub(crate) bare: bool,
    pub(crate) finished: bool,
    /// Entries of `fields`: the fields, or the interface names of a proxy.
    pub(crate) fields_start: u32,
    pub(crate) fields_len: u32,
    pub(crate) annotation: List,
    pub(crate) superclass: NodeId,
    /// Number of descriptors in the chain, this one included.
    pub(crate) chain_len: u32,
}

impl Desc {
    pub(crate) fn is_external(&self) -> bool {
        self.flags & crate::code::EXTERNALIZABLE != 0
    }

    pub(crate) fn has_annotation(&self) -> bool {
        self.flags & crate::code::HAS_WRITE_OBJECT != 0
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// One of `BCDFIJSZL[`; 0 for an interface name of a proxy.
    pub(crate) type_code: u8,
    pub(crate) name: Span,
    /// The signature string of a reference field, else null.
    pub(crate) signature: NodeId,
}

/// The data of one class of an object: where it begins in `words`, and what it is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) desc: u32,
    /// First word of the field values: an offset into the source for a primitive, else a node id.
    pub(crate) values: u32,
    pub(crate) value_count: u32,
    /// Annotation or external contents; `None` if the class has none (an empty one is present and empty).
    pub(crate) contents: Option<List>,
}

#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// Offset of each node's first byte.
    pub(crate) starts: Vec<u32>,
    pub(crate) words: Vec<u32>,
    pub(crate) descs: Vec<Desc>,
    pub(crate) fields: Vec<Field>,
    /// Node ids of the top-level contents.
    pub(crate) contents: Vec<u32>,
}

impl Graph {
    /// Empties the graph, keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
        self.starts.clear();
        self.words.clear();
        self.descs.clear();
        self.fields.clear();
        self.contents.clear();
        self.nodes.push(Node::Null);
        self.starts.push(0);
    }

    pub(crate) fn push(&mut self, node: Node, start: usize) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        self.starts.push(start as u32);
        id
    }

    pub(crate) fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// The descriptor that `id` is, if it is one.
    pub(crate) fn desc_index(&self, id: NodeId) -> Option<u32> {
        match self.nodes[id.index()] {
            Node::Desc(index) => Some(index),
            _ => None,
        }
    }

    pub(crate) fn desc(&self, index: u32) -> &Desc {
        &self.descs[index as usize]
    }

    pub(crate) fn fields(&self, desc: &Desc) -> &[Field] {
        let start = desc.fields_start as usize;
        &self.fields[start..start + desc.fields_len as usize]
    }

    /// Bytes per element of a primitive array of this class, 0 for other classes.
    pub(crate) fn element_width(&self, desc: NodeId, source: &[u8]) -> u32 {
        let name = self.desc_index(desc).map_or(&[][..], |index| self.desc(index).name.of(source));
        let element = name.get(1).copied().unwrap_or_default();
        crate::code::primitive_width(element).unwrap_or_default() as u32
    }

    /// How many field values an object of this class carries for the class itself.
    pub(crate) fn value_count(desc: &Desc) -> u32 {
        if desc.is_proxy || desc.bare { 0 } else { desc.fields_len }
    }

    /// Offset of the `78` that ends the contents of a level.
    pub(crate) fn contents_end(&self, contents: List) -> usize {
        self.words[contents.start as usize - 2] as usize
    }

    pub(crate) fn list(&self, list: List) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        let start = list.start as usize;
        self.words[start..start + list.len as usize].iter().map(|&word| NodeId(word))
    }

    /// Appends the class chain of `desc` to `chain`, its own class first.
    pub(crate) fn push_chain(&self, desc: NodeId, chain: &mut Vec<u32>) {
        let mut next = desc;
        // Ends: a superclass is always finished before its subclass, so chains have no cycles.
        while let Some(index) = self.desc_index(next) {
            chain.push(index);
            next = self.desc(index).superclass;
        }
    }

    /// Appends the levels of an object's data to `levels`, in stream order.
    ///
    /// Layout in `words`: per class from the topmost down, one word per field value, then, if the class has an
    /// annotation, the offset of its end, the number of its contents and the contents. Externalizable: only the
    /// latter three.
    pub(crate) fn push_levels(&self, desc: NodeId, words: u32, chain: &mut Vec<u32>, levels: &mut Vec<Level>) {
        let base = chain.len();
        self.push_chain(desc, chain);
        // Only the object's own class decides: for an Externalizable one the superclasses have no data.
        let external = chain.get(base).is_some_and(|&own| self.desc(own).is_external());
        if external {
            chain.truncate(base + 1);
        }
        let mut at = words;
        while chain.len() > base {
            let index = chain.pop().expect("longer than its base");
            let desc = self.desc(index);
            let value_count = if external { 0 } else { Self::value_count(desc) };
            let values = at;
            at += value_count;
            let contents = (external || desc.has_annotation()).then(|| {
                let len = self.words[at as usize + 1];
                let list = List { start: at + 2, len };
                at += 2 + len;
                list
            });
            levels.push(Level { desc: index, values, value_count, contents });
        }
    }
}
