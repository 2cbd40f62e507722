//! The `clowder` command: a node of a cluster, and tools for whoever runs one.
//!
//! This file turns the command line into a call and an error into an exit code. Nothing else in the project reads the
//! command line or ends the process.

mod bench;
mod cli;
mod cluster;
mod decode;
mod demo;
mod java;
mod node;
mod process;
mod sample;

use std::future::Future;
use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

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
        Command::Node(args) => runtime(node::run(*args)),
        Command::Demo(args) => runtime(demo::run(args)),
        Command::Bench(args) => runtime(bench::run(args)),
        Command::BenchReceiver(args) => runtime(bench::receiver(args)),
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

fn runtime(command: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the worker threads")?.block_on(command)
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
