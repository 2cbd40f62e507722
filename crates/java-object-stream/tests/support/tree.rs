//! Values to write and to read again.

use java_object_stream::{ClassDescriptor, Document, FieldValue, Handle, NodeId, Value, Writer};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A value as a program has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    Text(String),
    Integer(i32),
    Boolean(bool),
    /// By its bits: NaN is one value of many.
    Double(u64),
    Constant(u8),
    Bytes(Vec<u8>),
    Ints(Vec<i32>),
    Objects(Vec<Tree>),
    List(Vec<Tree>),
    Point(i32, i64, Box<Tree>),
    External(Vec<(Vec<u8>, Tree)>),
    /// The value that was begun as the n-th of those that can be mentioned again.
    Again(usize),
}

pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<String>().prop_map(Tree::Text),
        any::<i32>().prop_map(Tree::Integer),
        (-200..200).prop_map(Tree::Integer),
        any::<bool>().prop_map(Tree::Boolean),
        any::<u64>().prop_map(Tree::Double),
        (0..3u8).prop_map(Tree::Constant),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Tree::Bytes),
        prop::collection::vec(any::<i32>(), 0..5).prop_map(Tree::Ints),
        (0..20usize).prop_map(Tree::Again),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::Objects),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            (any::<i32>(), any::<i64>(), inner.clone()).prop_map(|(x, y, label)| Tree::Point(x, y, label.into())),
            prop::collection::vec((prop::collection::vec(any::<u8>(), 0..1500), inner), 0..4).prop_map(Tree::External),
        ]
    })
}

struct Classes {
    point: ClassDescriptor,
    external: ClassDescriptor,
    color: ClassDescriptor,
}

static CLASSES: LazyLock<Classes> = LazyLock::new(|| {
    let base = ClassDescriptor::new("test.Base", 1, ClassDescriptor::WRITE_OBJECT, &[("I", "x")], None);
    let fields = [("J", "y"), ("Ljava/lang/Object;", "label")];
    Classes {
        point: ClassDescriptor::new("test.Point", -1, ClassDescriptor::SERIALIZABLE, &fields, Some(&base)),
        external: ClassDescriptor::new("test.External", 7, ClassDescriptor::EXTERNALIZABLE, &[], None),
        color: ClassDescriptor::new(
            "test.Color",
            0,
            ClassDescriptor::ENUM,
            &[],
            ClassDescriptor::jdk("java.lang.Enum"),
        ),
    }
});

/// Writes a tree; what can be mentioned again goes to `begun`. Mentions beyond those become null.
pub(crate) fn write(tree: &mut Tree, writer: &mut Writer, begun: &mut Vec<Handle>) {
    let jdk = |name| ClassDescriptor::jdk(name).unwrap();
    match tree {
        Tree::Null => writer.write_null(),
        Tree::Text(text) => begun.push(writer.write_string(text)),
        Tree::Integer(value) => writer.write_integer(*value),
        Tree::Boolean(value) => writer.write_boolean(*value),
        Tree::Double(bits) => writer.write_double(f64::from_bits(*bits)),
        Tree::Constant(n) => writer.write_enum(&CLASSES.color, &n.to_string()),
        Tree::Bytes(bytes) => begun.push(writer.write_byte_array(bytes)),
        Tree::Ints(ints) => {
            begun.push(writer.begin_array(jdk("[I"), ints.len() as u32));
            ints.iter().for_each(|&n| writer.write_i32(n));
            writer.end_object().unwrap();
        }
        Tree::Objects(items) => {
            begun.push(writer.begin_array(jdk("[Ljava.lang.Object;"), items.len() as u32));
            items.iter_mut().for_each(|item| write(item, writer, begun));
            writer.end_object().unwrap();
        }
        Tree::List(items) => {
            begun.push(writer.begin_object(jdk("java.util.ArrayList")));
            writer.write_i32(items.len() as i32);
            writer.begin_annotation();
            writer.write_i32(items.len() as i32);
            items.iter_mut().for_each(|item| write(item, writer, begun));
            writer.end_object().unwrap();
        }
        Tree::Point(x, y, label) => {
            begun.push(writer.begin_object(&CLASSES.point));
            writer.write_i32(*x);
            writer.begin_annotation();
            writer.end_annotation();
            writer.write_i64(*y);
            write(label, writer, begun);
            writer.end_object().unwrap();
        }
        Tree::External(parts) => {
            begun.push(writer.begin_object(&CLASSES.external));
            writer.write_i32(parts.len() as i32);
            for (data, item) in parts {
                writer.write_i16(data.len() as i16);
                writer.write_bytes(data);
                write(item, writer, begun);
            }
            writer.end_object().unwrap();
        }
        Tree::Again(n) => match begun.get(*n) {
            Some(&handle) => writer.write_reference(handle),
            None => {
                writer.write_null();
                *tree = Tree::Null;
            }
        },
    }
}

/// Reads a value that [`write`] wrote; `begun` numbers what can be mentioned again.
pub(crate) fn read(document: &Document, node: NodeId, begun: &mut HashMap<NodeId, usize>) -> Tree {
    if let Some(&n) = begun.get(&node) {
        return Tree::Again(n);
    }
    let mut begin = |node| begun.insert(node, begun.len());
    match document.value(node) {
        Value::Null => Tree::Null,
        Value::String(text) => {
            begin(node);
            Tree::Text(text.to_str().unwrap().into_owned())
        }
        Value::Enum(_, constant) => {
            let name = document.value(constant).as_string().unwrap();
            Tree::Constant(name.to_str().unwrap().parse().unwrap())
        }
        Value::Array(array) => {
            begin(node);
            if let Some(bytes) = array.as_bytes() {
                return Tree::Bytes(bytes.to_vec());
            }
            if array.class().is("[I") {
                return Tree::Ints(array.iter().map(|item| item.as_integer().unwrap() as i32).collect());
            }
            Tree::Objects(array.iter().map(|item| read(document, item.as_node().unwrap(), begun)).collect())
        }
        Value::Object(object) => match &*object.class().name().to_str().unwrap() {
            "java.lang.Integer" => Tree::Integer(object.field("value").unwrap().as_integer().unwrap() as i32),
            "java.lang.Boolean" => Tree::Boolean(object.field("value") == Some(FieldValue::Bool(true))),
            "java.lang.Double" => match object.field("value") {
                Some(FieldValue::Double(value)) => Tree::Double(value.to_bits()),
                other => panic!("{other:?}"),
            },
            "java.util.ArrayList" => {
                begin(node);
                let mut contents = object.contents().unwrap();
                let len = contents.read_i32().unwrap();
                assert_eq!(object.field("size"), Some(FieldValue::Int(len)));
                let items = (0..len).map(|_| read(document, contents.read_object().unwrap(), begun)).collect();
                assert!(contents.is_at_end());
                Tree::List(items)
            }
            "test.Point" => {
                begin(node);
                let number = |name| object.field(name).unwrap().as_integer().unwrap();
                let label = read(document, object.field_node("label").unwrap(), begun);
                Tree::Point(number("x") as i32, number("y"), label.into())
            }
            "test.External" => {
                begin(node);
                let mut contents = object.contents().unwrap();
                let count = contents.read_i32().unwrap();
                let mut parts = Vec::new();
                for _ in 0..count {
                    let len = contents.read_u16().unwrap();
                    let data = contents.read_bytes(len.into()).unwrap();
                    parts.push((data, read(document, contents.read_object().unwrap(), begun)));
                }
                assert!(contents.is_at_end());
                Tree::External(parts)
            }
            other => panic!("{other}"),
        },
        other => panic!("{other:?}"),
    }
}
