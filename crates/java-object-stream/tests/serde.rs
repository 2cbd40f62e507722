//! Rust values through Java streams, and Java's own bytes where a vector exists.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod support;

use java_object_stream::{
    ClassDescriptor, Document, Error, JavaBytes, JavaDate, JavaInstant, JavaUuid, Limit, Limits, ReadErrorKind, Writer,
    class_name, from_bytes, from_bytes_within, to_bytes,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use support::vector;

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
    paid: Option<JavaInstant>,
    id: JavaUuid,
    icon: JavaBytes,
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
        paid: Some(JavaInstant(-1)),
        id: JavaUuid(*b"0123456789abcdef"),
        icon: JavaBytes(vec![0, 0x7f, 0x80, 0xff]),
        letter: 'é',
    };
    let stream = to_bytes(&cart).unwrap();
    assert_eq!(class_name(&stream).unwrap(), "java.util.LinkedHashMap");
    assert_eq!(from_bytes::<Cart>(&stream).unwrap(), cart);
}

/// `value` is written as the bytes of the vector, and is what they are read as.
fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, name: &str) {
    assert_eq!(hex::encode(to_bytes(&value).unwrap()), hex::encode(vector(name)), "{name}");
    assert_eq!(from_bytes::<T>(&vector(name)).unwrap(), value, "{name}");
}

#[test]
fn the_bytes_that_java_writes() {
    both_ways(-1i8, "byte");
    both_ways(42i32, "integer");
    both_ways(i32::MIN, "integer_min");
    both_ways(1_700_000_000_000i64, "long");
    both_ways(1.5f32, "float");
    both_ways(-0.1f64, "double");
    both_ways("hello".to_owned(), "string_ascii");
    both_ways("é".to_owned(), "string_latin1");
    both_ways("\u{1f600}".to_owned(), "string_supplementary");
    both_ways((), "null");
    both_ways(None::<i32>, "null");
    both_ways(Some(42), "integer");
    both_ways(JavaBytes(vec![]), "byte_array_empty");
    both_ways(JavaDate(1_700_000_000_000), "date");
    both_ways(JavaInstant(1_700_000_000_000_000_005), "instant");
    both_ways(JavaUuid(0x0011_2233_4455_6677_8899_aabb_ccdd_eeffu128.to_be_bytes()), "uuid");
    both_ways(vec!["a".to_owned(), "b".to_owned()], "array_list");
    both_ways(("a".to_owned(), "b".to_owned()), "array_list");
    both_ways(Vec::<i32>::new(), "array_list_empty");
    assert_eq!(to_bytes(&f64::NAN).unwrap(), vector("double_nan"));
    assert!(from_bytes::<f64>(&vector("double_nan")).unwrap().is_nan());
}

#[test]
fn structs_and_maps_are_linked_hash_maps() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Entries {
        z: i32,
        a: i32,
    }
    both_ways(Entries { z: 1, a: 2 }, "linked_hash_map");
    let map = BTreeMap::from([("a".to_owned(), 2), ("z".to_owned(), 1)]);
    assert_eq!(from_bytes::<BTreeMap<String, i32>>(&vector("linked_hash_map")).unwrap(), map);
    let stream = to_bytes(&map).unwrap();
    assert_eq!(class_name(&stream).unwrap(), "java.util.LinkedHashMap");
    assert_eq!(from_bytes::<BTreeMap<String, i32>>(&stream).unwrap(), map);
    let empty = to_bytes(&BTreeMap::<String, i32>::new()).unwrap();
    assert!(from_bytes::<BTreeMap<String, i32>>(&empty).unwrap().is_empty());
}

