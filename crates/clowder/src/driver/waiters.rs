//! Who waits for the outcomes of one peer: slots that are reused, so that a message costs no allocation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use clowder_proto::link::Outcome;

/// Tells a callback when all targets of a message have their outcome.
pub(crate) struct Then {
    inner: Mutex<Gathering>,
}

/// Called with the outcomes, in the order of the targets.
pub(crate) type Callback = Box<dyn FnOnce(Vec<Outcome>) + Send>;

struct Gathering {
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
    callback: Option<Callback>,
}

impl Then {
    pub(crate) fn new(targets: usize, callback: Callback) -> Arc<Then> {
        let gathering = Gathering { outcomes: vec![None; targets], missing: targets, callback: Some(callback) };
        Arc::new(Then { inner: Mutex::new(gathering) })
    }

    /// The outcome at one target. The last one calls back; nobody may hold a lock of the channel.
    pub(crate) fn done(&self, index: usize, outcome: Outcome) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = inner.outcomes.get_mut(index) else { return };
        if place.replace(outcome).is_none() {
            inner.missing -= 1;
        }
        Self::call_if_complete(inner);
    }

    /// There is nothing to wait for.
    pub(crate) fn nothing(&self) {
        Self::call_if_complete(self.inner.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn call_if_complete(mut inner: MutexGuard<'_, Gathering>) {
        if inner.missing > 0 {
            return;
        }
        let outcomes = std::mem::take(&mut inner.outcomes).into_iter().flatten().collect();
        let callback = inner.callback.take();
        drop(inner);
        if let Some(callback) = callback {
            callback(outcomes);
        }
    }
}

enum Slot {
    Free,
    /// A future that was not polled yet, or the waker of its last poll.
    Waiting(Option<Waker>),
    Done(Outcome),
    /// Its future is gone, its message is not.
    Abandoned,
    Then(Arc<Then>, usize),
}

#[derive(Default)]
pub(crate) struct Waiters {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Waiters {
    fn take(&mut self, slot: Slot) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = slot;
            return index;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("a queue of bounded bytes holds fewer than 2^32 frames")
    }

    fn release(&mut self, index: u32) {
        self.slots[index as usize] = Slot::Free;
        self.free.push(index);
    }

    pub(crate) fn future(&mut self) -> u32 {
        self.take(Slot::Waiting(None))
    }

    pub(crate) fn then(&mut self, then: Arc<Then>, index: usize) -> u32 {
        self.take(Slot::Then(then, index))
    }

    /// The outcome of the message with this token; adds who is to be told.
    pub(crate) fn done(
        &mut self,
        token: u64,
        outcome: Outcome,
        wakers: &mut Vec<Waker>,
        calls: &mut Vec<(Arc<Then>, usize, Outcome)>,
    ) {
        let Ok(index) = u32::try_from(token) else { return };
        match std::mem::replace(&mut self.slots[index as usize], Slot::Free) {
            Slot::Waiting(waker) => {
                self.slots[index as usize] = Slot::Done(outcome);
                wakers.extend(waker);
            }
            Slot::Abandoned => self.release(index),
            Slot::Then(then, target) => {
                self.release(index);
                calls.push((then, target, outcome));
            }
            Slot::Free | Slot::Done(_) => unreachable!("a link gives one outcome for each token"),
        }
    }

    pub(crate) fn poll(&mut self, index: u32, cx: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.slots[index as usize] {
            Slot::Done(outcome) => {
                let outcome = *outcome;
                self.release(index);
                Poll::Ready(outcome)
            }
            Slot::Waiting(waker) => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            Slot::Free | Slot::Abandoned | Slot::Then(..) => unreachable!("a slot belongs to one future"),
        }
    }

    pub(crate) fn abandon(&mut self, index: u32) {
        match &mut self.slots[index as usize] {
            Slot::Done(_) => self.release(index),
            slot => *slot = Slot::Abandoned,
        }
    }
}
