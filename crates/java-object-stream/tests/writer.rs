//! What the writer makes: Java's own bytes, and errors for what fits no class.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod support;

use java_object_stream::{ClassDescriptor, Document, Handle, Limits, Value, WriteError, Writer, class_name};
use support::vector;

fn jdk(name: &str) -> &'static ClassDescriptor {
    ClassDescriptor::jdk(name).unwrap_or_else(|| panic!("{name}"))
}

/// `content` writes the bytes of the vector.
#[track_caller]
fn writes(name: &str, content: impl FnOnce(&mut Writer) -> Result<(), WriteError>) {
    let mut writer = Writer::new();
    content(&mut writer).unwrap();
    assert_eq!(hex::encode(writer.finish()), hex::encode(vector(name)), "{name}");
}

/// An `ArrayList` of the string "a".
fn list_of_a(writer: &mut Writer) -> Result<Handle, WriteError> {
    let list = writer.begin_object(jdk("java.util.ArrayList"));
    writer.write_i32(1);
    writer.begin_annotation();
    writer.write_i32(1);
    writer.write_string("a");
    writer.end_object()?;
    Ok(list)
}

#[test]
fn values_without_parts() {
    writes("null", |w| {
        w.write_null();
        Ok(())
    });
    writes("byte", |w| {
        w.write_byte(-1);
        Ok(())
    });
    writes("string_lone_surrogate", |w| {
        w.write_string_bytes(b"\xed\xa0\xbd");
        Ok(())
    });
    writes("byte_array_empty", |w| {
        w.write_byte_array(&[]);
        Ok(())
    });
    writes("top_level_primitives", |w| {
        w.write_i32(1);
        w.write_utf("ab")?;
        w.write_i64(-1);
        w.write_bool(true);
        w.write_string("x");
        w.write_i8(9);
        Ok(())
    });
}

#[test]
fn arrays_of_primitives_and_of_values() {
    writes("int_array", |w| {
        w.begin_array(jdk("[I"), 3);
        [1, -1, i32::MAX].into_iter().for_each(|n| w.write_i32(n));
        w.end_object()
    });
    writes("char_array", |w| {
        w.begin_array(jdk("[C"), 2);
        "a€".encode_utf16().for_each(|unit| w.write_char(unit));
        w.end_object()
    });
    writes("double_array", |w| {
        w.begin_array(jdk("[D"), 1);
        w.write_f64(2.5);
        w.end_object()
    });
    writes("string_array", |w| {
        w.begin_array(jdk("[Ljava.lang.String;"), 3);
        let a = w.write_string("a");
        w.write_null();
        w.write_reference(a);
        w.end_object()
    });
    writes("integer_array", |w| {
        w.begin_array(jdk("[Ljava.lang.Integer;"), 3);
        [1, 1000, 1].into_iter().for_each(|n| w.write_integer(n));
        w.end_object()
    });
    let ints = ClassDescriptor::new("[[I", 0x17f7_e44f_198f_893c, ClassDescriptor::SERIALIZABLE, &[], None);
    writes("array_of_arrays", |w| {
        w.begin_array(&ints, 3);
        w.begin_array(jdk("[I"), 1);
        w.write_i32(1);
        w.end_object()?;
        w.begin_array(jdk("[I"), 0);
        w.end_object()?;
        w.write_null();
        w.end_object()
    });
}

#[test]
fn an_enum_constant_is_one_object() {
    let enums = jdk("java.lang.Enum");
    let color = ClassDescriptor::new("org.example.Color", 0, ClassDescriptor::ENUM, &[], Some(enums));
    writes("enum", |w| {
        w.write_enum(&color, "GREEN");
        Ok(())
    });
    writes("enum_twice", |w| {
        w.begin_array(jdk("[Ljava.lang.Object;"), 3);
        ["RED", "BLUE", "RED"].into_iter().for_each(|constant| w.write_enum(&color, constant));
        w.end_object()
    });
}

