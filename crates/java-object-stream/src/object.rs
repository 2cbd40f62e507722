//! Views of objects, class by class of their chain.

use crate::class::Class;
use crate::cursor::Cursor;
use crate::document::Document;
use crate::field::{Field, FieldValue};
use crate::graph::{Graph, Level, NodeId};

/// An object: for each class of its chain the field values, then what `writeObject` or `writeExternal` wrote.
#[derive(Debug, Clone, Copy)]
pub struct Object<'d> {
    class: Class<'d>,
    words: u32,
}

impl<'d> Object<'d> {
    pub(crate) fn new(class: Class<'d>, words: u32) -> Self {
        Object { class, words }
    }

    /// The object's own class.
    pub fn class(self) -> Class<'d> {
        self.class
    }

    /// The data class by class, in stream order: the topmost superclass first. An Externalizable object has one
    /// level without fields whose contents are the external data.
    pub fn levels(self) -> Vec<ObjectLevel<'d>> {
        let document = self.class.document();
        let (mut chain, mut levels) = (Vec::new(), Vec::new());
        document.graph.push_levels(self.class.node(), self.words, &mut chain, &mut levels);
        levels.into_iter().map(|level| ObjectLevel { document, level }).collect()
    }

    /// The field `name` of the lowest class that has one of this name.
    pub fn field(self, name: &str) -> Option<FieldValue> {
        self.levels().into_iter().rev().find_map(|level| level.field(name))
    }

    /// The field `name` if it is a reference.
    pub fn field_node(self, name: &str) -> Option<NodeId> {
        self.field(name)?.as_node()
    }

    /// Reads what the `writeObject` method of the class `class` wrote, or the external data of the object.
    pub fn contents_of(self, class: &str) -> Option<Cursor<'d>> {
        self.levels().into_iter().find(|level| level.class().is(class))?.cursor()
    }

    /// Reads the external data, or the annotation of the lowest class that has one.
    pub fn contents(self) -> Option<Cursor<'d>> {
        self.levels().into_iter().rev().find_map(|level| level.cursor())
    }
}

/// The part of an object that belongs to one class of its chain.
#[derive(Debug, Clone, Copy)]
pub struct ObjectLevel<'d> {
    document: &'d Document,
    level: Level,
}

impl<'d> ObjectLevel<'d> {
    /// The class.
    pub fn class(self) -> Class<'d> {
        Class::at(self.document, self.level.desc)
    }

    /// The fields with their values. Empty for external data and for a class that leaves its fields out.
    pub fn fields(self) -> impl ExactSizeIterator<Item = (Field<'d>, FieldValue)> {
        let values = self.level.values as usize;
        self.class().fields().take(self.level.value_count as usize).enumerate().map(move |(index, field)| {
            let word = self.document.graph.words[values + index];
            (field, FieldValue::read(&self.document.source, field.type_code as u8, word))
        })
    }

    /// The field of this name.
    pub fn field(self, name: &str) -> Option<FieldValue> {
        let name = name.as_bytes();
        let graph: &Graph = &self.document.graph;
        let fields = &graph.fields(graph.desc(self.level.desc))[..self.level.value_count as usize];
        let index = fields.iter().position(|field| field.name.of(&self.document.source) == name)?;
        let word = graph.words[self.level.values as usize + index];
        Some(FieldValue::read(&self.document.source, fields[index].type_code, word))
    }

    /// Annotation or external data; `None` if the class has none.
    pub fn contents(self) -> Option<impl ExactSizeIterator<Item = NodeId> + 'd> {
        self.level.contents.map(|list| self.document.graph.list(list))
    }

    /// The contents are external data, not an annotation.
    pub fn is_external(self) -> bool {
        self.class().desc().is_external() && self.level.value_count == 0 && self.level.contents.is_some()
    }

    /// Reads the contents.
    pub fn cursor(self) -> Option<Cursor<'d>> {
        let list = self.level.contents?;
        let graph = &self.document.graph;
        let words = &graph.words[list.start as usize..(list.start + list.len) as usize];
        Some(Cursor::new(self.document, words, graph.contents_end(list)))
    }
}
