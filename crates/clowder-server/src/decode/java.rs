//! Java object streams, node by node, with the handles that the stream gives out.

use std::collections::HashMap;

use bytes::Bytes;
use java_object_stream::{Array, Class, Document, FieldValue, Limits, NodeId, ObjectLevel, ReadError, Text, Value};
use serde_json::{Map, Value as Json, json};

use super::{Decoded, Malformed};

/// The whole stream.
pub(super) fn decode(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let document = Document::parse(bytes.clone(), &limits(bytes)).map_err(|error| malformed(&error))?;
    Ok(Decoded { json: view(&document), again: document.write() })
}

pub(super) fn malformed(error: &ReadError) -> Malformed {
    Malformed::new(&error.kind, error.at)
}

/// Captured bytes are in memory already; what remains bounded is how deep values nest.
pub(super) fn limits(bytes: &Bytes) -> Limits {
    let max = bytes.len();
    Limits { bytes_max: max, handles_max: max, elements_max: max, string_bytes_max: max, ..Limits::default() }
}

/// The stream as the golden vectors show it.
fn view(document: &Document) -> Json {
    let mut viewer = Viewer { document, handles: HashMap::new(), next: 0 };
    let contents: Vec<Json> = document.contents().map(|node| viewer.node(node)).collect();
    json!({ "t": "stream", "contents": contents })
}

/// Walks in the order of the stream, which is the order in which handles are given out.
///
/// The recursion is as deep as the values nest, which the parser bounds; see `decode::STACK_BYTES`.
struct Viewer<'d> {
    document: &'d Document,
    handles: HashMap<NodeId, u32>,
    next: u32,
}

impl<'d> Viewer<'d> {
    fn handle(&mut self, node: NodeId) -> u32 {
        let handle = self.next;
        self.next += 1;
        self.handles.insert(node, handle);
        handle
    }

    fn forget_handles(&mut self) {
        self.handles.clear();
        self.next = 0;
    }

    fn node(&mut self, node: NodeId) -> Json {
        if let Some(handle) = self.handles.get(&node) {
            return json!({ "t": "ref", "h": handle });
        }
        match self.document.value(node) {
            Value::Null => null(),
            Value::String(text) => self.string(node, text),
            Value::Object(object) => {
                let desc = self.class(object.class());
                let handle = self.handle(node);
                let data: Vec<Json> = object.levels().into_iter().map(|level| self.level(level)).collect();
                json!({ "t": "object", "h": handle, "desc": desc, "data": data })
            }
            Value::Array(array) => self.array(node, array),
            Value::Enum(class, constant) => {
                let desc = self.class(class);
                let handle = self.handle(node);
                json!({ "t": "enum", "h": handle, "desc": desc, "constant": self.node(constant) })
            }
            Value::Class(class) => {
                let desc = self.class(class);
                json!({ "t": "class", "h": self.handle(node), "desc": desc })
            }
            Value::Descriptor(class) => self.class(class),
            Value::Block(block) => {
                let mut view = Map::new();
                view.insert("t".into(), json!("block"));
                if block.is_long_form() {
                    view.insert("long".into(), json!(true));
                }
                view.insert("hex".into(), json!(hex::encode(block.as_bytes())));
                Json::Object(view)
            }
            Value::Reset => {
                self.forget_handles();
                json!({ "t": "reset" })
            }
            Value::Aborted(aborted) => {
                // The handles start anew in front of the exception and behind it.
                self.forget_handles();
                let exception = self.node(aborted.exception());
                self.forget_handles();
                json!({ "t": "aborted", "partial_hex": hex::encode(aborted.partial()), "exception": exception })
            }
            other => json!({ "t": "unknown", "is": format!("{other:?}") }),
        }
    }

    fn string(&mut self, node: NodeId, text: Text<'d>) -> Json {
        let mut view = Map::new();
        view.insert("t".into(), json!("string"));
        view.insert("h".into(), json!(self.handle(node)));
        if text.is_long_form() {
            view.insert("long".into(), json!(true));
        }
        match text.to_str() {
            Some(text) => view.insert("v".into(), json!(text)),
            // Legal in Java and no text: a surrogate without its partner.
            None => view.insert("modified_utf8_hex".into(), json!(hex::encode(text.as_bytes()))),
        };
        Json::Object(view)
    }

