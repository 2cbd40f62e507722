//! How fast streams are read and written: one JSON line per case on standard output.
//!
//! `cargo bench -p java-object-stream`, and a word after `--` to run only the cases with this word in their name.
//! `mb_per_s` counts bytes of the stream, 1 MB = 1,000,000 bytes. Without `--bench` each case runs once.

use bytes::Bytes;
use java_object_stream::{ClassDescriptor, Document, Limits, Writer, from_bytes, to_bytes};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Time spent on each case, after as much to warm up.
const MEASURED: Duration = Duration::from_millis(500);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bench = Bench {
        measured: if arguments.iter().any(|argument| argument == "--bench") { MEASURED } else { Duration::ZERO },
        filter: arguments.into_iter().find(|argument| !argument.starts_with('-')),
    };
    bench.stream("session_message", vector("session_message_delta"));
    bench.stream("session", vector("delta_session_object"));
    bench.stream("integer", vector("integer"));
    bench.stream("megabyte_of_strings", strings(1_000_000));
    bench.stream("megabyte_of_beans", beans(1_000_000));
    bench.stream("megabyte_of_bytes", bytes(1_000_000));
    bench.serde("megabyte_of_strings", 1_000_000);
}

struct Bench {
    measured: Duration,
    filter: Option<String>,
}

impl Bench {
    fn stream(&self, name: &str, stream: Bytes) {
        let limits = Limits::default();
        let document = Document::parse(stream.clone(), &limits).expect("a stream");
        let len = stream.len();
        self.case(name, "parse", len, || Document::parse(stream.clone(), &limits).expect("parsed before"));
        self.case(name, "write", len, || document.write());
        if let Ok(root) = document.root() {
            self.case(name, "cut", len, || document.cut(root).expect("a value"));
            self.case(name, "splice", len, || {
                let mut writer = Writer::with_capacity(len);
                writer.write_stream_value(&stream).expect("parsed before");
                writer.finish()
            });
        }
    }

    fn serde(&self, name: &str, len: usize) {
        let stream = strings(len);
        let value: BTreeMap<String, Vec<String>> = from_bytes(&stream).expect("a map of lists");
        self.case(name, "from_bytes", stream.len(), || {
            from_bytes::<BTreeMap<String, Vec<String>>>(&stream).expect("read before")
        });
        self.case(name, "to_bytes", stream.len(), || to_bytes(&value).expect("written before"));
    }

    fn case<T>(&self, name: &str, operation: &str, bytes: usize, mut work: impl FnMut() -> T) {
        let case = format!("{name}/{operation}");
        if self.filter.as_ref().is_some_and(|filter| !case.contains(filter.as_str())) {
            return;
        }
        self.repeat(&mut work);
        let (runs, elapsed) = self.repeat(&mut work);
        let seconds = elapsed.as_secs_f64() / runs as f64;
        let (ns, mb_per_s) = (seconds * 1e9, bytes as f64 / seconds / 1e6);
        println!(r#"{{"case":"{case}","bytes":{bytes},"ns":{ns:.0},"mb_per_s":{mb_per_s:.1}}}"#);
    }

    fn repeat<T>(&self, work: &mut impl FnMut() -> T) -> (u64, Duration) {
        let start = Instant::now();
        let mut runs = 0;
        loop {
            black_box(work());
            runs += 1;
            let elapsed = start.elapsed();
            if elapsed >= self.measured {
                return (runs, elapsed);
            }
        }
    }
}

fn vector(name: &str) -> Bytes {
    let vectors = include_str!("../../../vectors/java-serialization.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).expect("the vectors are JSON");
    let vector = vectors["vectors"].as_array().and_then(|all| all.iter().find(|vector| vector["name"] == name));
    let hex = vector.and_then(|vector| vector["hex"].as_str()).expect("a vector of this name");
    hex::decode(hex).expect("vectors are in hex").into()
}

/// A map of lists of strings, about `len` bytes.
fn strings(len: usize) -> Bytes {
    let items = |n: usize| (0..10).map(|item| format!("item {item} of the list number {n}")).collect::<Vec<_>>();
    let map: BTreeMap<String, Vec<String>> = (0..len / 420).map(|n| (format!("list {n}"), items(n))).collect();
    to_bytes(&map).expect("maps of lists have a Java class")
}

/// An array of objects of a program's own class, about `len` bytes.
fn beans(len: usize) -> Bytes {
    let fields = [("I", "count"), ("J", "price"), ("Ljava/lang/String;", "name")];
    let class = ClassDescriptor::new("org.example.Item", 1, ClassDescriptor::SERIALIZABLE, &fields, None);
    let count = len / 36;
    let mut writer = Writer::with_capacity(len);
    writer.begin_array(ClassDescriptor::jdk("[Ljava.lang.Object;").expect("in the table"), count as u32);
    for n in 0..count {
        writer.begin_object(&class);
        writer.write_i32(n as i32);
        writer.write_i64(n as i64);
        writer.write_string(&format!("item {n:010}"));
        writer.end_object().expect("the fields of the class");
    }
    writer.end_object().expect("as many as said");
    writer.finish()
}

fn bytes(len: usize) -> Bytes {
    let mut writer = Writer::with_capacity(len);
    writer.write_byte_array(&vec![7; len]);
    writer.finish()
}
