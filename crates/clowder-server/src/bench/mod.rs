//! `clowder bench`: whole loads, measured where a user would feel them.
//!
//! Rules of honesty: every node is a process of its own; a client sends its next request when the answer of the last one
//! is there; each case warms up before it counts; what failed is counted as an error and not as a fast request; results
//! are checked where they can be.

mod channel;
mod client;
mod cost;
mod cpu;
mod histogram;
mod load;
mod pingpong;
mod receiver;
mod sessions;
mod transfer;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

pub(crate) use receiver::run as receiver;

use crate::cli::{BenchArgs, BenchKind};

/// Before a case counts: long enough for connections, caches and the clock of the processor.
const WARM_UP: Duration = Duration::from_millis(500);

/// Run the measurements.
///
/// # Errors
/// A process cannot start, or a result cannot be printed.
pub(crate) async fn run(args: BenchArgs) -> Result<()> {
    match args.what {
        BenchKind::Channel(args) => channel::run(args).await,
        BenchKind::Sessions(args) => sessions::run(args).await,
        BenchKind::Transfer(args) => transfer::run(args).await,
    }
}

/// One line for one case.
fn print(result: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{result}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Progress on standard error; nothing if that is no terminal.
fn progress(cases: usize) -> Result<ProgressBar> {
    let bar = ProgressBar::new(cases as u64);
    let style = ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {pos}/{len} {msg}");
    bar.set_style(style.context("the template of the progress bar")?.progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

/// `count` in `time`, for a second.
#[allow(clippy::cast_precision_loss)] // counts far below 2^52
fn per_second(count: u64, time: Duration) -> f64 {
    rounded(count as f64 / time.as_secs_f64())
}

/// Bytes of `count` things of `size` bytes in `time`, in millions for a second.
fn mb_per_second(count: u64, size: u32, time: Duration) -> f64 {
    rounded(per_second(count, time) * f64::from(size) / 1e6)
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
