//! The other end of `bench channel`: takes every message and is done with it at once.

use std::io::Write;

use anyhow::{Context, Result};
use clowder::{Channel, ReceiverKind};

use super::pingpong;
use crate::cli::{BenchReceiverArgs, ReceiverMode};
use crate::joining::chain_text;
use crate::process;

/// More than the connections of all senders together.
const THREADS_MAX: usize = 256;

/// Receive until standard input ends.
///
/// # Errors
/// The channel cannot start.
pub(crate) async fn run(args: BenchReceiverArgs) -> Result<()> {
    let kind = match args.receiver {
        ReceiverMode::Async => ReceiverKind::Async,
        ReceiverMode::Threads => ReceiverKind::Threads { max_threads: THREADS_MAX },
    };
    let builder = Channel::builder().listen(args.cluster.as_str()).chain(chain_text::parse(&args.chain)?);
    let builder = builder.receiver(kind);
    let channel = builder.start().await.context("cannot start a channel")?;
    let echo = pingpong::echo()?;
    let mut inbox = channel.inbox();
    writeln!(std::io::stdout(), "READY cluster={} echo={echo}", channel.local().id)
        .context("cannot write to standard output")?;
    let parent = process::parent_ended();
    // On the runtime's workers, as an application would: this task runs on the main thread, and every message would
    // have to wake another thread.
    let receiving = tokio::spawn(async move {
        while let Some(delivery) = inbox.recv().await {
            delivery.done();
        }
    });
    // Gone or ended: the same.
    let _ = parent.await;
    channel.stop().await;
    receiving.await.context("the receiving task failed")?;
    Ok(())
}
