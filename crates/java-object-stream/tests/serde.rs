//! Rust values through Java streams, and Java's own bytes where a vector exists.

use std::collections::BTreeMap;

use java_object_stream::{Error, JavaDate, JavaUuid, class_name, from_bytes, to_bytes};
use serde::{Deserialize, Serialize};

fn vector(name: &str) -> Vec<u8> {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("../../../vectors/java-serialization.json")).unwrap();
    let all = all["vectors"].as_array().unwrap();
    hex::decode(all.iter().find(|v| v["name"] == name).unwrap()["hex"].as_str().unwrap()).unwrap()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(f64),
    Line(i32, i32),
    Box { width: i64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    owner: String,
    items: Vec<i32>,
    note: Option<String>,
    shapes: Vec<Shape>,
    since: JavaDate,
    id: JavaUuid,
    letter: char,
}

#[test]
fn a_struct_comes_back() {
    let cart = Cart {
        owner: "alice\u{1f600}\0".into(),
        items: (0..40).collect(),
        note: None,
        shapes: vec![Shape::Dot, Shape::Circle(0.5), Shape::Line(1, -2), Shape::Box { width: 1 << 40 }],
        since: JavaDate(1_700_000_000_000),
        id: JavaUuid(*b"0123456789abcdef"),
        letter: 'é',
    };
    let stream = to_bytes(&cart).unwrap();
    assert_eq!(class_name(&stream).unwrap(), "java.util.LinkedHashMap");
    assert_eq!(from_bytes::<Cart>(&stream).unwrap(), cart);
}

#[test]
fn the_bytes_that_java_writes() {
    assert_eq!(to_bytes(&42).unwrap(), vector("integer"));
    assert_eq!(to_bytes("hello").unwrap(), vector("string_ascii"));
    assert_eq!(to_bytes(&()).unwrap(), vector("null"));
    assert_eq!(to_bytes(&JavaDate(1_700_000_000_000)).unwrap(), vector("date"));
    assert_eq!(to_bytes(&["a", "b"]).unwrap(), vector("array_list"));
    assert_eq!(to_bytes(&Vec::<i32>::new()).unwrap(), vector("array_list_empty"));
}

#[test]
fn javas_collections_are_read() {
    for name in
        ["array_list", "hash_set", "singleton", "array_deque", "vector", "copy_on_write_array_list", "arrays_as_list"]
    {
        let read = from_bytes::<Vec<String>>(&vector(name));
        assert!(read.as_ref().is_ok_and(|list| !list.is_empty()), "{name}: {read:?}");
    }
    for name in ["linked_list", "priority_queue", "tree_set"] {
        let mut read = from_bytes::<Vec<i32>>(&vector(name)).unwrap();
        read.sort_unstable();
        assert_eq!(read, [1, 2], "{name}");
    }
    for name in ["empty_list", "empty_set", "list_of_0"] {
        assert_eq!(from_bytes::<Vec<i32>>(&vector(name)).unwrap(), Vec::<i32>::new(), "{name}");
    }
    assert!(from_bytes::<BTreeMap<String, i32>>(&vector("empty_map")).unwrap().is_empty());
}

#[test]
fn widths_are_converted_if_the_number_fits() {
    assert_eq!(from_bytes::<i64>(&to_bytes(&7i32).unwrap()).unwrap(), 7);
    assert_eq!(from_bytes::<u8>(&to_bytes(&200u64).unwrap()).unwrap(), 200);
    assert!(matches!(from_bytes::<i8>(&to_bytes(&1000).unwrap()), Err(Error::Type(_))));
    assert_eq!(to_bytes(&u64::MAX).unwrap_err(), Error::TooLarge(u64::MAX));
    assert_eq!(from_bytes::<Vec<u8>>(&vector("byte_array_empty")).unwrap(), Vec::<u8>::new());
}

#[test]
fn what_cannot_be_read_is_named() {
    assert_eq!(from_bytes::<String>(&vector("bean")).unwrap_err(), Error::Class("org.example.Point".into()));
    assert!(matches!(from_bytes::<Vec<Vec<i32>>>(b"\xac\xed\0\x05"), Err(Error::Read(_))));
    // A list that contains itself ends at a limit, not on the stack.
    #[derive(Debug, Deserialize)]
    struct Nest(#[allow(dead_code)] Vec<Nest>);
    assert!(matches!(from_bytes::<Nest>(&vector("cyclic_list")), Err(Error::TooDeep(_))));
}
