//! What a member is to be told again of sessions, each thing once.

use std::collections::{HashSet, VecDeque};

use super::JavaStr;

/// Something about a session that is not its state, to be told again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Notice {
    Expired { id: JavaStr, explicit: bool },
    Renamed { old: JavaStr, new: JavaStr },
}

/// Invariant: every notice stands in it once. Whoever fails often fails with the same notices.
#[derive(Debug, Default)]
pub(super) struct Notices {
    queue: VecDeque<Notice>,
    known: HashSet<Notice>,
}

impl Notices {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.queue.iter()
    }

    /// Last, if it waits nowhere.
    pub(super) fn push_back(&mut self, notice: Notice) {
        if self.known.insert(notice.clone()) {
            self.queue.push_back(notice);
        }
    }

    /// First, if it waits nowhere.
    pub(super) fn push_front(&mut self, notice: Notice) {
        if self.known.insert(notice.clone()) {
            self.queue.push_front(notice);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Notice> {
        let notice = self.queue.pop_front()?;
        self.known.remove(&notice);
        Some(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_waits_once_and_can_wait_again_when_it_was_told() {
        let notice = |id| Notice::Expired { id: JavaStr::from(id), explicit: true };
        let mut notices = Notices::default();
        ["A", "B", "A"].into_iter().for_each(|id| notices.push_back(notice(id)));
        notices.push_front(notice("B"));
        assert_eq!((notices.len(), notices.pop_front()), (2, Some(notice("A"))));
        notices.push_front(notice("A"));
        assert_eq!(notices.iter().cloned().collect::<Vec<_>>(), [notice("A"), notice("B")]);
    }
}
