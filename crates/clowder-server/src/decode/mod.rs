//! `clowder decode`: captured bytes as JSON, and what is wrong with them.
//!
//! The field names are those of the golden vectors. A decoder here shows everything that it read: what it prints is
//! enough to write the bytes again, which `--check` does. It never guesses: a byte that it cannot place is an error
//! with an offset.

mod chain;
mod coordination;
mod data;
mod delta;
mod frames;
mod input;
mod java;
mod member;
mod rpc;
mod session;
mod value;

use std::fmt;
use std::io::Write;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder_proto::wire::{Limits, WireError};
use serde_json::Value;

use crate::cli::{DecodeArgs, DecodeKind};

/// What the bytes say, and the bytes that this says in turn.
#[derive(Debug)]
struct Decoded {
    json: Value,
    again: Vec<u8>,
}

/// Why the bytes cannot be read.
#[derive(Debug)]
struct Malformed {
    /// What is wrong and at which offset of the input.
    what: String,
    /// What stands in front of the mistake, where that has a meaning of its own.
    before: Option<Value>,
}

impl Malformed {
    fn new(what: impl fmt::Display, at: usize) -> Self {
        Malformed { what: format!("{what} at offset {at}"), before: None }
    }

    /// `base`: offset in the input of what the failing decoder was given.
    fn wire(error: &WireError, base: usize) -> Self {
        Malformed::new(&error.kind, base + error.at)
    }
}

/// Captured bytes are already in memory: only what the format itself cannot express is refused.
fn limits(bytes: &Bytes) -> Limits {
    let max = bytes.len();
    // A frame that is not complete is no mistake: its length may be more than what was captured.
    Limits {
        frame_bytes_max: i32::MAX as usize,
        member_bytes_max: max,
        id_bytes_max: max,
        coordination_members_max: max,
        coordination_bytes_max: max,
    }
}

fn decode(args: &DecodeArgs, bytes: &Bytes) -> Result<Decoded, Malformed> {
    match args.kind {
        DecodeKind::Member => member::decode(bytes),
        DecodeKind::Data => data::decode(bytes, 0),
        DecodeKind::Frames => frames::decode(bytes),
        DecodeKind::Java => java::decode(bytes),
        DecodeKind::Session => session::decode(bytes),
        DecodeKind::Delta => delta::decode(bytes),
        DecodeKind::Rpc => rpc::decode(bytes),
        DecodeKind::Coordination => coordination::decode(bytes),
        DecodeKind::Fragment => chain::fragment(bytes),
        DecodeKind::Order => chain::order(bytes),
        DecodeKind::TwoPhase => chain::two_phase(bytes),
        DecodeKind::Gzip => chain::gzip(bytes),
        DecodeKind::Encrypt => chain::encrypt(bytes, &args.key),
    }
}

/// Views of values recurse as deep as the values nest, which is 10,000 at most; address space, not memory.
const STACK_BYTES: usize = 256 << 20;

/// Run the command.
///
/// # Errors
/// The input cannot be read, is malformed, or `--check` finds a difference.
pub(crate) fn run(args: DecodeArgs) -> Result<()> {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || explain(&args));
    match thread.context("cannot start a thread")?.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn explain(args: &DecodeArgs) -> Result<()> {
    let bytes = input::read(&args.input)?;
    match decode(args, &bytes) {
        Ok(decoded) => {
            print(&decoded.json)?;
            if args.check {
                compare(&bytes, &decoded.again)?;
                eprintln!("check: all {} bytes are the same when encoded again", bytes.len());
            }
            Ok(())
        }
        Err(malformed) => {
            if let Some(before) = &malformed.before {
                print(before)?;
            }
            bail!("malformed {}: {}", kind_name(args.kind), malformed.what)
        }
    }
}

fn kind_name(kind: DecodeKind) -> &'static str {
    match kind {
        DecodeKind::Member => "member record",
        DecodeKind::Data => "message record",
        DecodeKind::Frames => "frame",
        DecodeKind::Java => "Java object stream",
        DecodeKind::Session => "session message",
        DecodeKind::Delta => "delta",
        DecodeKind::Rpc => "RPC message",
        DecodeKind::Coordination => "message of a coordinator",
        DecodeKind::Fragment => "body of the fragmentation interceptor",
        DecodeKind::Order => "body of the order interceptor",
        DecodeKind::TwoPhase => "body of the two-phase commit interceptor",
        DecodeKind::Gzip => "gzip stream",
        DecodeKind::Encrypt => "encrypted body",
    }
}

fn print(json: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, json)
        .map_err(anyhow::Error::from)
        .and_then(|()| Ok(out.write_all(b"\n")?))
        .context("cannot write to standard output")
}

/// # Errors
/// Names the first byte that differs.
fn compare(bytes: &[u8], again: &[u8]) -> Result<()> {
    if bytes == again {
        return Ok(());
    }
    let at = bytes.iter().zip(again).take_while(|(a, b)| a == b).count();
    let show = |bytes: &[u8]| match bytes.get(at..) {
        None | Some([]) => "nothing".to_owned(),
        Some(rest) => hex::encode(&rest[..rest.len().min(16)]),
    };
    bail!(
        "check failed: {} bytes became {}, the first difference is at offset {at}: read {}, wrote {}",
        bytes.len(),
        again.len(),
        show(bytes),
        show(again)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_with_its_offset() {
        assert!(compare(b"abc", b"abc").is_ok());
        let error = compare(b"abc", b"axc").unwrap_err().to_string();
        assert!(error.contains("offset 1: read 6263, wrote 7863"), "{error}");
        let error = compare(b"abc", b"ab").unwrap_err().to_string();
        assert!(error.contains("3 bytes became 2") && error.contains("read 63, wrote nothing"), "{error}");
    }
}
