//! A value as Java's `getClass().getName()` and `toString()` show it.

use java_object_stream::{Array, Cursor, Document, FieldValue, Limits, NodeId, Object, Value};

use super::{number, time};

/// Nesting beyond which a value counts as opaque; a collection may contain itself.
const DEPTH_MAX: u32 = 64;
/// Bytes of text beyond which a value counts as opaque; shared parts are shown each time they occur.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Class and text of a standalone stream; without text if the class is not of the JDK or the stream is damaged.
pub(crate) fn describe(stream: &[u8]) -> (String, Option<String>) {
    let parsed = Document::parse(stream.to_vec(), &Limits::default());
    let Ok((document, root)) = parsed.and_then(|document| document.root().map(|root| (document, root))) else {
        return ("unreadable".to_owned(), None);
    };
    (class(&document, root), text(&document, root))
}

/// `getClass().getName()`; `null` for null.
pub(crate) fn class(document: &Document, node: NodeId) -> String {
    match document.value(node) {
        Value::String(_) => "java.lang.String".to_owned(),
        Value::Object(object) if object.class().is("java.time.Ser") => match time::kind(object) {
            Some(kind) => format!("java.time.{kind}"),
            None => "java.time.Ser".to_owned(),
        },
        Value::Object(object) => object.class().name().to_str_lossy().into_owned(),
        Value::Array(array) => array.class().name().to_str_lossy().into_owned(),
        Value::Enum(class, _) => class.name().to_str_lossy().into_owned(),
        Value::Class(_) => "java.lang.Class".to_owned(),
        _ => "null".to_owned(),
    }
}

/// `toString()`, as far as it follows from the stream.
pub(crate) fn text(document: &Document, node: NodeId) -> Option<String> {
    let mut out = String::new();
    append(document, node, DEPTH_MAX, &mut out)?;
    Some(out)
}

fn append(document: &Document, node: NodeId, depth: u32, out: &mut String) -> Option<()> {
    if out.len() > TEXT_BYTES_MAX {
        return None;
    }
    match document.value(node) {
        Value::Null => out.push_str("null"),
        Value::String(text) => out.push_str(&text.to_str_lossy()),
        Value::Enum(_, constant) => append(document, constant, depth, out)?,
        Value::Object(object) => append_object(document, object, depth.checked_sub(1)?, out)?,
        _ => return None,
    }
    Some(())
}

fn append_object(document: &Document, object: Object<'_>, depth: u32, out: &mut String) -> Option<()> {
    let class = object.class().name();
    let field = |name: &str| object.field(name);
    match class.to_str_lossy().as_ref() {
        "java.lang.Integer" | "java.lang.Long" | "java.lang.Short" | "java.lang.Byte" => {
            out.push_str(&field("value")?.as_integer()?.to_string());
        }
        "java.lang.Boolean" => match field("value")? {
            FieldValue::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            _ => return None,
        },
        "java.lang.Character" => match field("value")? {
            FieldValue::Char(unit) => out.push_str(&String::from_utf16_lossy(&[unit])),
            _ => return None,
        },
        "java.lang.Double" | "java.lang.Float" => match field("value")? {
            FieldValue::Double(value) => out.push_str(&number::double(value)),
            FieldValue::Float(value) => out.push_str(&number::float(value)),
            _ => return None,
        },
        "java.math.BigInteger" => out.push_str(&big_integer(document, object)?),
        "java.math.BigDecimal" => {
            let unscaled = document.value(object.field_node("intVal")?).as_object()?;
            let scale = field("scale")?.as_integer()?;
            out.push_str(&number::decimal(&big_integer(document, unscaled)?, scale)?);
        }
        "java.util.Date" => out.push_str(&time::date(object.contents_of("java.util.Date")?.read_i64().ok()?)?),
        "java.util.UUID" => {
            let (most, least) = (field("mostSigBits")?.as_integer()?, field("leastSigBits")?.as_integer()?);
            out.push_str(&number::uuid(most.cast_unsigned(), least.cast_unsigned()));
        }
        "java.time.Ser" => out.push_str(&time::instant(object)?),
        "java.util.ArrayList" | "java.util.LinkedList" | "java.util.concurrent.CopyOnWriteArrayList" => {
            elements(document, object.contents()?, 4, depth, out)?;
        }
        "java.util.HashSet" => elements(document, object.contents()?, 12, depth, out)?,
        "java.util.LinkedHashSet" => elements(document, object.contents_of("java.util.HashSet")?, 12, depth, out)?,
        "java.util.HashMap" | "java.util.LinkedHashMap" => {
            entries(document, object.contents_of("java.util.HashMap")?, depth, out)?;
        }
        _ => return None,
    }
    Some(())
}

/// A collection whose data ends with its size, followed by that many values.
fn elements(document: &Document, mut data: Cursor<'_>, head: usize, depth: u32, out: &mut String) -> Option<()> {
    data.read_bytes(head - 4).ok()?;
    let size = data.read_i32().ok()?;
    out.push('[');
    for index in 0..size {
        out.push_str(if index == 0 { "" } else { ", " });
        append(document, data.read_object().ok()?, depth, out)?;
    }
    out.push(']');
    Some(())
}

/// The data of a HashMap: number of buckets, number of entries, keys and values in turn.
fn entries(document: &Document, mut data: Cursor<'_>, depth: u32, out: &mut String) -> Option<()> {
    data.read_i32().ok()?;
    let size = data.read_i32().ok()?;
    out.push('{');
    for index in 0..size {
        out.push_str(if index == 0 { "" } else { ", " });
        append(document, data.read_object().ok()?, depth, out)?;
        out.push('=');
        append(document, data.read_object().ok()?, depth, out)?;
    }
    out.push('}');
    Some(())
}

fn big_integer(document: &Document, object: Object<'_>) -> Option<String> {
    let magnitude: Array<'_> = document.value(object.field_node("magnitude")?).as_array()?;
    let negative = object.field("signum")?.as_integer()? < 0;
    number::integer(negative, magnitude.as_bytes()?)
}

/// Number of elements, if the stream is a `byte[]`.
pub(crate) fn byte_array_len(stream: &[u8]) -> Option<usize> {
    let document = Document::parse(stream.to_vec(), &Limits::default()).ok()?;
    Some(document.value(document.root().ok()?).as_array()?.as_bytes()?.len())
}
