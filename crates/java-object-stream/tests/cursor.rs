//! Reading contents in order: primitives over blocks, values, and errors that leave the cursor where it was.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use java_object_stream::{ClassDescriptor, Document, Limits, ReadErrorKind, Writer};

fn parse(contents: &[u8]) -> Document {
    Document::parse([b"\xac\xed\x00\x05", contents].concat(), &Limits::default()).unwrap()
}

/// The int 7 in three blocks with a reset and an empty block between, then a string.
fn split() -> Document {
    parse(b"\x77\x01\x00\x77\x00\x79\x77\x02\x00\x00\x7a\x00\x00\x00\x02\x07\x09\x74\x00\x01x")
}

#[test]
fn primitives_run_over_blocks() {
    let document = split();
    let mut cursor = document.cursor();
    assert_eq!(cursor.read_i32().unwrap(), 7);
    assert!(cursor.is_at_data());
    assert_eq!(cursor.read_u8().unwrap(), 9);
    assert!(!cursor.is_at_data() && !cursor.is_at_end());
    let text = document.value(cursor.read_object().unwrap()).as_string().unwrap();
    assert_eq!(text.as_bytes(), b"x");
    assert!(cursor.is_at_end());
}

#[test]
fn an_error_leaves_the_cursor_where_it_was() {
    let document = split();
    let mut cursor = document.cursor();
    let error = cursor.read_i64().unwrap_err();
    assert_eq!((error.kind, error.at), (ReadErrorKind::NoData, 21));
    let error = cursor.read_object().unwrap_err();
    assert_eq!((error.kind, error.at), (ReadErrorKind::UnreadData, 6));
    assert_eq!(cursor.read_bytes(6).unwrap_err().kind, ReadErrorKind::NoData);
    assert_eq!(cursor.read_bytes(usize::MAX).unwrap_err().kind, ReadErrorKind::NoData);
    assert_eq!(cursor.read_i32().unwrap(), 7);
    // 09 is the first byte of a length of two.
    assert_eq!(cursor.read_utf().unwrap_err().kind, ReadErrorKind::NoData);
    assert_eq!(cursor.offset(), 20);
    assert_eq!(cursor.read_bytes(1).unwrap(), [9]);
    cursor.read_object().unwrap();
    let error = cursor.read_object().unwrap_err();
    assert_eq!((error.kind, error.at), (ReadErrorKind::NoMoreContents, document.source().len()));
}

#[test]
fn primitives_are_read_as_they_were_written() {
    let mut writer = Writer::new();
    writer.write_bool(true);
    writer.write_i8(-2);
    writer.write_i16(-3);
    writer.write_char(0xd83d);
    writer.write_i32(i32::MIN);
    writer.write_i64(i64::MIN);
    writer.write_f32(-0.0);
    writer.write_f64(f64::INFINITY);
    writer.write_utf("\0\u{1f600}").unwrap();
    writer.write_utf_bytes(b"\xed\xa0\xbd").unwrap();
    let document = Document::parse(writer.finish(), &Limits::default()).unwrap();
    let mut cursor = document.cursor();
    assert!(cursor.read_bool().unwrap());
    assert_eq!(cursor.read_u8().unwrap() as i8, -2);
    assert_eq!(cursor.read_i16().unwrap(), -3);
    assert_eq!(cursor.read_u16().unwrap(), 0xd83d);
    assert_eq!(cursor.read_i32().unwrap(), i32::MIN);
    assert_eq!(cursor.read_i64().unwrap(), i64::MIN);
    assert_eq!(cursor.read_f32().unwrap().to_bits(), (-0.0f32).to_bits());
    assert_eq!(cursor.read_f64().unwrap(), f64::INFINITY);
    assert_eq!(cursor.read_utf().unwrap(), "\0\u{1f600}");
    assert_eq!(cursor.read_utf().unwrap_err().kind, ReadErrorKind::NotText);
    assert_eq!(cursor.read_utf_bytes().unwrap(), b"\xed\xa0\xbd");
    assert!(cursor.is_at_end());
}

#[test]
fn the_end_of_external_data_has_its_offset() {
    let class = ClassDescriptor::new("A", 1, ClassDescriptor::EXTERNALIZABLE, &[], None);
    let mut writer = Writer::new();
    writer.begin_object(&class);
    writer.write_i16(5);
    writer.end_object().unwrap();
    let document = Document::parse(writer.finish(), &Limits::default()).unwrap();
    let mut contents = document.value(document.root().unwrap()).as_object().unwrap().contents().unwrap();
    assert_eq!(contents.read_i16().unwrap(), 5);
    let error = contents.read_u8().unwrap_err();
    // The last byte of the stream is the 78 that ends the data.
    assert_eq!((error.kind, error.at), (ReadErrorKind::NoData, document.source().len() - 1));
}

#[test]
fn data_can_be_passed_over() {
    let document = split();
    let mut cursor = document.cursor();
    cursor.skip_data();
    assert!(cursor.read_object().is_ok());
    cursor.skip_data();
    assert!(cursor.is_at_end());
}
