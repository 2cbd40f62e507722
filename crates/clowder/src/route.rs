//! Who gets a received message: the first listener that wants it, else the inbox.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use clowder_proto::wire::Message;

use crate::inbox::Delivery;

/// Takes messages before the inbox sees them.
///
/// Both methods run on the task of a connection, for the messages of one connection in order: they must not block.
/// A delivery may be completed later and elsewhere; the acknowledgements stay in order, so a delivery that is kept
/// holds back those behind it on the same connection.
pub trait Listener: Send + Sync {
    /// True: this listener takes the message, and nobody else gets it.
    fn accept(&self, message: &Message) -> bool;

    /// A message that it accepted.
    fn received(&self, delivery: Delivery);
}

/// The listeners, in the order in which they came.
#[derive(Default)]
pub(crate) struct Router {
    listeners: ArcSwap<Vec<Arc<dyn Listener>>>,
    changing: Mutex<()>,
}

impl Router {
    pub(crate) fn add(&self, listener: Arc<dyn Listener>) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listeners = Vec::clone(&self.listeners.load());
        listeners.push(listener);
        self.listeners.store(Arc::new(listeners));
    }

    pub(crate) fn remove(&self, listener: &Arc<dyn Listener>) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listeners = Vec::clone(&self.listeners.load());
        listeners.retain(|other| !Arc::ptr_eq(other, listener));
        self.listeners.store(Arc::new(listeners));
    }

    pub(crate) fn listeners(&self) -> Arc<Vec<Arc<dyn Listener>>> {
        self.listeners.load_full()
    }
}
