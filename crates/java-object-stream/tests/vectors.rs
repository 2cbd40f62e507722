//! Every golden vector: parsed to its view, written back byte for byte, never a panic when mutated.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod support;

use java_object_stream::{Document, Limits, Value, Writer};
use support::{vector, vectors, view};

#[test]
fn every_vector_is_written_back_byte_for_byte() {
    let vectors = vectors();
    assert!(vectors.len() > 100);
    for vector in vectors {
        let document = Document::parse(vector.bytes.clone(), &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        assert_eq!(hex::encode(document.write()), hex::encode(&vector.bytes), "{}", vector.name);
    }
}

#[test]
fn every_vector_parses_to_its_view() {
    for vector in vectors() {
        if vector.view.is_null() {
            continue;
        }
        let document = Document::parse(vector.bytes.clone(), &Limits::default()).unwrap();
        assert_eq!(view(&document), vector.view, "{}", vector.name);
    }
}

/// Strings, objects and arrays of the vectors that are one value are what Java writes for them alone.
#[test]
fn cutting_the_only_value_gives_the_stream() {
    for vector in vectors() {
        let document = Document::parse(vector.bytes.clone(), &Limits::default()).unwrap();
        if let Ok(root) = document.root() {
            assert_eq!(document.cut(root).unwrap(), vector.bytes, "{}", vector.name);
        }
    }
}

#[test]
fn a_value_cut_out_of_two_spliced_ones_is_the_value() {
    let values: Vec<_> = vectors()
        .iter()
        .filter(|v| Document::parse(v.bytes.clone(), &Limits::default()).unwrap().root().is_ok())
        .collect();
    let mut writer = Writer::new();
    for value in &values {
        writer.write_stream_value(&value.bytes).unwrap();
    }
    let all = Document::parse(writer.finish(), &Limits::default()).unwrap();
    assert_eq!(all.write(), *all.source());
    let mut cursor = all.cursor();
    for value in &values {
        let node = cursor.read_object().unwrap();
        assert_eq!(hex::encode(all.cut(node).unwrap()), hex::encode(&value.bytes), "{}", value.name);
    }
    assert!(cursor.is_at_end());
}

#[test]
fn equal_descriptors_of_spliced_values_are_written_once() {
    let bean = vector("bean_all_types");
    let mut writer = Writer::new();
    writer.write_stream_value(&bean).unwrap();
    let once = writer.len();
    writer.write_stream_value(&bean).unwrap();
    assert!(writer.len() < once + once / 3, "{} after {once}", writer.len());
}

#[test]
fn no_prefix_panics() {
    for vector in vectors() {
        for end in 0..vector.bytes.len().min(1_200) {
            let _ = Document::parse(vector.bytes[..end].to_vec(), &Limits::default());
        }
    }
}

#[test]
fn no_changed_byte_panics_and_what_parses_is_written_back() {
    for vector in vectors() {
        for at in 0..vector.bytes.len().min(700) {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = vector.bytes.clone();
                bytes[at] ^= change;
                if let Ok(document) = Document::parse(bytes.clone(), &Limits::default()) {
                    assert_eq!(document.write(), bytes, "{} byte {at}", vector.name);
                    for node in document.contents() {
                        let _ = document.cut(node);
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_given_up_by_its_writer_is_passed_over() {
    let document = Document::parse(vector("not_serializable_at_top_level"), &Limits::default()).unwrap();
    let mut cursor = document.cursor();
    let text = |node| document.value(node).as_string().unwrap().to_str().unwrap().into_owned();
    assert_eq!(text(cursor.read_object().unwrap()), "before");
    let node = cursor.read_object().unwrap();
    let Value::Aborted(aborted) = document.value(node) else { panic!() };
    let exception = document.value(aborted.exception()).as_object().unwrap();
    assert!(exception.class().is("java.io.NotSerializableException"));
    assert!(document.cut(node).is_err());
    assert_eq!(text(cursor.read_object().unwrap()), "after");
}

#[test]
fn a_class_that_leaves_its_fields_out_is_found() {
    let document = Document::parse(vector("bean_bare_write_object"), &Limits::default()).unwrap();
    let object = document.value(document.root().unwrap()).as_object().unwrap();
    assert!(object.class().leaves_out_fields());
    assert_eq!(object.field("value"), None);
    assert_eq!(object.contents().unwrap().read_i32().unwrap(), 7);
}
