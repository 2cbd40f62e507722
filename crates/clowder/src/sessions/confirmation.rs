//! Waiting until messages have met their fate.
//!
//! A [`Ticket`] stands for one message on its way; it is settled exactly once, by the channel's completion, whatever
//! became of the message. A [`Confirmation`] waits for several. Dropping it abandons the waiting, never the message:
//! the message belongs to the channel from its submission on.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// One message on its way to the replicas.
#[derive(Debug)]
pub(crate) struct Ticket(Mutex<Fate>);

#[derive(Debug)]
enum Fate {
    /// Not decided; these tasks want to know.
    Open(Vec<Waker>),
    /// Every target has confirmed, failed or left.
    Settled,
}

impl Ticket {
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Fate::Open(Vec::new()))))
    }

    fn fate(&self) -> std::sync::MutexGuard<'_, Fate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        matches!(*self.fate(), Fate::Settled)
    }

    /// The message has its outcome at every target.
    pub(crate) fn settle(&self) {
        let before = std::mem::replace(&mut *self.fate(), Fate::Settled);
        if let Fate::Open(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// True if settled; otherwise the task of `waker` is woken when it is.
    fn watch(&self, waker: &Waker) -> bool {
        match &mut *self.fate() {
            Fate::Settled => true,
            Fate::Open(wakers) => {
                if !wakers.iter().any(|known| known.will_wake(waker)) {
                    wakers.push(waker.clone());
                }
                false
            }
        }
    }
}

/// Ready when all its tickets are settled.
#[derive(Debug, Default)]
#[must_use = "waits only when awaited"]
pub(crate) struct Confirmation {
    open: Vec<Arc<Ticket>>,
}

impl Confirmation {
    pub(crate) fn of(open: Vec<Arc<Ticket>>) -> Self {
        Self { open }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl Future for Confirmation {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(ticket) = self.open.last() {
            if !ticket.watch(cx.waker()) {
                return Poll::Pending;
            }
            self.open.pop();
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn ready_when_the_last_ticket_is_settled() {
        let (a, b) = (Ticket::open(), Ticket::open());
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut all = Confirmation::of(vec![a.clone(), b.clone()]);
        assert!(Pin::new(&mut all).poll(&mut cx).is_pending());
        b.settle();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(Pin::new(&mut all).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut all).poll(&mut cx).is_pending(), "a second poll registers no second waker");
        a.settle();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert!(Pin::new(&mut all).poll(&mut cx).is_ready());
        assert!(a.is_settled() && b.is_settled());
    }

    #[test]
    fn nothing_to_wait_for_is_ready_at_once() {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut Confirmation::default()).poll(&mut cx).is_ready());
        let settled = Ticket::open();
        settled.settle();
        assert!(Pin::new(&mut Confirmation::of(vec![settled])).poll(&mut cx).is_ready());
    }
}