/// Buckets and threshold as Java's own table has them: doubled beyond three quarters.
#[test]
fn a_map_says_how_many_buckets_java_would_have() {
    for (entries, buckets, threshold) in [(0, 16, 0), (1, 16, 12), (12, 16, 12), (13, 32, 24), (25, 64, 48)] {
        let map: BTreeMap<i32, i32> = (0..entries).map(|n| (n, n)).collect();
        let document = Document::parse(to_bytes(&map).unwrap(), &Limits::default()).unwrap();
        let object = document.value(document.root().unwrap()).as_object().unwrap();
        assert_eq!(object.field("threshold").unwrap().as_integer(), Some(threshold), "{entries}");
        let mut contents = object.contents_of("java.util.HashMap").unwrap();
        assert_eq!((contents.read_i32().unwrap(), contents.read_i32().unwrap()), (buckets, entries));
    }
}

#[test]
fn booleans_and_chars_are_boxed() {
    for (stream, class) in [(to_bytes(&true), "java.lang.Boolean"), (to_bytes(&'x'), "java.lang.Character")] {
        assert_eq!(class_name(&stream.unwrap()).unwrap(), class);
    }
    for flag in [true, false] {
        assert_eq!(from_bytes::<bool>(&to_bytes(&flag).unwrap()).unwrap(), flag);
    }
    for char in ['x', '\0', '€', '\u{1f600}'] {
        assert_eq!(from_bytes::<char>(&to_bytes(&char).unwrap()).unwrap(), char);
    }
}

#[test]
fn javas_lists_and_sets_are_read() {
    for (name, items) in [
        ("array_list", "ab"),
        ("array_deque", "a"),
        ("vector", "a"),
        ("stack", "s"),
        ("copy_on_write_array_list", "a"),
        ("concurrent_linked_queue", "a"),
        ("arrays_as_list", "ab"),
        ("hash_set", "ab"),
        ("singleton", "a"),
        ("unmodifiable_collection", "a"),
        ("unmodifiable_list", "a"),
        ("unmodifiable_set", "a"),
        ("synchronized_list", "a"),
        ("list_of_0", ""),
        ("list_of_3", "abc"),
        ("set_of_0", ""),
        ("set_of_1", "a"),
        ("empty_list", ""),
        ("empty_set", ""),
    ] {
        let read = from_bytes::<Vec<String>>(&vector(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.concat(), items, "{name}");
    }
    for name in ["linked_list", "priority_queue", "tree_set", "sub_list_copy"] {
        assert_eq!(from_bytes::<Vec<i32>>(&vector(name)).unwrap(), [1, 2], "{name}");
    }
    let nulls = from_bytes::<Vec<Option<String>>>(&vector("list_copy_of_nulls")).unwrap();
    assert_eq!(nulls, [Some("a".to_owned()), None]);
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    enum Color {
        Red,
        Green,
        Blue,
    }
    assert_eq!(from_bytes::<Color>(&vector("enum")).unwrap(), Color::Green);
    assert_eq!(from_bytes::<Vec<Color>>(&vector("enum_set")).unwrap(), [Color::Red, Color::Blue]);
    assert_eq!(from_bytes::<BTreeMap<String, String>>(&vector("enum_map")).unwrap()["GREEN"], "g");
}

#[test]
fn javas_maps_are_read() {
    for (name, pair) in [
        ("hashtable", ("k", "v")),
        ("properties", ("k", "v")),
        ("concurrent_hash_map", ("k", "v")),
        ("concurrent_skip_list_map", ("k", "v")),
        ("singleton_map", ("k", "v")),
        ("map_of_1", ("k", "v")),
    ] {
        let read = from_bytes::<BTreeMap<String, String>>(&vector(name)).unwrap();
        assert_eq!(read, BTreeMap::from([(pair.0.to_owned(), pair.1.to_owned())]), "{name}");
    }
    for name in ["tree_map", "unmodifiable_sorted_map"] {
        let read = from_bytes::<BTreeMap<String, i32>>(&vector(name)).unwrap();
        assert_eq!(read, BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]), "{name}");
    }
    assert_eq!(from_bytes::<BTreeMap<String, i32>>(&vector("tree_map_comparator")).unwrap()["B"], 2);
    assert_eq!(from_bytes::<BTreeMap<String, String>>(&vector("map_of_2")).unwrap()["x"], "y");
    assert!(from_bytes::<BTreeMap<String, i32>>(&vector("empty_map")).unwrap().is_empty());
    for name in ["hash_map", "unmodifiable_map", "synchronized_map"] {
        let read = from_bytes::<BTreeMap<Option<String>, serde_json::Value>>(&vector(name)).unwrap();
        assert_eq!(read[&Some("k2".to_owned())], 2, "{name}");
        assert!(read[&None].is_null(), "{name}");
    }
}

