//! The ways in which a running command is told to end.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::process;

/// SIGTERM, Ctrl-C, and the end of standard input for the child of another process.
pub(crate) struct End {
    terminate: Signal,
    interrupt: Signal,
    stdin: Option<oneshot::Receiver<()>>,
}

impl End {
    /// Listens from now on, so that a signal during the start is not lost.
    ///
    /// # Errors
    /// The system does not allow it.
    pub(crate) fn new(with_stdin: bool) -> Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        Ok(End { terminate, interrupt, stdin: with_stdin.then(process::parent_ended) })
    }

    /// Returns what it was. Cancel safe.
    pub(crate) async fn reached(&mut self) -> &'static str {
        let stdin = async {
            match &mut self.stdin {
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "Ctrl-C",
            () = stdin => "the parent process ended",
        }
    }
}
