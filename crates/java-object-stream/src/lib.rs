//! Read and write Java object serialization streams as data, without classes.
//!
//! What Java's `ObjectOutputStream` writes (the bytes that begin with `aced 0005`) is found in messages, caches,
//! session stores and files of Java programs. This crate is for programs in Rust that receive such streams, look into
//! them, keep them, change them, and write streams that Java reads. It has no list of classes that may occur: a stream
//! names its classes and describes their fields, and that is enough to read it, to take values out of it and to write
//! all of it again to the same bytes.
//!
//! | to | use |
//! |---|---|
//! | turn Rust values into Java objects and back | [`to_bytes`], [`from_bytes`] |
//! | look at any stream | [`Document`], [`Value`], [`Cursor`] |
//! | write any stream | [`Writer`], [`ClassDescriptor`] |
//! | move a value from one stream into another | [`Document::cut`], [`Writer::write_value`] |
//!
//! # Rust values
//!
//! Through serde: numbers, strings, lists and maps become what a Java program expects in their place, and what Java
//! writes for them is read, whatever list or map it was. The whole table is at [`to_bytes`].
//!
//! ```
//! let stream = java_object_stream::to_bytes(&vec!["apples", "pears"])?;
//! assert_eq!(java_object_stream::class_name(&stream)?, "java.util.ArrayList");
//! let fruits: Vec<String> = java_object_stream::from_bytes(&stream)?;
//! # assert_eq!(fruits, ["apples", "pears"]);
//! # Ok::<(), java_object_stream::Error>(())
//! ```
//!
//! # Reading a stream
//!
//! A [`Document`] is a graph: values are nodes, and a value that the stream mentions twice is one node. An object
//! shows its class, the values of its fields, and, if the class writes more than fields, a [`Cursor`] over that.
//!
//! ```
//! use java_object_stream::{Document, FieldValue, Limits, Value};
//!
//! # let mut writer = java_object_stream::Writer::new();
//! # let point = java_object_stream::ClassDescriptor::new("org.example.Point", 1, 2,
//! #     &[("I", "x"), ("I", "y"), ("Ljava/lang/String;", "label")], None);
//! # writer.begin_object(&point);
//! # writer.write_i32(1);
//! # writer.write_i32(-1);
//! # writer.write_string("p");
//! # writer.end_object()?;
//! # let stream = writer.finish();
//! // new Point(1, -1, "p")
//! let document = Document::parse(stream, &Limits::default())?;
//! let Value::Object(point) = document.value(document.root()?) else { panic!("not an object") };
//! assert!(point.class().is("org.example.Point"));
//! assert_eq!(point.field("y"), Some(FieldValue::Int(-1)));
//! let label = point.field_node("label").and_then(|node| document.value(node).as_string());
//! assert_eq!(label.and_then(|text| text.to_str()).as_deref(), Some("p"));
//! // Every class tells what it has:
//! for level in point.levels() {
//!     for (field, value) in level.fields() {
//!         println!("{}.{} = {value:?}", level.class().name().to_str_lossy(), field.name.to_str_lossy());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Writing a stream
//!
//! A [`Writer`] writes what Java would: descriptors once, primitive data in blocks, boxed numbers shared. It is told
//! the class of an object, then its field values in order, and says at the end whether they were those of the class.
//! Descriptors of common classes are ready under [`ClassDescriptor::jdk`].
//!
//! ```
//! use java_object_stream::{ClassDescriptor, Writer};
//!
//! // new ArrayList<>(List.of("a", "b"))
//! let mut writer = Writer::new();
//! writer.begin_object(ClassDescriptor::jdk("java.util.ArrayList").expect("in the table"));
//! writer.write_i32(2); // the field `size`
//! writer.begin_annotation(); // what ArrayList.writeObject adds
//! writer.write_i32(2);
//! writer.write_string("a");
//! writer.write_string("b");
//! writer.end_object()?;
//! let stream = writer.finish();
//! # let read: Vec<String> = java_object_stream::from_bytes(&stream).expect("a list");
//! # assert_eq!(read, ["a", "b"]);
//! # Ok::<(), java_object_stream::WriteError>(())
//! ```
//!
//! # From one stream into another
//!
//! A value can be taken out of a stream, with all it refers to, and become a stream of its own or a part of another,
//! whether its class is known or not. Sharing and cycles inside of it are kept, descriptors that the other stream has
//! already are not repeated.
//!
//! ```
//! use java_object_stream::{Document, Limits, Writer, from_bytes, to_bytes};
//!
//! let document = Document::parse(to_bytes(&("first", 2))?, &Limits::default())?;
//! let mut list = document.value(document.root()?).as_object().and_then(|list| list.contents()).expect("a list");
//! list.skip_data();
//! let first = list.read_object()?;
//! assert_eq!(from_bytes::<String>(&document.cut(first)?)?, "first");
//!
//! let mut other = Writer::new();
//! other.write_integer(1);
//! other.write_value(&document, first)?;
//! assert_eq!(Document::parse(other.finish(), &Limits::default())?.contents().len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Streams of others
//!
//! Bytes from a network may say anything. Reading them never panics, takes the same stack for any depth, never allocates
//! more than [`Limits`] allow, and loads no class: a name is text. What is wrong, and where, is in the [`ReadError`].
//!
//! ```
//! use java_object_stream::{Document, Limit, Limits, ReadErrorKind};
//!
//! // A string that claims to be 1 MiB long, and a reader who takes 64 KiB.
//! let stream = &b"\xac\xed\x00\x05\x7c\x00\x00\x00\x00\x00\x10\x00\x00"[..];
//! let limits = Limits { string_bytes_max: 64 << 10, ..Limits::default() };
//! let error = Document::parse(stream, &limits).unwrap_err();
//! assert_eq!(error.kind, ReadErrorKind::Limit(Limit::StringBytes));
//! ```
//!
//! # What it does not do
//!
//! * Run Java: `readResolve`, `writeReplace`, default values of missing fields and the like are for the class.
//! * Know users' classes. Serde reads the JDK's values; an object of another class is looked at as a [`Document`].
//! * Change a document. A changed stream is written anew, the unchanged values taken over.
//! * Read external data of protocol version 1 (the usual one before Java 1.2), whose end only its class can find.
//! * Write an exception marker, which tells a reader that a value was given up; those in streams are read.
//!
//! One thing a stream does not tell: whether a class with a `writeObject` method wrote its declared fields. It is read
//! as one that did; if the stream makes no sense then, [`Document::parse`] tries the other reading.

mod array;
mod class;
mod code;
mod cursor;
mod descriptor;
mod document;
mod emit;
mod error;
mod field;
mod graph;
mod jdk;
mod limits;
mod mutf8;
mod numbers;
mod object;
mod parse;
mod registry;
mod serde;
mod shape;
mod value;
mod writer;

pub use self::serde::{Error, JavaBytes, JavaDate, JavaInstant, JavaUuid, from_bytes, from_bytes_within, to_bytes};
pub use array::Array;
pub use class::Class;
pub use cursor::Cursor;
pub use descriptor::ClassDescriptor;
pub use document::Document;
pub use error::{ReadError, ReadErrorKind, WriteError};
pub use field::{Field, FieldValue};
pub use graph::NodeId;
pub use limits::{Limit, Limits};
pub use object::{Object, ObjectLevel};
pub use shape::class_name;
pub use value::{Aborted, Block, Text, Value};
pub use writer::{Handle, Writer};
