//! The class descriptors that an output already has.
//!
//! Two descriptors are the same if name, id, flags, fields and the whole super chain are; then the second
//! becomes a reference. Descriptors with an annotation and proxies are never unified. Strings and objects are
//! not either: their identity could matter to an application.

use crate::emit::Registry;
use crate::graph::{Desc, Field, Graph, Node, NodeId};
use crate::numbers::Numbers;
use std::collections::HashMap;

/// Descriptors of one name that are remembered. A stream may hold any number of them, and all are compared with
/// each that comes; those beyond are written out each time, which Java reads as well.
const SAME_NAME_MAX: usize = 16;

#[derive(Debug)]
struct KnownField {
    type_code: u8,
    name: Box<[u8]>,
    /// Text and handle of the signature of a reference field.
    signature: Option<(Box<[u8]>, u32)>,
}

#[derive(Debug)]
struct KnownClass {
    handle: u32,
    superclass: Option<u32>,
    suid: i64,
    flags: u8,
    fields: Box<[KnownField]>,
}

#[derive(Debug, Default)]
pub(crate) struct KnownClasses {
    by_name: HashMap<Box<[u8]>, Vec<KnownClass>>,
    signatures: HashMap<Box<[u8]>, u32>,
    chain: Vec<u32>,
}

fn signature_text<'s>(graph: &Graph, source: &'s [u8], field: &Field) -> Option<&'s [u8]> {
    match graph.node(field.signature) {
        Node::Text { text, .. } => Some(text.of(source)),
        _ => None,
    }
}

impl KnownClass {
    fn is(&self, graph: &Graph, source: &[u8], desc: &Desc, superclass: Option<u32>) -> bool {
        let fields = graph.fields(desc);
        self.suid == desc.suid
            && self.flags == desc.flags
            && self.superclass == superclass
            && self.fields.len() == fields.len()
            && self.fields.iter().zip(fields).all(|(known, field)| {
                known.type_code == field.type_code
                    && *known.name == *field.name.of(source)
                    && known.signature.as_ref().map(|(text, _)| &**text) == signature_text(graph, source, field)
            })
    }
}

impl Registry for KnownClasses {
    fn find<N: Numbers>(&mut self, graph: &Graph, source: &[u8], desc: &Desc, numbers: &mut N) -> bool {
        let mut chain = std::mem::take(&mut self.chain);
        chain.clear();
        graph.push_chain(desc.node, &mut chain);
        let mut superclass = None;
        let mut found = true;
        // From the topmost class down: a class can only be known if its superclass is.
        for &index in chain.iter().rev() {
            let desc = graph.desc(index);
            if let Some(handle) = numbers.get(desc.node) {
                superclass = Some(handle);
                continue;
            }
            let unifies = !desc.is_proxy && desc.annotation.len == 0;
            let known = self
                .by_name
                .get(desc.name.of(source))
                .filter(|_| unifies)
                .and_then(|known| known.iter().find(|k| k.is(graph, source, desc, superclass)));
            let Some(known) = known else {
                found = false;
                break;
            };
            numbers.set(desc.node, known.handle);
            for (field, known) in graph.fields(desc).iter().zip(&known.fields) {
                if let Some((_, handle)) = known.signature
                    && numbers.get(field.signature).is_none()
                {
                    numbers.set(field.signature, handle);
                }
            }
            superclass = Some(known.handle);
        }
        self.chain = chain;
        found
    }

    fn add<N: Numbers>(&mut self, graph: &Graph, source: &[u8], desc: &Desc, numbers: &N) {
        let Some(handle) = numbers.get(desc.node) else {
            return;
        };
        if desc.is_proxy || desc.annotation.len > 0 {
            return;
        }
        let superclass = match desc.superclass {
            NodeId::NULL => None,
            superclass => numbers.get(superclass),
        };
        let fields = graph.fields(desc).iter().map(|field| KnownField {
            type_code: field.type_code,
            name: field.name.of(source).into(),
            signature: signature_text(graph, source, field)
                .and_then(|text| Some((text.into(), numbers.get(field.signature)?))),
        });
        let known = KnownClass { handle, superclass, suid: desc.suid, flags: desc.flags, fields: fields.collect() };
        let name = desc.name.of(source);
        match self.by_name.get_mut(name) {
            Some(same_name) if same_name.len() < SAME_NAME_MAX => same_name.push(known),
            Some(_) => {}
            None => {
                self.by_name.insert(name.into(), vec![known]);
            }
        }
    }

    fn signature(&mut self, text: &[u8]) -> Option<u32> {
        self.signatures.get(text).copied()
    }

    fn add_signature(&mut self, text: &[u8], handle: u32) {
        self.signatures.insert(text.into(), handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClassDescriptor;
    use crate::numbers::SparseNumbers;

    /// All of one name are compared with each that comes: a stream must not make them many.
    #[test]
    fn only_so_many_classes_of_one_name_are_remembered() {
        let mut known = KnownClasses::default();
        for suid in 0..100u32 {
            let class = ClassDescriptor::new("A", suid.into(), ClassDescriptor::SERIALIZABLE, &[], None);
            let desc = class.graph.desc(class.graph.desc_index(class.node).unwrap());
            let mut numbers = SparseNumbers::default();
            assert!(!known.find(&class.graph, &class.stream, desc, &mut numbers));
            numbers.set(class.node, suid);
            known.add(&class.graph, &class.stream, desc, &numbers);
            let found = known.find(&class.graph, &class.stream, desc, &mut SparseNumbers::default());
            assert_eq!(found, suid < SAME_NAME_MAX as u32, "{suid}");
        }
        assert_eq!(known.by_name[&b"A"[..]].len(), SAME_NAME_MAX);
    }
}
