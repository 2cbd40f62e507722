//! Waiting for a condition, bounded.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a case waits for something that must happen. Long, because a loaded machine with several JVMs is
/// slow; it costs nothing when all is well.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Polls `condition` until it holds. A failure of the condition itself ends the wait at once.
pub fn wait_until(what: &str, timeout: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if condition().with_context(|| format!("waiting for {what}"))? {
            return Ok(());
        }
        if begin.elapsed() > timeout {
            bail!("waited {timeout:?} in vain for {what}");
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