    fn class(&mut self, class: Class<'d>) -> Json {
        if let Some(handle) = self.handles.get(&class.node()) {
            return json!({ "t": "ref", "h": handle });
        }
        let handle = self.handle(class.node());
        let mut view = Map::new();
        view.insert("t".into(), json!(if class.is_proxy() { "proxydesc" } else { "classdesc" }));
        view.insert("h".into(), json!(handle));
        if class.is_proxy() {
            let interfaces: Vec<_> = class.interfaces().map(Text::to_str_lossy).collect();
            view.insert("interfaces".into(), json!(interfaces));
        } else {
            view.insert("name".into(), json!(class.name().to_str_lossy()));
            view.insert("suid".into(), json!(class.suid().to_string()));
            view.insert("flags".into(), json!(class.flags()));
            let fields: Vec<Json> = class
                .fields()
                .map(|field| {
                    let mut view = Map::new();
                    view.insert("type".into(), json!(field.type_code.to_string()));
                    view.insert("name".into(), json!(field.name.to_str_lossy()));
                    if let Some(signature) = field.signature {
                        view.insert("sig".into(), self.node(signature));
                    }
                    Json::Object(view)
                })
                .collect();
            view.insert("fields".into(), Json::Array(fields));
        }
        let annotation: Vec<Json> = class.annotation().map(|node| self.node(node)).collect();
        view.insert("annotation".into(), Json::Array(annotation));
        let superclass = class.superclass().map_or_else(null, |superclass| self.class(superclass));
        view.insert("super".into(), superclass);
        if class.leaves_out_fields() {
            view.insert("leavesOutFields".into(), json!(true));
        }
        Json::Object(view)
    }

    fn level(&mut self, level: ObjectLevel<'d>) -> Json {
        let mut view = Map::new();
        let class = level.class();
        let name = if class.is_proxy() { "(proxy)".into() } else { class.name().to_str_lossy() };
        view.insert("class".into(), json!(name));
        if !level.is_external() {
            let fields: Map<String, Json> = level
                .fields()
                .map(|(field, value)| (field.name.to_str_lossy().into_owned(), self.field_value(value)))
                .collect();
            view.insert("fields".into(), Json::Object(fields));
        }
        if let Some(contents) = level.contents() {
            let contents: Vec<Json> = contents.map(|node| self.node(node)).collect();
            view.insert(if level.is_external() { "external" } else { "annotation" }.into(), Json::Array(contents));
        }
        Json::Object(view)
    }

    fn array(&mut self, node: NodeId, array: Array<'d>) -> Json {
        let mut view = Map::new();
        view.insert("t".into(), json!("array"));
        let desc = self.class(array.class());
        view.insert("h".into(), json!(self.handle(node)));
        view.insert("desc".into(), desc);
        match array.as_bytes() {
            Some(bytes) => {
                view.insert("hex".into(), json!(hex::encode(bytes)));
                if let Some(nested) = nested(bytes) {
                    view.insert("nested".into(), nested);
                }
            }
            None => {
                let elements: Vec<Json> = array.iter().map(|value| self.field_value(value)).collect();
                view.insert("v".into(), Json::Array(elements));
            }
        }
        Json::Object(view)
    }

    /// Numbers that JSON readers would round are text.
    fn field_value(&mut self, value: FieldValue) -> Json {
        match value {
            FieldValue::Byte(v) => json!(v),
            FieldValue::Short(v) => json!(v),
            FieldValue::Int(v) => json!(v),
            FieldValue::Char(v) => json!(v),
            FieldValue::Bool(v) => json!(v),
            FieldValue::Long(v) => json!(v.to_string()),
            FieldValue::Float(v) => json!(format!("0x{:08x}", v.to_bits())),
            FieldValue::Double(v) => json!(format!("0x{:016x}", v.to_bits())),
            FieldValue::Reference(node) => self.node(node),
            other => json!(format!("{other:?}")),
        }
    }
}

fn null() -> Json {
    json!({ "t": "null" })
}

/// A byte array that holds a stream, as session messages do.
fn nested(bytes: &[u8]) -> Option<Json> {
    let bytes = Bytes::copy_from_slice(bytes);
    let document = Document::parse(bytes.clone(), &limits(&bytes)).ok()?;
    Some(view(&document))
}
