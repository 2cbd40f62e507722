//! Room for bytes that wait to be sent, reserved before they are queued and given back when they are gone.

use tokio::sync::{Semaphore, SemaphorePermit};

/// A bound on bytes. What is larger than all of it takes all of it, so that it passes alone.
pub(crate) struct Room {
    permits: Semaphore,
    max: usize,
}

impl Room {
    pub(crate) fn new(max: usize) -> Room {
        Room { permits: Semaphore::new(max), max }
    }

    /// What so many bytes take.
    pub(crate) fn cost(&self, bytes: usize) -> usize {
        bytes.min(self.max)
    }

    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(self.cost(bytes)).unwrap_or(u32::MAX)
    }

    /// Reserve, if there is room now.
    pub(crate) fn try_reserve(&self, bytes: usize) -> bool {
        self.permits.try_acquire_many(self.permits(bytes)).map(SemaphorePermit::forget).is_ok()
    }

    /// Reserve, in the order of asking. False: it is closed.
    pub(crate) async fn reserve(&self, bytes: usize) -> bool {
        self.permits.acquire_many(self.permits(bytes)).await.map(SemaphorePermit::forget).is_ok()
    }

    /// Give back what `bytes` took.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.free(self.cost(bytes));
    }

    /// Give back a sum of [`Room::cost`]s.
    pub(crate) fn free(&self, cost: usize) {
        self.permits.add_permits(cost);
    }

    /// Nothing is reserved.
    pub(crate) fn is_unused(&self) -> bool {
        self.permits.available_permits() >= self.max
    }

    /// Nothing can be reserved any more.
    pub(crate) fn close(&self) {
        self.permits.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }
}
