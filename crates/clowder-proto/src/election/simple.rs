//! A coordinator without messages: whoever is first of the members that this node sees.

use std::collections::VecDeque;
use std::time::Instant;

use super::{AgreedView, ElectionOut, Roll, SimpleConfig, same};
use crate::Now;
use crate::wire::Member;

/// Tomcat: `SimpleCoordinator`: the view is the sorted membership, once it has been quiet for a while.
///
/// Differs from Tomcat: a deadline takes the place of the sleep in the membership's thread, so that further changes are
/// seen meanwhile. Test: a_view_follows_the_last_change_after_the_quiet_time.
#[derive(Debug)]
pub struct SimpleCoordinator {
    config: SimpleConfig,
    local: Member,
    started: bool,
    members: Roll,
    view: Option<AgreedView>,
    /// When the view is due, and when at the latest.
    pending: Option<(Instant, Instant)>,
    out: VecDeque<ElectionOut>,
}

impl SimpleCoordinator {
    /// The coordinator of a node that knows nobody yet.
    pub fn new(config: SimpleConfig, local: Member) -> Self {
        let (members, out) = (Roll::new(), VecDeque::new());
        SimpleCoordinator { config, local, started: false, members, view: None, pending: None, out }
    }

    /// The first view of the membership is settled.
    pub fn started(&mut self, now: Now) {
        if !std::mem::replace(&mut self.started, true) {
            self.changed(now.mono);
        }
        self.handle_deadline(now);
    }

    /// The membership is now this; the local member is not in it.
    pub fn view_changed(&mut self, now: Now, members: &[Member]) {
        let others = members.iter().filter(|member| member.id != self.local.id);
        let next: Roll = others.map(|member| (member.id.clone(), member.clone())).collect();
        let changed = !next.keys().eq(self.members.keys());
        self.members = next;
        if changed && self.started {
            self.changed(now.mono);
        }
        self.handle_deadline(now);
    }

    /// The next thing to do: a view, or nothing. Drain until `None` after every input.
    pub fn poll(&mut self) -> Option<ElectionOut> {
        self.out.pop_front()
    }

    /// When [`SimpleCoordinator::handle_deadline`] is wanted; may change with every input.
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.map(|(due, latest)| due.min(latest))
    }

    /// Time has passed. Early is harmless.
    pub fn handle_deadline(&mut self, now: Now) {
        if self.deadline().is_none_or(|due| now.mono < due) {
            return;
        }
        self.pending = None;
        let mut all = self.members.clone();
        all.insert(self.local.id.clone(), self.local.clone());
        if self.view.as_ref().is_none_or(|view| !same(&view.members, &all)) {
            let view = AgreedView { id: None, members: all.into_values().collect() };
            self.view = Some(view.clone());
            self.out.push_back(ElectionOut::View(view));
        }
    }

    /// The view that was given out last; `None` before the first.
    pub fn view(&self) -> Option<&AgreedView> {
        self.view.as_ref()
    }

    /// Differs from Tomcat: a member that comes and goes for ever does not put the view off for ever.
    /// Test: a_member_that_comes_and_goes_does_not_put_the_view_off_for_ever.
    fn changed(&mut self, now: Instant) {
        let latest = self.pending.map_or(now + self.config.quiet_max, |(_, latest)| latest);
        self.pending = Some((now + self.config.quiet, latest));
    }
}