#[test]
fn javas_arrays_are_read() {
    assert_eq!(from_bytes::<Vec<i32>>(&vector("int_array")).unwrap(), [1, -1, i32::MAX]);
    assert_eq!(from_bytes::<[i64; 1]>(&vector("long_array")).unwrap(), [1]);
    assert_eq!(from_bytes::<Vec<i16>>(&vector("short_array")).unwrap(), [1, -1]);
    assert_eq!(from_bytes::<String>(&vector("string_ascii")).unwrap(), "hello");
    assert_eq!(from_bytes::<Vec<char>>(&vector("char_array")).unwrap(), ['a', '€']);
    assert_eq!(from_bytes::<Vec<bool>>(&vector("boolean_array")).unwrap(), [true, false]);
    assert_eq!(from_bytes::<Vec<f32>>(&vector("float_array")).unwrap(), [1.5]);
    assert_eq!(from_bytes::<Vec<f64>>(&vector("double_array")).unwrap(), [2.5]);
    assert_eq!(
        from_bytes::<Vec<Option<Vec<i32>>>>(&vector("array_of_arrays")).unwrap(),
        [Some(vec![1]), Some(vec![]), None]
    );
    // Bytes are numbers with or without a sign, as the type asked for has it.
    let bytes = to_bytes(&JavaBytes(vec![1, 0x80])).unwrap();
    assert_eq!(from_bytes::<Vec<u8>>(&bytes).unwrap(), [1, 0x80]);
    assert_eq!(from_bytes::<[u8; 2]>(&bytes).unwrap(), [1, 0x80]);
    assert_eq!(from_bytes::<Vec<i8>>(&bytes).unwrap(), [1, -128]);
}

#[test]
fn other_numbers_and_dates_are_read() {
    assert_eq!(from_bytes::<i32>(&vector("atomic_integer")).unwrap(), 5);
    assert_eq!(from_bytes::<JavaDate>(&vector("sql_date")).unwrap(), JavaDate(1_700_000_000_000));
    // A timestamp keeps its milliseconds apart from its date.
    assert_eq!(from_bytes::<JavaDate>(&vector("sql_timestamp")).unwrap(), JavaDate(1_700_000_000_123));
    let mut flag = Writer::new();
    flag.begin_object(ClassDescriptor::jdk("java.util.concurrent.atomic.AtomicBoolean").unwrap());
    flag.write_i32(1);
    flag.end_object().unwrap();
    assert!(from_bytes::<bool>(&flag.finish()).unwrap());
    assert_eq!(from_bytes::<i128>(&vector("long")).unwrap(), 1_700_000_000_000);
    // Classes of java.time that share their form with Instant are not taken for one.
    assert_eq!(from_bytes::<JavaInstant>(&vector("duration")).unwrap_err(), Error::Class("java.time.Ser".into()));
}

#[test]
fn instants_end_where_javas_do() {
    for seconds in [-31_557_014_167_219_200i128, -1, 0, 31_556_889_864_403_199] {
        let instant = JavaInstant(seconds * 1_000_000_000 + 7);
        assert_eq!(from_bytes::<JavaInstant>(&to_bytes(&instant).unwrap()).unwrap(), instant);
    }
    for nanos in [i128::MIN, i128::MAX, 31_556_889_864_403_200_000_000_000] {
        assert!(matches!(to_bytes(&JavaInstant(nanos)), Err(Error::Type(_))), "{nanos}");
    }
}