#[test]
fn wrappers_mention_what_they_hold_again() {
    writes("unmodifiable_list", |w| {
        w.begin_object(jdk("java.util.Collections$UnmodifiableList"));
        let list = list_of_a(w)?;
        w.write_reference(list);
        w.end_object()
    });
    writes("synchronized_list", |w| {
        let own = w.begin_object(jdk("java.util.Collections$SynchronizedList"));
        let list = list_of_a(w)?;
        w.write_reference(own);
        w.begin_annotation();
        w.end_annotation();
        w.write_reference(list);
        w.end_object()
    });
    writes("reverse_order", |w| {
        w.begin_object(jdk("java.util.Collections$ReverseComparator"));
        w.end_object()
    });
    writes("tree_map_comparator", |w| {
        w.begin_object(jdk("java.util.TreeMap"));
        w.begin_object(jdk("java.lang.String$CaseInsensitiveComparator"));
        w.end_object()?;
        w.begin_annotation();
        w.write_i32(1);
        w.write_string("B");
        w.write_integer(2);
        w.end_object()
    });
    writes("unmodifiable_sorted_map", |w| {
        w.begin_object(jdk("java.util.Collections$UnmodifiableSortedMap"));
        let map = w.begin_object(jdk("java.util.TreeMap"));
        w.write_null();
        w.begin_annotation();
        w.write_i32(2);
        for (key, value) in [("a", 1), ("b", 2)] {
            w.write_string(key);
            w.write_integer(value);
        }
        w.end_object()?;
        w.write_reference(map);
        w.end_object()
    });
}

#[test]
fn objects_may_contain_themselves() {
    writes("cyclic_list", |w| {
        let list = w.begin_object(jdk("java.util.ArrayList"));
        w.write_i32(1);
        w.begin_annotation();
        w.write_i32(1);
        w.write_reference(list);
        w.end_object()
    });
    let fields = [("I", "value"), ("Lorg/example/Node;", "next")];
    let node = ClassDescriptor::new("org.example.Node", 10, ClassDescriptor::SERIALIZABLE, &fields, None);
    writes("cyclic_nodes", |w| {
        let first = w.begin_object(&node);
        w.write_i32(1);
        w.begin_object(&node);
        w.write_i32(2);
        w.write_reference(first);
        w.end_object()?;
        w.end_object()
    });
}

#[test]
fn runs_of_primitive_data_are_cut_as_java_cuts_them() {
    let class = ClassDescriptor::new("org.example.Ext", 9, ClassDescriptor::EXTERNALIZABLE, &[], None);
    for (name, len, value) in [
        ("externalizable", 3u32, Some("o")),
        ("block_255", 251, None),
        ("block_1024", 1020, None),
        ("block_1500", 1500, None),
        ("block_3000", 3000, Some("end")),
    ] {
        writes(name, |w| {
            w.begin_object(&class);
            w.write_i32(len as i32);
            let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            // In pieces: how a run was written does not show.
            bytes.chunks(100).for_each(|piece| w.write_bytes(piece));
            match value {
                Some(text) => drop(w.write_string(text)),
                None => w.write_null(),
            }
            w.write_i16(-3);
            w.end_object()
        });
    }
}

#[test]
fn small_boxed_values_are_shared_and_others_are_not() {
    let mut writer = Writer::new();
    for _ in 0..2 {
        writer.write_integer(127);
        writer.write_integer(128);
        writer.write_long(-128);
        writer.write_short(7);
        writer.write_byte(7);
        writer.write_boolean(true);
        writer.write_character(0x7f);
        writer.write_character(0x80);
        writer.write_float(0.0);
        writer.write_double(0.0);
    }
    let document = Document::parse(writer.finish(), &Limits::default()).unwrap();
    let nodes: Vec<_> = document.contents().collect();
    let shared: Vec<bool> = (0..10).map(|n| nodes[n] == nodes[n + 10]).collect();
    assert_eq!(shared, [true, false, true, true, true, true, true, false, false, false]);
}

#[test]
fn what_fits_no_class_is_an_error() {
    let fields = [("I", "x"), ("Ljava/lang/String;", "label")];
    let plain = ClassDescriptor::new("A", 1, ClassDescriptor::SERIALIZABLE, &fields, None);
    let noted = ClassDescriptor::new("B", 1, ClassDescriptor::WRITE_OBJECT, &[], None);
    let ints = jdk("[I");
    let refused = |content: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::new();
        content(&mut writer);
        assert_eq!(writer.end_object(), Err(WriteError::Layout));
    };
    // A field too few, too many, of another type, and a primitive for a value.
    refused(&|w| {
        w.begin_object(&plain);
        w.write_i32(1);
    });
    refused(&|w| {
        w.begin_object(&plain);
        w.write_i32(1);
        w.write_null();
        w.write_null();
    });
    refused(&|w| {
        w.begin_object(&plain);
        w.write_i64(1);
        w.write_null();
    });
    refused(&|w| {
        w.begin_object(&plain);
        w.write_null();
        w.write_null();
    });
    // Bytes without their annotation, one annotation in another, none at all.
    refused(&|w| {
        w.begin_object(&noted);
        w.write_bytes(&[0x78]);
    });
    refused(&|w| {
        w.begin_object(&noted);
        w.begin_annotation();
        w.begin_annotation();
    });
    refused(&|w| {
        w.begin_object(&noted);
        w.end_annotation();
    });
    refused(&|w| {
        w.begin_object(&noted);
    });
    // Elements too few, too many, of another type, of no array.
    refused(&|w| {
        w.begin_array(ints, 1);
    });
    refused(&|w| {
        w.begin_array(ints, 0);
        w.write_i32(1);
    });
    refused(&|w| {
        w.begin_array(ints, 1);
        w.write_null();
    });
    refused(&|w| {
        w.begin_array(&plain, 0);
    });
    let mut writer = Writer::new();
    writer.begin_annotation();
    writer.end_annotation();
    assert!(writer.is_empty());
    assert_eq!(writer.end_object(), Err(WriteError::Unbalanced));
    let long = "x".repeat(65_536);
    assert_eq!(writer.write_utf(&long), Err(WriteError::UtfTooLong(65_536)));
    assert!(writer.is_empty());
}

