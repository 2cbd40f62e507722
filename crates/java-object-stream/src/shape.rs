//! What the JDK's classes hold, whatever their layout: a number, a text, a list, a map. Unknown classes have no shape.

use crate::array::Array;
use crate::cursor::Cursor;
use crate::document::Document;
use crate::error::{ReadError, ReadErrorKind};
use crate::field::FieldValue;
use crate::graph::NodeId;
use crate::limits::Limits;
use crate::object::Object;
use crate::value::{Text, Value};

/// First byte of a `java.time.Instant` that is written as `java.time.Ser`.
pub(crate) const INSTANT_KIND: u8 = 2;

/// Wrappers around one collection that are looked through; one may hold itself.
const WRAPPERS_MAX: usize = 8;

/// The content of a value.
pub(crate) enum Shape<'d> {
    Null,
    /// A string, or the name of an enum constant.
    Text(Text<'d>),
    /// A boxed or atomic number, boolean or char; milliseconds of a date.
    Primitive(FieldValue),
    Bytes(&'d [u8]),
    Uuid([u8; 16]),
    /// Nanoseconds since 1970.
    Instant(i128),
    Array(Array<'d>),
    List(Vec<FieldValue>),
    Map(Vec<(FieldValue, FieldValue)>),
}

/// The class of the only value of a stream, in the form of `Class.getName()`: `java.lang.String`, `[B`, …
///
/// It is the class that stands in the stream. Some classes write another in their place: the lists of `List.of` are
/// `java.util.CollSer`, all of `java.time` is `java.time.Ser`. The name of a dynamic proxy's class is not in the stream,
/// `java.lang.reflect.Proxy` is given for it.
///
/// # Errors
/// The stream is malformed or does not hold exactly one value; `NullValue` for null.
pub fn class_name(stream: &[u8]) -> Result<String, ReadError> {
    let document = Document::parse(stream.to_vec(), &Limits::default())?;
    let root = document.root()?;
    match document.value(root) {
        Value::Null => Err(ReadError::new(ReadErrorKind::NullValue, document.offset(root))),
        _ => Ok(class_of(&document, root)),
    }
}

/// The class of a value; `null` for null and for what is no value.
pub(crate) fn class_of(document: &Document, node: NodeId) -> String {
    let class = match document.value(node) {
        Value::String(_) => return "java.lang.String".to_owned(),
        Value::Class(_) => return "java.lang.Class".to_owned(),
        Value::Descriptor(_) => return "java.io.ObjectStreamClass".to_owned(),
        Value::Object(object) => object.class(),
        Value::Array(array) => array.class(),
        Value::Enum(class, _) => class,
        Value::Null | Value::Block(_) | Value::Reset | Value::Aborted(_) => return "null".to_owned(),
    };
    if class.is_proxy() {
        return "java.lang.reflect.Proxy".to_owned();
    }
    class.name().to_str_lossy().into_owned()
}

/// `None`: a class that is not known here, or one whose data is not what the class says.
pub(crate) fn shape(document: &Document, node: NodeId) -> Option<Shape<'_>> {
    match document.value(node) {
        Value::Null => Some(Shape::Null),
        Value::String(text) => Some(Shape::Text(text)),
        Value::Enum(_, constant) => document.value(constant).as_string().map(Shape::Text),
        Value::Array(array) => Some(of_array(array)),
        Value::Object(object) => of_object(document, object),
        _ => None,
    }
}

fn of_array(array: Array<'_>) -> Shape<'_> {
    array.as_bytes().map_or(Shape::Array(array), Shape::Bytes)
}

fn of_object<'d>(document: &'d Document, object: Object<'d>) -> Option<Shape<'d>> {
    let object = unwrapped(document, object)?;
    let name = object.class().name().to_str()?;
    match &*name {
        "java.lang.Byte"
        | "java.lang.Short"
        | "java.lang.Integer"
        | "java.lang.Long"
        | "java.lang.Float"
        | "java.lang.Double"
        | "java.lang.Character"
        | "java.lang.Boolean"
        | "java.util.concurrent.atomic.AtomicInteger"
        | "java.util.concurrent.atomic.AtomicLong" => object.field("value").map(Shape::Primitive),
        "java.util.concurrent.atomic.AtomicBoolean" => {
            Some(Shape::Primitive(FieldValue::Bool(object.field("value")?.as_integer()? != 0)))
        }
        "java.util.Date" | "java.sql.Date" | "java.sql.Timestamp" => date(object),
        "java.util.UUID" => uuid(object),
        "java.time.Ser" => instant(object),
        _ => collection(document, object, name.strip_prefix("java.util.")?),
    }
}

/// `name` is that of the class, without `java.util.`.
fn collection<'d>(document: &'d Document, object: Object<'d>, name: &str) -> Option<Shape<'d>> {
    match name {
        "ArrayList"
        | "LinkedList"
        | "ArrayDeque"
        | "PriorityQueue"
        | "HashSet"
        | "LinkedHashSet"
        | "concurrent.CopyOnWriteArrayList" => items(object.contents()?).map(Shape::List),
        "TreeSet" => after_comparator(object).map(Shape::List),
        "concurrent.ConcurrentLinkedQueue" => without_end(document, items(object.contents()?)?, 1).map(Shape::List),
        "Vector" | "Stack" => vector(document, object).map(Shape::List),
        "Arrays$ArrayList" => document.value(object.field_node("a")?).as_array().map(of_array),
        "EnumSet$SerializationProxy" => document.value(object.field_node("elements")?).as_array().map(of_array),
        "Collections$EmptyList" | "Collections$EmptySet" => Some(Shape::List(Vec::new())),
        "Collections$EmptyMap" => Some(Shape::Map(Vec::new())),
        "Collections$SingletonList" | "Collections$SingletonSet" => Some(Shape::List(vec![object.field("element")?])),
        "Collections$SingletonMap" => Some(Shape::Map(vec![(object.field("k")?, object.field("v")?)])),
        "CollSer" => coll_ser(object),
        "HashMap" | "LinkedHashMap" | "TreeMap" | "Hashtable" | "Properties" | "IdentityHashMap" | "EnumMap" => {
            pairs(items(object.contents()?)?)
        }
        "concurrent.ConcurrentHashMap" => pairs(without_end(document, items(object.contents()?)?, 2)?),
        "concurrent.ConcurrentSkipListMap" => pairs(without_end(document, items(object.contents()?)?, 1)?),
        _ => None,
    }
}

/// The collection inside of unmodifiable, synchronized and checked wrappers; other objects as they are.
fn unwrapped<'d>(document: &'d Document, mut object: Object<'d>) -> Option<Object<'d>> {
    for _ in 0..=WRAPPERS_MAX {
        let wraps = |kind: &str| name_in_collections(object).is_some_and(|name| name.starts_with(kind.as_bytes()));
        if !["Unmodifiable", "Synchronized", "Checked"].into_iter().any(wraps) {
            return Some(object);
        }
        let inner = object.field_node("c").or_else(|| object.field_node("m"))?;
        object = document.value(inner).as_object()?;
    }
    None
}

/// The name of a class that is nested in `java.util.Collections`.
fn name_in_collections<'d>(object: Object<'d>) -> Option<&'d [u8]> {
    object.class().name().as_bytes().strip_prefix(b"java.util.Collections$")
}