#[test]
fn newtypes_ask_for_their_class_only_for_their_own_content() {
    #[derive(Serialize)]
    #[serde(rename = "java.util.Date")]
    struct NoDate(Vec<i64>);
    let stream = to_bytes(&(NoDate(vec![1 << 40]), 1i64 << 40)).unwrap();
    let read: Vec<serde_json::Value> = from_bytes(&stream).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), "[[1099511627776],1099511627776]");
    let document = Document::parse(stream, &Limits::default()).unwrap();
    assert!(!document.source().windows(14).any(|bytes| bytes == b"java.util.Date"));
}

#[test]
fn widths_are_converted_if_the_number_fits() {
    assert_eq!(from_bytes::<i64>(&to_bytes(&7i32).unwrap()).unwrap(), 7);
    assert_eq!(from_bytes::<u8>(&to_bytes(&200u64).unwrap()).unwrap(), 200);
    assert!(matches!(from_bytes::<i8>(&to_bytes(&1000).unwrap()), Err(Error::Type(_))));
    assert_eq!(to_bytes(&u64::MAX).unwrap_err(), Error::TooLarge(u64::MAX.into()));
    assert_eq!(to_bytes(&i128::MIN).unwrap_err(), Error::TooLarge(i128::MIN));
}

#[test]
fn the_newtypes_pass_through_other_formats() {
    let values = (JavaDate(5), JavaInstant(-5), JavaUuid([7; 16]), JavaBytes(vec![1, 2]));
    let json = serde_json::to_string(&values).unwrap();
    assert_eq!(serde_json::from_str::<(JavaDate, JavaInstant, JavaUuid, JavaBytes)>(&json).unwrap(), values);
}

#[test]
fn what_cannot_be_read_is_named() {
    assert_eq!(from_bytes::<String>(&vector("bean")).unwrap_err(), Error::Class("org.example.Point".into()));
    assert_eq!(from_bytes::<i32>(&vector("proxy")).unwrap_err(), Error::Class("java.lang.reflect.Proxy".into()));
    assert!(matches!(from_bytes::<Vec<Vec<i32>>>(b"\xac\xed\0\x05"), Err(Error::Read(_))));
    assert_eq!(class_name(&vector("int_array")).unwrap(), "[I");
    assert_eq!(class_name(&vector("enum")).unwrap(), "org.example.Color");
    assert_eq!(class_name(&vector("null")).unwrap_err().kind, ReadErrorKind::NullValue);
}

#[test]
fn a_class_nobody_asks_for_may_be_unknown() {
    let mut writer = Writer::new();
    writer.begin_object(ClassDescriptor::jdk("java.util.Collections$SingletonMap").unwrap());
    writer.write_string("bean");
    writer.write_stream_value(&vector("bean")).unwrap();
    writer.end_object().unwrap();
    let stream = writer.finish();
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default)]
    struct Known {
        count: i32,
    }
    impl Default for Known {
        fn default() -> Self {
            Known { count: 3 }
        }
    }
    assert_eq!(from_bytes::<Known>(&stream).unwrap(), Known { count: 3 });
    assert!(matches!(from_bytes::<serde_json::Value>(&stream), Err(Error::Class(_))));
}

