//! Bytes that all connections together have delivered and the application has not processed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Connections stop reading while it is spent.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
    waiting: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Budget {
        Budget { used: AtomicUsize::new(0), max, waiting: AtomicBool::new(false), wakers: Mutex::default() }
    }

    pub(crate) fn spend(&self, bytes: usize) {
        self.used.fetch_add(bytes, SeqCst);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        let left = self.used.fetch_sub(bytes, SeqCst) - bytes;
        if left < self.max && self.waiting.swap(false, SeqCst) {
            for waker in std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner)) {
                waker.wake();
            }
        }
    }

    /// There is no room now.
    pub(crate) fn is_spent(&self) -> bool {
        self.used.load(SeqCst) >= self.max
    }

    /// True: read on. False: the waker is called when there is room.
    pub(crate) fn has_room(&self, waker: &Waker) -> bool {
        if self.used.load(SeqCst) < self.max {
            return true;
        }
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        drop(wakers);
        self.waiting.store(true, SeqCst);
        // What was given back in between saw nobody waiting.
        self.used.load(SeqCst) < self.max
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn whoever_found_it_spent_is_woken_once_there_is_room() {
        let (budget, count) = (Budget::new(100), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        assert!(budget.has_room(&waker));
        budget.spend(150);
        assert!(!budget.has_room(&waker));
        budget.give_back(40);
        assert_eq!(count.0.load(SeqCst), 0, "110 of 100 are in use");
        budget.give_back(40);
        assert_eq!(count.0.load(SeqCst), 1);
        assert!(budget.has_room(&waker));
    }
}