/// Milliseconds since 1970. A timestamp keeps whole seconds as a date and the rest beside it.
fn date(object: Object<'_>) -> Option<Shape<'_>> {
    let ms = object.contents_of("java.util.Date")?.read_i64().ok()?;
    let nanos = object.field("nanos").and_then(FieldValue::as_integer).unwrap_or_default();
    Some(Shape::Primitive(FieldValue::Long(ms.checked_add(nanos / 1_000_000)?)))
}

/// Of the classes that are written as `java.time.Ser` only Instant has a shape.
fn instant(object: Object<'_>) -> Option<Shape<'_>> {
    let mut data = object.contents()?;
    if data.read_u8().ok()? != INSTANT_KIND {
        return None;
    }
    let (seconds, nanos) = (data.read_i64().ok()?, data.read_i32().ok()?);
    Some(Shape::Instant(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)))
}

fn uuid(object: Object<'_>) -> Option<Shape<'_>> {
    let half = |name| match object.field(name) {
        Some(FieldValue::Long(half)) => Some(half.to_be_bytes()),
        _ => None,
    };
    let bytes = [half("mostSigBits")?, half("leastSigBits")?].concat();
    bytes.try_into().ok().map(Shape::Uuid)
}

/// The values among the contents; sizes and capacities in between are hints.
fn items(mut contents: Cursor<'_>) -> Option<Vec<FieldValue>> {
    let mut items = Vec::new();
    loop {
        contents.skip_data();
        if contents.is_at_end() {
            return Some(items);
        }
        items.push(FieldValue::Reference(contents.read_object().ok()?));
    }
}

fn after_comparator(object: Object<'_>) -> Option<Vec<FieldValue>> {
    let mut items = items(object.contents()?)?;
    if items.is_empty() {
        return None;
    }
    items.remove(0);
    Some(items)
}

/// Contents that `count` nulls end.
fn without_end(document: &Document, mut items: Vec<FieldValue>, count: usize) -> Option<Vec<FieldValue>> {
    let end = items.split_off(items.len().checked_sub(count)?);
    let null = |item: &FieldValue| item.as_node().is_some_and(|node| matches!(document.value(node), Value::Null));
    end.iter().all(null).then_some(items)
}

fn vector(document: &Document, object: Object<'_>) -> Option<Vec<FieldValue>> {
    let count = usize::try_from(object.field("elementCount")?.as_integer()?).ok()?;
    let array = document.value(object.field_node("elementData")?).as_array()?;
    array.iter().take(count).map(|item| item.as_node().map(FieldValue::Reference)).collect()
}

fn coll_ser(object: Object<'_>) -> Option<Shape<'_>> {
    let items = items(object.contents()?)?;
    match object.field("tag")?.as_integer()? & 0xff {
        // List, set, list that may hold null.
        1 | 2 | 4 => Some(Shape::List(items)),
        3 => pairs(items),
        _ => None,
    }
}

fn pairs<'d>(items: Vec<FieldValue>) -> Option<Shape<'d>> {
    let (pairs, []) = items.as_chunks::<2>() else { return None };
    Some(Shape::Map(pairs.iter().map(|&[key, value]| (key, value)).collect()))
}
