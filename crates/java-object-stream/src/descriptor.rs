//! Class descriptors of known classes, for writing their objects.
//!
//! A descriptor is kept in the form that a stream has, so that writing one is the same code as copying one out
//! of a received stream.

use crate::code;
use crate::graph::{Graph, NodeId};
use crate::limits::Limits;
use crate::mutf8;
use crate::parse::{Parser, Scratch};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The class of objects that a program writes.
///
/// ```
/// use java_object_stream::{ClassDescriptor, Writer};
///
/// let point = ClassDescriptor::new(
///     "org.example.Point",
///     1,
///     ClassDescriptor::SERIALIZABLE,
///     &[("I", "x"), ("I", "y"), ("Ljava/lang/String;", "label")],
///     None,
/// );
/// let mut writer = Writer::new();
/// writer.begin_object(&point);
/// writer.write_i32(1);
/// writer.write_i32(-1);
/// writer.write_string("p");
/// writer.end_object()?;
/// let bytes = writer.finish();
/// # Ok::<(), java_object_stream::WriteError>(())
/// ```
#[derive(Debug)]
pub struct ClassDescriptor {
    classes: Vec<Spec>,
    pub(crate) stream: Vec<u8>,
    pub(crate) graph: Graph,
    pub(crate) node: NodeId,
    /// What an object of the class consists of: type codes, and [`CONTENTS`] for an annotation or external data.
    pub(crate) layout: Arc<[u8]>,
}

/// Stands in a layout for contents in block data mode.
pub(crate) const CONTENTS: u8 = b'*';

#[derive(Debug, Clone)]
struct Spec {
    name: String,
    suid: i64,
    flags: u8,
    /// Signature and name.
    fields: Vec<(String, String)>,
}

impl ClassDescriptor {
    /// Flags of a plain Serializable class.
    pub const SERIALIZABLE: u8 = 2;
    /// Flags of a Serializable class with a `writeObject` method.
    pub const WRITE_OBJECT: u8 = 3;
    /// Flags of an Externalizable class (stream protocol 2).
    pub const EXTERNALIZABLE: u8 = 12;
    /// Flags of an enum.
    pub const ENUM: u8 = 18;

    /// Describes a class.
    ///
    /// `fields` are pairs of signature (`I`, `[B`, `Ljava/lang/String;`) and name, in Java's order: primitives
    /// first, then references, each group sorted by name. `superclass` only if it is Serializable.
    ///
    /// # Panics
    /// If a signature is not one, a name is longer than 65,535 bytes, or there are more than 65,535 fields or 99
    /// superclasses: faults of the program, which writes these as constants.
    pub fn new(
        name: &str,
        suid: i64,
        flags: u8,
        fields: &[(&str, &str)],
        superclass: Option<&ClassDescriptor>,
    ) -> Self {
        let fields = fields.iter().map(|&(signature, name)| (signature.into(), name.into()));
        let own = Spec { name: name.into(), suid, flags, fields: fields.collect() };
        let mut classes = vec![own];
        classes.extend(superclass.into_iter().flat_map(|class| class.classes.iter().cloned()));
        let stream = encode(&classes);
        let mut graph = Graph::default();
        Parser::parse(&stream, &Limits::default(), &[], &mut graph, &mut Scratch::default())
            .expect("names and signatures are valid");
        let node = NodeId(graph.contents[0]);
        let layout = layout(&classes);
        ClassDescriptor { classes, stream, graph, node, layout }
    }

    /// The descriptor of a class of the JDK that Java writes for common values: boxed numbers, strings'
    /// builders, dates, collections and their wrappers, arrays; `None` for other classes.
    pub fn jdk(name: &str) -> Option<&'static ClassDescriptor> {
        static JDK: LazyLock<HashMap<&'static str, ClassDescriptor>> = LazyLock::new(crate::jdk::descriptors);
        JDK.get(name)
    }

    /// Binary name of the class.
    pub fn name(&self) -> &str {
        &self.classes[0].name
    }

    /// serialVersionUID.
    pub fn suid(&self) -> i64 {
        self.classes[0].suid
    }

    pub(crate) fn is_external(&self) -> bool {
        self.classes[0].flags & code::EXTERNALIZABLE != 0
    }
}

fn layout(classes: &[Spec]) -> Arc<[u8]> {
    if classes[0].flags & code::EXTERNALIZABLE != 0 {
        return [CONTENTS][..].into();
    }
    let mut layout = Vec::new();
    for class in classes.iter().rev() {
        layout.extend(class.fields.iter().map(|(signature, _)| signature.as_bytes()[0]));
        if class.flags & code::HAS_WRITE_OBJECT != 0 {
            layout.push(CONTENTS);
        }
    }
    layout.into()
}

fn encode(classes: &[Spec]) -> Vec<u8> {
    let mut out = code::HEADER.to_vec();
    let mut next_handle = 0;
    let mut signatures: HashMap<&str, u32> = HashMap::new();
    for class in classes {
        out.push(code::CLASS_DESC);
        push_utf(&mut out, &class.name);
        out.extend_from_slice(&class.suid.to_be_bytes());
        out.push(class.flags);
        let count = u16::try_from(class.fields.len()).expect("a class has at most 65,535 fields");
        out.extend_from_slice(&count.to_be_bytes());
        next_handle += 1;
        for (signature, name) in &class.fields {
            let type_code = *signature.as_bytes().first().expect("a signature is not empty");
            out.push(type_code);
            push_utf(&mut out, name);
            if code::primitive_width(type_code).is_some() {
                continue;
            }
            if let Some(handle) = signatures.get(signature.as_str()) {
                out.push(code::REFERENCE);
                out.extend_from_slice(&(code::BASE_HANDLE + handle).to_be_bytes());
            } else {
                out.push(code::STRING);
                push_utf(&mut out, signature);
                signatures.insert(signature, next_handle);
                next_handle += 1;
            }
        }
        out.push(code::END_BLOCK);
    }
    out.push(code::NULL);
    out
}

fn push_utf(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(mutf8::len(text)).expect("a name has at most 65,535 bytes");
    out.extend_from_slice(&len.to_be_bytes());
    mutf8::push(out, text);
}
