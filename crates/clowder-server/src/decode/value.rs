//! Attribute values inside of deltas and sessions: the class, and what it says to a reader.

use bytes::Bytes;
use java_object_stream::{Document, FieldValue, NodeId, Object, Value};
use serde_json::{Map, Value as Json, json};

use super::java;
use crate::java::text;

/// Tomcat: GenericPrincipal.writeReplace — it is written as this class and read as a GenericPrincipal again.
const SERIALIZED_PRINCIPAL: &str = "org.apache.catalina.realm.GenericPrincipal$SerializablePrincipal";
const PRINCIPAL: &str = "org.apache.catalina.realm.GenericPrincipal";
const SAVED_REQUEST: &str = "org.apache.catalina.authenticator.SavedRequest";

/// A standalone stream. What no text can be given for is shown as the whole stream.
pub(super) fn view(stream: &Bytes) -> Json {
    let Some((document, root)) = parse(stream) else {
        return json!({ "class": "unreadable", "stream_hex": hex::encode(stream) });
    };
    let class = text::class(&document, root);
    match shown(&document, root, &class) {
        Some(view) => view,
        None => json!({ "class": class, "value": null, "stream_hex": hex::encode(stream) }),
    }
}

/// The class of a standalone stream.
pub(super) fn class(stream: &Bytes) -> String {
    text::describe(stream).0
}

/// The text of a standalone stream.
pub(super) fn text(stream: &Bytes) -> Option<String> {
    text::describe(stream).1
}

fn parse(stream: &Bytes) -> Option<(Document, NodeId)> {
    let document = Document::parse(stream.clone(), &java::limits(stream)).ok()?;
    let root = document.root().ok()?;
    Some((document, root))
}

fn shown(document: &Document, node: NodeId, class: &str) -> Option<Json> {
    Some(match document.value(node) {
        Value::Array(array) => match array.as_bytes() {
            Some(bytes) => json!({ "class": class, "hex": hex::encode(bytes) }),
            None => {
                let elements: Option<Vec<Json>> =
                    array.iter().map(|element| self::element(document, element)).collect();
                json!({ "class": class, "value": elements? })
            }
        },
        Value::Object(object) => match class {
            "java.lang.Integer" | "java.lang.Long" | "java.lang.Short" | "java.lang.Byte" => {
                json!({ "class": class, "value": object.field("value")?.as_integer()? })
            }
            "java.lang.Boolean" => json!({ "class": class, "value": object.field("value")? == FieldValue::Bool(true) }),
            "java.util.Date" => {
                json!({ "class": class, "millis": object.contents_of("java.util.Date")?.read_i64().ok()? })
            }
            SERIALIZED_PRINCIPAL => principal(document, object)?,
            SAVED_REQUEST => {
                let part = |field: &str| text::text(document, object.field_node(field)?);
                json!({ "class": class, "value": format!("{} {}", part("method")?, part("requestURI")?) })
            }
            _ => json!({ "class": class, "value": text::text(document, node)? }),
        },
        _ => json!({ "class": class, "value": text::text(document, node)? }),
    })
}

fn element(document: &Document, value: FieldValue) -> Option<Json> {
    Some(match value {
        FieldValue::Reference(node) if node.is_null() => Json::Null,
        FieldValue::Reference(node) => json!(text::text(document, node)?),
        FieldValue::Bool(value) => json!(value.to_string()),
        FieldValue::Char(unit) => json!(String::from_utf16_lossy(&[unit])),
        FieldValue::Double(value) => json!(crate::java::number::double(value)),
        FieldValue::Float(value) => json!(crate::java::number::float(value)),
        other => json!(other.as_integer()?.to_string()),
    })
}

fn principal(document: &Document, object: Object<'_>) -> Option<Json> {
    let roles = document.value(object.field_node("roles")?).as_array()?;
    let roles: Option<Vec<Json>> = roles.iter().map(|role| element(document, role)).collect();
    let name = text::text(document, object.field_node("name")?)?;
    Some(json!({ "class": PRINCIPAL, "name": name, "roles": roles?, "attributes": attributes(document, object)? }))
}

/// Null, or a map, usually wrapped as an unmodifiable one.
fn attributes(document: &Document, principal: Object<'_>) -> Option<Json> {
    let mut attributes = Map::new();
    let mut node = principal.field_node("attributes")?;
    while let Value::Object(map) = document.value(node) {
        if let Some(mut data) = map.contents_of("java.util.HashMap") {
            data.read_i32().ok()?;
            for _ in 0..data.read_i32().ok()? {
                let (key, value) = (data.read_object().ok()?, data.read_object().ok()?);
                attributes.insert(text::text(document, key)?, json!(text::text(document, value)));
            }
            break;
        }
        match map.field_node("m") {
            // A wrapper around itself has no content.
            Some(inner) if inner != node => node = inner,
            _ => break,
        }
    }
    Some(Json::Object(attributes))
}
