//! Whether two values of two documents are the same graph.

use java_object_stream::{Class, Cursor, Document, FieldValue, NodeId, Value};
use std::collections::{HashMap, HashSet};

/// The same classes, fields, elements and contents, shared in the same way. Descriptors may be shared otherwise, and
/// so may strings that are signatures.
pub(crate) fn same_graph(a: (&Document, NodeId), b: (&Document, NodeId)) -> bool {
    let mut pairs = Pairs {
        a: a.0,
        b: b.0,
        there: HashMap::new(),
        back: HashMap::new(),
        strings: HashSet::new(),
        signatures: HashSet::new(),
        todo: vec![(a.1, b.1)],
    };
    while let Some((a, b)) = pairs.todo.pop() {
        if !pairs.node(a, b) {
            return false;
        }
    }
    let (strings, signatures) = (pairs.strings, pairs.signatures);
    strings
        .into_iter()
        .filter(|(a, _)| !signatures.contains(a))
        .all(|(a, b)| pairs.there.insert(a, b).is_none() && pairs.back.insert(b, a).is_none())
}

struct Pairs<'d> {
    a: &'d Document,
    b: &'d Document,
    there: HashMap<NodeId, NodeId>,
    back: HashMap<NodeId, NodeId>,
    /// Strings that are equal; whether they are shared in the same way is seen when all signatures are known.
    strings: HashSet<(NodeId, NodeId)>,
    /// Signatures in `a`.
    signatures: HashSet<NodeId>,
    /// Pairs that must be the same as well.
    todo: Vec<(NodeId, NodeId)>,
}

impl Pairs<'_> {
    fn node(&mut self, a: NodeId, b: NodeId) -> bool {
        if a.is_null() || b.is_null() {
            return a.is_null() && b.is_null();
        }
        let (value_a, value_b) = (self.a.value(a), self.b.value(b));
        match (value_a, value_b) {
            (Value::Descriptor(a), Value::Descriptor(b)) => return self.class(a, b),
            (Value::String(text_a), Value::String(text_b)) => {
                self.strings.insert((a, b));
                return text_a == text_b;
            }
            _ => {}
        }
        if let (Some(&known_b), Some(&known_a)) = (self.there.get(&a), self.back.get(&b)) {
            return known_b == b && known_a == a;
        }
        if self.there.insert(a, b).is_some() || self.back.insert(b, a).is_some() {
            return false;
        }
        match (value_a, value_b) {
            (Value::Block(a), Value::Block(b)) => a.as_bytes() == b.as_bytes(),
            (Value::Class(a), Value::Class(b)) => self.class(a, b),
            (Value::Enum(class_a, a), Value::Enum(class_b, b)) => {
                self.todo.push((a, b));
                self.class(class_a, class_b)
            }
            (Value::Array(a), Value::Array(b)) => {
                self.class(a.class(), b.class())
                    && a.len() == b.len()
                    && a.iter().zip(b.iter()).all(|(a, b)| self.field(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                let (levels_a, levels_b) = (a.levels(), b.levels());
                self.class(a.class(), b.class())
                    && levels_a.len() == levels_b.len()
                    && levels_a.into_iter().zip(levels_b).all(|(a, b)| {
                        let fields = a.fields().len() == b.fields().len()
                            && a.fields().zip(b.fields()).all(|((_, a), (_, b))| self.field(a, b));
                        fields && self.contents(a.cursor(), b.cursor())
                    })
            }
            _ => false,
        }
    }

    fn field(&mut self, a: FieldValue, b: FieldValue) -> bool {
        match (a, b) {
            (FieldValue::Reference(a), FieldValue::Reference(b)) => {
                self.todo.push((a, b));
                true
            }
            (FieldValue::Float(a), FieldValue::Float(b)) => a.to_bits() == b.to_bits(),
            (FieldValue::Double(a), FieldValue::Double(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }

    /// The same bytes and values in the same order, whatever the blocks.
    fn contents(&mut self, a: Option<Cursor<'_>>, b: Option<Cursor<'_>>) -> bool {
        let (mut a, mut b) = match (a, b) {
            (None, None) => return true,
            (Some(a), Some(b)) => (a, b),
            _ => return false,
        };
        loop {
            match (a.read_u8(), b.read_u8()) {
                (Ok(a), Ok(b)) if a == b => continue,
                (Err(_), Err(_)) => {}
                _ => return false,
            }
            match (a.read_object(), b.read_object()) {
                (Ok(a), Ok(b)) => self.todo.push((a, b)),
                (a, b) => return a.is_err() && b.is_err(),
            }
        }
    }

    fn class(&mut self, a: Class<'_>, b: Class<'_>) -> bool {
        let (mut a, mut b) = (Some(a), Some(b));
        while let (Some(class_a), Some(class_b)) = (a, b) {
            let fields = |class: Class<'_>| {
                class.fields().map(|f| (f.type_code, f.name.as_bytes().to_vec())).collect::<Vec<_>>()
            };
            let interfaces = |class: Class<'_>| class.interfaces().map(|i| i.as_bytes().to_vec()).collect::<Vec<_>>();
            if class_a.name().as_bytes() != class_b.name().as_bytes()
                || (class_a.suid(), class_a.flags()) != (class_b.suid(), class_b.flags())
                || fields(class_a) != fields(class_b)
                || interfaces(class_a) != interfaces(class_b)
            {
                return false;
            }
            self.signatures.extend(class_a.fields().filter_map(|field| field.signature));
            (a, b) = (class_a.superclass(), class_b.superclass());
        }
        a.is_none() && b.is_none()
    }
}
