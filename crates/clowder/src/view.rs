//! Who is in the cluster, as this node sees it.
//!
//! Readers never block and never see half a change: a [`View`] is a value, replaced as a whole.

use std::collections::VecDeque;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clowder_proto::group::{LeftReason, ViewUpdate};
use clowder_proto::wire::{Member, MemberId};
use tokio::sync::broadcast;

/// The members at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Counts the changes; 0 is the view of a node that knows nobody yet.
    pub version: u64,
    local: Member,
    members: Vec<Member>,
}

impl View {
    pub(crate) fn alone(local: Member) -> Self {
        View { version: 0, local, members: Vec::new() }
    }

    /// The others: the oldest first, or by address once members are configured. The same order on every node, as far
    /// as they know the same members.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The others, as targets of a send.
    pub fn others(&self) -> Vec<Member> {
        self.members.clone()
    }

    /// This node.
    pub fn local(&self) -> &Member {
        &self.local
    }

    /// One of the others has this id.
    pub fn contains(&self, id: &MemberId) -> bool {
        self.get(id).is_some()
    }

    /// The record of one of the others.
    pub fn get(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }
}

/// One change, and the view after it.
#[derive(Clone, Debug)]
pub struct ViewChange {
    /// After the change.
    pub view: Arc<View>,
    /// Who left. A member in both lists left first and came back as another process.
    pub left: Vec<(Member, Left)>,
    /// Who joined.
    pub joined: Vec<Member>,
    /// Whose record changed: ports, domain, payload, capabilities.
    pub updated: Vec<Member>,
}

/// Why a member left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Left {
    /// As the group decided.
    Reason(LeftReason),
    /// The reader lagged behind by so many changes that the reason is no longer known.
    Missed,
}

/// Where the views are published.
#[derive(Debug)]
pub(crate) struct Views {
    current: ArcSwap<View>,
    changes: broadcast::Sender<ViewChange>,
}

impl Views {
    pub(crate) fn new(local: Member, changes_max: usize) -> Self {
        let (changes, _) = broadcast::channel(changes_max.max(1));
        Views { current: ArcSwap::from_pointee(View::alone(local)), changes }
    }

    pub(crate) fn current(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// Without taking part in its reference count; for one look.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.current.load())
    }

    pub(crate) fn publish(&self, local: Member, update: ViewUpdate) {
        let ViewUpdate { version, members, left, joined, updated } = update;
        let view = Arc::new(View { version, local, members });
        self.current.store(Arc::clone(&view));
        let left = left.into_iter().map(|(member, reason)| (member, Left::Reason(reason))).collect();
        // Nobody listens: no harm, the view itself is published.
        let _ = self.changes.send(ViewChange { view, left, joined, updated });
    }

    pub(crate) fn subscribe(self: &Arc<Self>) -> ViewChanges {
        // In this order: a change between the two lines is in the view, and skipped in the stream by its version.
        let receiver = self.changes.subscribe();
        let seen = self.current();
        ViewChanges { views: Arc::clone(self), receiver, seen, missed: VecDeque::new() }
    }
}

/// Every change after the moment at which it was made, in order, none left out. A reader that lags too far behind
/// gets one change that sums up what it missed.
#[derive(Debug)]
pub struct ViewChanges {
    views: Arc<Views>,
    receiver: broadcast::Receiver<ViewChange>,
    seen: Arc<View>,
    missed: VecDeque<ViewChange>,
}

impl ViewChanges {
    /// The view after the last change that [`ViewChanges::next`] gave; at first, the one of the beginning.
    pub fn view(&self) -> &Arc<View> {
        &self.seen
    }

    /// The next change; `None` once the node has stopped. Cancel safe.
    pub async fn next(&mut self) -> Option<ViewChange> {
        loop {
            let change = match self.missed.pop_front() {
                Some(change) => change,
                None => match self.receiver.recv().await {
                    Ok(change) => change,
                    Err(broadcast::error::RecvError::Closed) => return None,
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.catch_up();
                        continue;
                    }
                },
            };
            if change.view.version > self.seen.version {
                self.seen = Arc::clone(&change.view);
                return Some(change);
            }
        }
    }

    fn catch_up(&mut self) {
        self.receiver = self.receiver.resubscribe();
        let view = self.views.current();
        let old = &self.seen;
        let left = old.members.iter().filter(|member| !view.contains(&member.id));
        let joined = view.members.iter().filter(|member| !old.contains(&member.id));
        // Whether a record changed meanwhile is not worth a comparison: say all that stayed.
        let updated = view.members.iter().filter(|member| old.contains(&member.id));
        let change = ViewChange {
            left: left.map(|member| (member.clone(), Left::Missed)).collect(),
            joined: joined.cloned().collect(),
            updated: updated.cloned().collect(),
            view: Arc::clone(&view),
        };
        self.missed.push_back(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(port: u16) -> Member {
        Member::new(([127, 0, 0, 1], port).into(), [u8::try_from(port % 256).expect("below 256"); 16])
    }

    fn views(changes_max: usize) -> Arc<Views> {
        Arc::new(Views::new(member(1), changes_max))
    }

    fn update(version: u64, members: &[u16], joined: &[u16], left: &[u16]) -> ViewUpdate {
        let all = |ports: &[u16]| ports.iter().map(|port| member(*port)).collect::<Vec<_>>();
        let left = left.iter().map(|port| (member(*port), LeftReason::Goodbye)).collect();
        ViewUpdate { version, members: all(members), left, joined: all(joined), updated: Vec::new() }
    }

    #[tokio::test]
    async fn changes_arrive_in_order_with_their_reasons() {
        let views = views(8);
        let mut changes = views.subscribe();
        assert_eq!(changes.view().version, 0);
        views.publish(member(1), update(1, &[2, 3], &[2, 3], &[]));
        views.publish(member(1), update(2, &[3], &[], &[2]));
        let first = changes.next().await.expect("a change");
        assert_eq!((first.joined, first.left.len()), (vec![member(2), member(3)], 0));
        let second = changes.next().await.expect("a change");
        assert_eq!(second.left, vec![(member(2), Left::Reason(LeftReason::Goodbye))]);
        assert_eq!(changes.view().members(), &[member(3)]);
    }

    #[tokio::test]
    async fn a_subscriber_does_not_get_what_its_first_view_contains() {
        let views = views(8);
        views.publish(member(1), update(1, &[2], &[2], &[]));
        let mut changes = views.subscribe();
        assert!(changes.view().contains(&member(2).id));
        views.publish(member(1), update(2, &[2, 3], &[3], &[]));
        assert_eq!(changes.next().await.expect("a change").joined, vec![member(3)]);
    }

    #[tokio::test]
    async fn a_reader_that_lags_gets_the_difference_and_then_goes_on() {
        let views = views(2);
        views.publish(member(1), update(1, &[2, 3], &[2, 3], &[]));
        let mut changes = views.subscribe();
        for version in 2..8 {
            views.publish(member(1), update(version, &[3, 4], &[4], &[2]));
        }
        let sum = changes.next().await.expect("a change");
        assert_eq!((sum.left, sum.joined), (vec![(member(2), Left::Missed)], vec![member(4)]));
        assert_eq!(sum.view.version, 7);
        views.publish(member(1), update(8, &[3], &[], &[4]));
        let next = changes.next().await.expect("a change");
        assert_eq!(next.left, vec![(member(4), Left::Reason(LeftReason::Goodbye))]);
    }
}
