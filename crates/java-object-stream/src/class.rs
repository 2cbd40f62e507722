//! Views of class descriptors.

use crate::document::Document;
use crate::field::Field;
use crate::graph::{Desc, NodeId, Span};
use crate::value::Text;

/// A class descriptor.
#[derive(Clone, Copy)]
pub struct Class<'d> {
    document: &'d Document,
    index: u32,
}

impl std::fmt::Debug for Class<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Class").field(&self.name().to_str_lossy()).finish()
    }
}

impl<'d> Class<'d> {
    /// `node` must be a descriptor: the parser admits nothing else where a class belongs.
    pub(crate) fn of(document: &'d Document, node: NodeId) -> Self {
        let index = document.graph.desc_index(node).expect("the parser checks that classes are descriptors");
        Class { document, index }
    }

    pub(crate) fn at(document: &'d Document, index: u32) -> Self {
        Class { document, index }
    }

    pub(crate) fn document(self) -> &'d Document {
        self.document
    }

    pub(crate) fn desc(self) -> &'d Desc {
        self.document.graph.desc(self.index)
    }

    fn text(self, span: Span) -> Text<'d> {
        Text::new(span.of(&self.document.source), false)
    }

    /// The node of the descriptor.
    pub fn node(self) -> NodeId {
        self.desc().node
    }

    /// Binary name with dots (`java.util.Map$Entry`, `[I`); empty for a proxy.
    pub fn name(self) -> Text<'d> {
        self.text(self.desc().name)
    }

    /// True if the name is `name`.
    pub fn is(self, name: &str) -> bool {
        self.name().as_bytes() == name.as_bytes()
    }

    /// serialVersionUID; 0 for a proxy.
    pub fn suid(self) -> i64 {
        self.desc().suid
    }

    /// Flag bits: 1 writeObject, 2 Serializable, 4 Externalizable, 8 block data, 16 enum.
    pub fn flags(self) -> u8 {
        self.desc().flags
    }

    /// Class of a dynamic proxy.
    pub fn is_proxy(self) -> bool {
        self.desc().is_proxy
    }

    /// The class is read as one whose `writeObject` leaves its fields out, see [`Document::parse`].
    pub fn leaves_out_fields(self) -> bool {
        self.desc().bare
    }

    /// Names of the interfaces of a proxy.
    pub fn interfaces(self) -> impl Iterator<Item = Text<'d>> {
        let fields = if self.is_proxy() { self.document.graph.fields(self.desc()) } else { &[] };
        fields.iter().map(move |field| self.text(field.name))
    }

    /// The fields in the order of the descriptor.
    pub fn fields(self) -> impl ExactSizeIterator<Item = Field<'d>> {
        let fields = if self.is_proxy() { &[] } else { self.document.graph.fields(self.desc()) };
        fields.iter().map(move |field| Field {
            type_code: char::from(field.type_code),
            name: self.text(field.name),
            signature: (!field.signature.is_null()).then_some(field.signature),
        })
    }

    /// What the writer's class annotation holds; nearly always nothing.
    pub fn annotation(self) -> impl ExactSizeIterator<Item = NodeId> + 'd {
        self.document.graph.list(self.desc().annotation)
    }

    /// The superclass, if it is Serializable.
    pub fn superclass(self) -> Option<Class<'d>> {
        let node = self.desc().superclass;
        self.document.graph.desc_index(node).map(|index| Class { document: self.document, index })
    }
}