#[test]
fn every_way_to_begin_writes_the_header() {
    for writer in [Writer::new(), Writer::default(), Writer::with_capacity(0)] {
        assert!(writer.is_empty());
        assert_eq!(*writer.finish(), *b"\xac\xed\x00\x05");
    }
}

#[test]
fn strings_beyond_65535_bytes_are_written_in_the_long_form() {
    for (len, long) in [(65_535, false), (65_536, true)] {
        let mut writer = Writer::new();
        writer.write_string(&"x".repeat(len));
        let document = Document::parse(writer.finish(), &Limits::default()).unwrap();
        let text = document.value(document.root().unwrap()).as_string().unwrap();
        assert_eq!((text.as_bytes().len(), text.is_long_form()), (len, long));
    }
}

#[test]
fn what_cannot_be_spliced_leaves_the_stream_as_it_was() {
    let bean = vector("bean");
    let mut writer = Writer::new();
    writer.write_string("before");
    writer.write_i32(7);
    let len = writer.len();
    for bad in
        [&b""[..], b"\xac\xed\x00\x05", &bean[..bean.len() - 1], &vector("two_top_level_objects"), &vector("reset")]
    {
        assert!(writer.write_stream_value(bad).is_err());
    }
    let document = Document::parse(vector("not_serializable_at_top_level"), &Limits::default()).unwrap();
    let nodes: Vec<_> = document.contents().collect();
    assert!(writer.write_value(&document, nodes[1]).is_err());
    assert_eq!(writer.len(), len);
    writer.write_value(&document, nodes[2]).unwrap();
    let document = Document::parse(writer.finish(), &Limits::default()).unwrap();
    let texts: Vec<_> = document.contents().filter_map(|node| document.value(node).as_string()).collect();
    assert_eq!(texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(), [&b"before"[..], b"after"]);
}

/// A stream may bring any number of classes of one name. Comparing each with all would take its time squared.
#[test]
fn many_classes_of_one_name_stay_apart() {
    let classes: Vec<_> =
        (0..100).map(|n| ClassDescriptor::new("A", n, ClassDescriptor::SERIALIZABLE, &[], None)).collect();
    let mut writer = Writer::new();
    for class in classes.iter().chain(&classes) {
        writer.begin_object(class);
        writer.end_object().unwrap();
    }
    let document = Document::parse(writer.finish(), &Limits::default()).unwrap();
    let suids = document.contents().map(|node| match document.value(node) {
        Value::Object(object) => object.class().suid(),
        other => panic!("{other:?}"),
    });
    assert!(suids.eq((0..100).chain(0..100)));
}

#[test]
fn a_class_is_found_by_its_whole_chain() {
    let old = ClassDescriptor::new("Base", 1, ClassDescriptor::SERIALIZABLE, &[], None);
    let new = ClassDescriptor::new("Base", 2, ClassDescriptor::SERIALIZABLE, &[], None);
    let own = |base| ClassDescriptor::new("Own", 1, ClassDescriptor::SERIALIZABLE, &[], Some(base));
    let mut writer = Writer::new();
    for class in [own(&old), own(&new), own(&old), own(&new)] {
        writer.begin_object(&class);
        writer.end_object().unwrap();
    }
    let document = Document::parse(writer.finish(), &Limits::default()).unwrap();
    let classes: Vec<_> = document.contents().map(|node| document.value(node).as_object().unwrap().class()).collect();
    let bases: Vec<_> = classes.iter().map(|class| class.superclass().unwrap().suid()).collect();
    assert_eq!(bases, [1, 2, 1, 2]);
    assert_eq!((classes[0].node(), classes[1].node()), (classes[2].node(), classes[3].node()));
    assert_eq!(class_name(&document.cut(document.contents().next().unwrap()).unwrap()).unwrap(), "Own");
}
