//! The `clowder` command: a node of a cluster, and tools for whoever runs one.
//!
//! This file turns the command line into a call and an error into an exit code. Nothing else in the project reads the
//! command line or ends the process.

mod cli;
mod decode;
mod java;

use std::process::ExitCode;

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

/// Logs go to standard error: standard output belongs to results.
fn logs(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter: tracing_subscriber::EnvFilter = filter.parse()?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    Ok(())
}
