//! The golden vectors, and the view of a document that they use.

use java_object_stream::{Class, Document, FieldValue, Limits, NodeId, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::sync::LazyLock;

#[allow(dead_code, reason = "not every test binary looks at views")]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) view: Json,
}

pub(crate) fn vectors() -> &'static [Vector] {
    static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
        let json: Json = serde_json::from_str(include_str!("../../../../vectors/java-serialization.json")).unwrap();
        let vectors = json["vectors"].as_array().unwrap().iter();
        vectors
            .map(|vector| Vector {
                name: vector["name"].as_str().unwrap().into(),
                bytes: hex::decode(vector["hex"].as_str().unwrap()).unwrap(),
                view: vector["json_view"].clone(),
            })
            .collect()
    });
    &VECTORS
}

/// The bytes of one vector.
#[allow(dead_code, reason = "not every test binary looks for one")]
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let vector = vectors().iter().find(|vector| vector.name == name);
    vector.unwrap_or_else(|| panic!("no vector {name}")).bytes.clone()
}

/// The document in the form of the vectors' `json_view`.
#[allow(dead_code, reason = "not every test binary looks at views")]
pub(crate) fn view(document: &Document) -> Json {
    let mut view = View { document, handles: HashMap::new(), next: 0 };
    let contents: Vec<Json> = document.contents().map(|node| view.node(node)).collect();
    json!({"t": "stream", "contents": contents})
}

struct View<'d> {
    document: &'d Document,
    handles: HashMap<NodeId, u32>,
    next: u32,
}

impl View<'_> {
    fn number(&mut self, node: NodeId) -> u32 {
        self.handles.insert(node, self.next);
        self.next += 1;
        self.next - 1
    }

    fn restart(&mut self) {
        self.handles.clear();
        self.next = 0;
    }

    fn node(&mut self, node: NodeId) -> Json {
        if let Some(handle) = self.handles.get(&node) {
            return json!({"t": "ref", "h": handle});
        }
        match self.document.value(node) {
            Value::Null => json!({"t": "null"}),
            Value::Reset => {
                self.restart();
                json!({"t": "reset"})
            }
            Value::String(text) => {
                json!({"t": "string", "h": self.number(node), "v": text.to_str_lossy()})
            }
            Value::Block(block) if block.is_long_form() => {
                json!({"t": "block", "long": true, "hex": hex::encode(block.as_bytes())})
            }
            Value::Block(block) => json!({"t": "block", "hex": hex::encode(block.as_bytes())}),
            Value::Descriptor(class) => self.class(Some(class)),
            Value::Class(class) => {
                let desc = self.class(Some(class));
                json!({"t": "class", "h": self.number(node), "desc": desc})
            }
            Value::Enum(class, constant) => {
                let desc = self.class(Some(class));
                let handle = self.number(node);
                json!({"t": "enum", "h": handle, "desc": desc, "constant": self.node(constant)})
            }
            Value::Array(array) => {
                let desc = self.class(Some(array.class()));
                let handle = self.number(node);
                let Some(bytes) = array.as_bytes() else {
                    let items: Vec<Json> = array.iter().map(|item| self.field(item)).collect();
                    return json!({"t": "array", "h": handle, "desc": desc, "v": items});
                };
                let mut json = json!({"t": "array", "h": handle, "desc": desc, "hex": hex::encode(bytes)});
                if let Ok(nested) = Document::parse(bytes.to_vec(), &Limits::default()) {
                    json["nested"] = view(&nested);
                }
                json
            }
            Value::Object(object) => {
                let desc = self.class(Some(object.class()));
                let handle = self.number(node);
                let levels: Vec<Json> = object.levels().into_iter().map(|l| self.level(l)).collect();
                json!({"t": "object", "h": handle, "desc": desc, "data": levels})
            }
            Value::Aborted(aborted) => {
                self.restart();
                let exception = self.node(aborted.exception());
                self.restart();
                let partial = hex::encode(aborted.partial());
                json!({"t": "aborted", "partial_hex": partial, "exception": exception})
            }
            other => panic!("{other:?}"),
        }
    }

    fn level(&mut self, level: java_object_stream::ObjectLevel<'_>) -> Json {
        let class = level.class();
        let name = if class.is_proxy() { "(proxy)".into() } else { class.name().to_str_lossy().into_owned() };
        let mut json = Map::new();
        json.insert("class".into(), name.into());
        if !level.is_external() {
            let mut fields = Map::new();
            for (field, value) in level.fields() {
                fields.insert(field.name.to_str_lossy().into_owned(), self.field(value));
            }
            json.insert("fields".into(), fields.into());
        }
        if let Some(contents) = level.contents() {
            let key = if level.is_external() { "external" } else { "annotation" };
            let contents: Vec<Json> = contents.map(|node| self.node(node)).collect();
            json.insert(key.into(), contents.into());
        }
        json.into()
    }

    fn field(&mut self, value: FieldValue) -> Json {
        match value {
            FieldValue::Byte(v) => v.into(),
            FieldValue::Short(v) => v.into(),
            FieldValue::Int(v) => v.into(),
            FieldValue::Long(v) => v.to_string().into(),
            FieldValue::Char(v) => v.into(),
            FieldValue::Bool(v) => v.into(),
            FieldValue::Float(v) => format!("{:#010x}", v.to_bits()).into(),
            FieldValue::Double(v) => format!("{:#018x}", v.to_bits()).into(),
            FieldValue::Reference(node) => self.node(node),
            other => panic!("{other:?}"),
        }
    }

    fn class(&mut self, class: Option<Class<'_>>) -> Json {
        let Some(class) = class else {
            return json!({"t": "null"});
        };
        if let Some(handle) = self.handles.get(&class.node()) {
            return json!({"t": "ref", "h": handle});
        }
        let handle = self.number(class.node());
        if class.is_proxy() {
            let interfaces: Vec<_> = class.interfaces().map(|i| i.to_str_lossy().into_owned()).collect();
            let annotation: Vec<Json> = class.annotation().map(|node| self.node(node)).collect();
            let superclass = self.class(class.superclass());
            return json!({"t": "proxydesc", "h": handle, "interfaces": interfaces,
                "annotation": annotation, "super": superclass});
        }
        let fields: Vec<Json> = class
            .fields()
            .map(|field| {
                let mut json = json!({
                    "type": field.type_code.to_string(), "name": field.name.to_str_lossy()});
                if let Some(signature) = field.signature {
                    json["sig"] = self.node(signature);
                }
                json
            })
            .collect();
        let annotation: Vec<Json> = class.annotation().map(|node| self.node(node)).collect();
        let superclass = self.class(class.superclass());
        json!({"t": "classdesc", "h": handle, "name": class.name().to_str_lossy(),
            "suid": class.suid().to_string(), "flags": class.flags(), "fields": fields,
            "annotation": annotation, "super": superclass})
    }
}
