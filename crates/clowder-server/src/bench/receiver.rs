//! The other end of `bench channel`: takes every message and is done with it at once.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use clowder::Channel;
use tokio::sync::oneshot;

use super::pingpong;
use crate::cli::BenchReceiverArgs;

/// Receive until standard input ends.
///
/// # Errors
/// The channel cannot start.
pub(crate) async fn run(args: BenchReceiverArgs) -> Result<()> {
    let channel = Channel::builder().listen(args.cluster.as_str()).start().await.context("cannot start a channel")?;
    let echo = pingpong::echo()?;
    let mut inbox = channel.inbox();
    writeln!(std::io::stdout(), "READY cluster={} echo={echo}", channel.local().id)
        .context("cannot write to standard output")?;
    let (ended, parent) = oneshot::channel();
    std::thread::spawn(move || {
        while matches!(std::io::stdin().read(&mut [0; 64]), Ok(read) if read > 0) {}
        let _ = ended.send(());
    });
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
