//! Who leads, as the members agreed.

use std::sync::Arc;

use clowder_proto::election::{AgreedView, ViewId};
use clowder_proto::wire::Member;
use tokio::sync::watch;

/// What the members agreed on, as one value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leadership {
    /// The coordinator: the first of the members. It may have died since.
    pub leader: Member,
    /// Everybody who agreed, this node among them, in absolute order.
    pub members: Vec<Member>,
    /// Of the election, the same at all its members. `None` with a coordinator that does not elect.
    pub view_id: Option<ViewId>,
}

impl Leadership {
    pub(crate) fn of(view: AgreedView) -> Leadership {
        Leadership { leader: view.leader().clone(), members: view.members, view_id: view.id }
    }
}

/// The changes of leadership. A slow reader sees the last one.
#[derive(Clone, Debug)]
pub struct Leaders(watch::Receiver<Option<Arc<Leadership>>>);

impl Leaders {
    pub(crate) fn new(mut agreed: watch::Receiver<Option<Arc<Leadership>>>) -> Leaders {
        agreed.mark_unchanged();
        Leaders(agreed)
    }

    /// What is agreed now; `None` while nothing is.
    pub fn current(&self) -> Option<Arc<Leadership>> {
        self.0.borrow().clone()
    }

    /// What is agreed next; `None` once the channel has stopped, and at once if it has no coordinator. Cancel safe.
    pub async fn next(&mut self) -> Option<Arc<Leadership>> {
        self.0.changed().await.ok()?;
        self.0.borrow_and_update().clone()
    }
}