#[derive(Debug, Deserialize)]
struct Nest(#[allow(dead_code, reason = "only its depth matters")] Vec<Nest>);

#[test]
fn what_contains_itself_ends_at_a_limit() {
    assert_eq!(from_bytes::<Nest>(&vector("cyclic_list")).unwrap_err(), Error::TooDeep(128));
    // A type that never gets anywhere.
    #[derive(Debug, Deserialize)]
    struct Loop(#[allow(dead_code, reason = "never made")] Option<Box<Loop>>);
    assert_eq!(from_bytes::<Loop>(&vector("integer")).unwrap_err(), Error::TooDeep(128));
    // A wrapper, and a list of an array, in themselves.
    for class in ["java.util.Collections$UnmodifiableCollection", "java.util.Arrays$ArrayList"] {
        let mut writer = Writer::new();
        let own = writer.begin_object(ClassDescriptor::jdk(class).unwrap());
        writer.write_reference(own);
        writer.end_object().unwrap();
        assert_eq!(from_bytes::<Nest>(&writer.finish()).unwrap_err(), Error::Class(class.into()));
    }
}

#[test]
fn wrappers_of_wrappers_are_looked_through() {
    let class = ClassDescriptor::jdk("java.util.Collections$UnmodifiableCollection").unwrap();
    for (inner, items) in [("unmodifiable_list", 1), ("empty_list", 0), ("arrays_as_list", 2)] {
        let mut writer = Writer::new();
        writer.begin_object(class);
        writer.write_stream_value(&vector(inner)).unwrap();
        writer.end_object().unwrap();
        assert_eq!(from_bytes::<Vec<String>>(&writer.finish()).unwrap().len(), items, "{inner}");
    }
}

/// An `Object[]` that mentions one value `count` times.
fn mentioned(count: u32, value: impl FnOnce(&mut Writer) -> java_object_stream::Handle) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.begin_array(ClassDescriptor::jdk("[Ljava.lang.Object;").unwrap(), count);
    let value = value(&mut writer);
    for _ in 1..count {
        writer.write_reference(value);
    }
    writer.end_object().unwrap();
    writer.finish().to_vec()
}

#[test]
fn what_is_mentioned_often_is_paid_each_time() {
    let limits = Limits { elements_max: 1000, bytes_max: 10_000, ..Limits::default() };
    let kind = |error: Error| match error {
        Error::Read(error) => error.kind,
        other => panic!("{other}"),
    };
    let list = |writer: &mut Writer| {
        let list = writer.begin_array(ClassDescriptor::jdk("[Ljava.lang.Object;").unwrap(), 99);
        (0..99).for_each(|_| writer.write_null());
        writer.end_object().unwrap();
        list
    };
    let lists = |count| from_bytes_within::<Vec<Vec<Option<i32>>>>(&mentioned(count, list), &limits);
    assert_eq!(lists(10).unwrap().len(), 10);
    assert_eq!(kind(lists(11).unwrap_err()), ReadErrorKind::Limit(Limit::Elements));

    let text = |writer: &mut Writer| writer.write_string(&"x".repeat(1000));
    let texts = |count| from_bytes_within::<Vec<String>>(&mentioned(count, text), &limits);
    assert_eq!(texts(10).unwrap().len(), 10);
    assert_eq!(kind(texts(11).unwrap_err()), ReadErrorKind::Limit(Limit::Bytes));

    let longs = |writer: &mut Writer| {
        let longs = writer.begin_array(ClassDescriptor::jdk("[J").unwrap(), 125);
        (0..125).for_each(|n| writer.write_i64(n));
        writer.end_object().unwrap();
        longs
    };
    let arrays = |count| from_bytes_within::<Vec<Vec<i64>>>(&mentioned(count, longs), &limits);
    assert_eq!(arrays(10).unwrap()[9][124], 124);
    assert_eq!(kind(arrays(11).unwrap_err()), ReadErrorKind::Limit(Limit::Bytes));
}

#[test]
fn a_tuple_takes_a_list_of_its_length() {
    let stream = to_bytes(&[1, 2, 3]).unwrap();
    assert_eq!(from_bytes::<(i32, i32, i32)>(&stream).unwrap(), (1, 2, 3));
    assert!(matches!(from_bytes::<(i32, i32)>(&stream), Err(Error::Type(_))));
    assert!(matches!(from_bytes::<[i32; 4]>(&stream), Err(Error::Type(_))));
}
