//! What the JDK's classes hold, whatever their layout: a number, a text, a list, a map. Unknown classes have no shape.

use crate::array::Array;
use crate::cursor::Cursor;
use crate::document::Document;
use crate::error::ReadError;
use crate::field::FieldValue;
use crate::graph::NodeId;
use crate::limits::Limits;
use crate::object::Object;
use crate::value::{Text, Value};

/// The content of a value.
pub(crate) enum Shape<'d> {
    Null,
    /// A string, or the name of an enum constant.
    Text(Text<'d>),
    /// A boxed or atomic number, boolean or char; milliseconds of a date.
    Primitive(FieldValue),
    Bytes(&'d [u8]),
    Uuid([u8; 16]),
    List(Vec<FieldValue>),
    Map(Vec<(FieldValue, FieldValue)>),
}

/// The class of the only value of a stream, as `getClass().getName()` gives it: `java.lang.String`, `[B`, …
///
/// # Errors
/// The stream is malformed or does not hold exactly one value; `NullValue` for null.
pub fn class_name(stream: &[u8]) -> Result<String, ReadError> {
    let document = Document::parse(stream.to_vec(), &Limits::default())?;
    let root = document.root()?;
    match document.value(root) {
        Value::Null => Err(ReadError::new(crate::error::ReadErrorKind::NullValue, document.offset(root))),
        _ => Ok(class_of(&document, root)),
    }
}

/// The class of a value; `null` for null.
pub(crate) fn class_of(document: &Document, node: NodeId) -> String {
    let class = match document.value(node) {
        Value::String(_) => return "java.lang.String".to_owned(),
        Value::Class(_) => return "java.lang.Class".to_owned(),
        Value::Object(object) => object.class(),
        Value::Array(array) => array.class(),
        Value::Enum(class, _) => class,
        _ => return "null".to_owned(),
    };
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
    array.as_bytes().map_or_else(|| Shape::List(array.iter().collect()), Shape::Bytes)
}

fn of_object<'d>(document: &'d Document, object: Object<'d>) -> Option<Shape<'d>> {
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
        "java.util.Date" | "java.sql.Date" | "java.sql.Timestamp" => date(object),
        "java.util.UUID" => uuid(object),
        _ => match name.strip_prefix("java.util.")? {
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
            "Arrays$ArrayList" => shape(document, object.field_node("a")?),
            "Collections$EmptyList" | "Collections$EmptySet" => Some(Shape::List(Vec::new())),
            "Collections$EmptyMap" => Some(Shape::Map(Vec::new())),
            "Collections$SingletonList" | "Collections$SingletonSet" => {
                Some(Shape::List(vec![object.field("element")?]))
            }
            "Collections$SingletonMap" => Some(Shape::Map(vec![(object.field("k")?, object.field("v")?)])),
            "CollSer" => coll_ser(object),
            "HashMap" | "LinkedHashMap" | "TreeMap" | "Hashtable" | "Properties" | "IdentityHashMap" | "EnumMap" => {
                pairs(items(object.contents()?)?)
            }
            "concurrent.ConcurrentHashMap" => pairs(without_end(document, items(object.contents()?)?, 2)?),
            "concurrent.ConcurrentSkipListMap" => pairs(without_end(document, items(object.contents()?)?, 1)?),
            wrapper if wrapper.starts_with("Collections$") => {
                // A wrapper holds its collection in c or m; one that holds itself is no collection.
                let inner = object.field_node("c").or_else(|| object.field_node("m"))?;
                let wrapped = document.value(inner).as_object()?;
                let again = wrapped.class().name().to_str()?.starts_with("java.util.Collections$");
                if again { None } else { of_object(document, wrapped) }
            }
            _ => None,
        },
    }
}

fn date(object: Object<'_>) -> Option<Shape<'_>> {
    let ms = object.contents_of("java.util.Date")?.read_i64().ok()?;
    Some(Shape::Primitive(FieldValue::Long(ms)))
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
    Some(array.iter().take(count).collect())
}

fn coll_ser(object: Object<'_>) -> Option<Shape<'_>> {
    let items = items(object.contents()?)?;
    match object.field("tag")?.as_integer()? & 0xff {
        1 | 2 | 4 => Some(Shape::List(items)),
        3 => pairs(items),
        _ => None,
    }
}

fn pairs<'d>(items: Vec<FieldValue>) -> Option<Shape<'d>> {
    let (pairs, []) = items.as_chunks::<2>() else { return None };
    Some(Shape::Map(pairs.iter().map(|&[key, value]| (key, value)).collect()))
}
