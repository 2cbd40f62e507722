//! `clowder channel`: take part in a channel by hand.
//!
//! Results are JSON lines on standard output. A reader that goes away (`… | head -1`) ends the command without a word,
//! as it ends every filter.

mod listen;
mod numbered;
mod rpc;
mod send;
mod targets;

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};
use clowder::MemberId;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cli::{ChannelArgs, ChannelKind};

/// Do what the command line says.
///
/// # Errors
/// The channel cannot start, or a message failed.
pub(crate) async fn run(args: ChannelArgs) -> Result<()> {
    match args.what {
        ChannelKind::Listen(args) => listen::run(*args).await,
        ChannelKind::Send(args) => send::run(*args).await,
        ChannelKind::Rpc(args) => rpc::run(*args).await,
    }
}

/// Print one line. False: nobody reads any more.
///
/// # Errors
/// Standard output cannot be written, for another reason.
fn print(line: &Value) -> Result<bool> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// `HOST:PORT/HEX32`, as `--to` and `--peer` take it.
fn name(member: &MemberId) -> String {
    member.to_string()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
