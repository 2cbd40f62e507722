//! The `clowder` command: a node of a cluster, and tools for whoever runs one.
//!
//! This file turns the command line into a call and an error into an exit code. Nothing else in the project reads the
//! command line or ends the process.

mod bench;
mod channel;
mod cli;
mod cluster;
mod decode;
mod demo;
mod discovery;
mod end;
mod java;
mod joining;
mod node;
mod process;
mod sample;
#[cfg(feature = "tls")]
mod tls;

use std::future::Future;
use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::runtime::Builder;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = logs(&cli.log) {
        eprintln!(
            "error: --log '{}' (or RUST_LOG) is no filter: {error}; write for example info or warn,clowder=debug",
            cli.log
        );
        return ExitCode::from(2);
    }
    let done = match cli.command {
        Command::Node(args) => runtime(Builder::new_multi_thread(), node::run(*args)),
        Command::Demo(args) => runtime(shared(), demo::run(args)),
        Command::Channel(args) => runtime(Builder::new_multi_thread(), channel::run(args)),
        Command::Bench(args) => runtime(shared(), bench::run(args)),
        Command::BenchReceiver(args) => runtime(shared(), bench::receiver(args)),
        Command::Decode(args) => decode::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn runtime(mut workers: Builder, command: impl Future<Output = Result<()>>) -> Result<()> {
    workers.enable_all().build().context("cannot start the worker threads")?.block_on(command)
}

/// For a process beside others of its own on this machine.
fn shared() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(process::workers());
    builder
}

/// Logs go to standard error: standard output belongs to results.
fn logs(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter: tracing_subscriber::EnvFilter = filter.parse()?;
    // Colours are for people; a file or a log collector gets plain text.
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    logs.with_ansi(colours).init();
    Ok(())
}
