//! Warnings of one kind come at most once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(60);

/// When the last warning of its kind was.
#[derive(Debug, Default)]
pub(crate) struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// True once; then not before the pause is over.
    pub(crate) fn is_over(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_over = last.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if is_over {
            *last = Some(now);
        }
        is_over
    }
}
