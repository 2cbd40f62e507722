//! The coordinator that sorts.

use super::*;

struct Sorter {
    coordinator: Coordinator,
    now: Now,
}

impl Sorter {
    fn new(local: u8, others: &[u8]) -> Sorter {
        let coordinator = Coordinator::new(CoordinatorConfig::Simple(SimpleConfig::default()), member(local));
        let mut sorter = Sorter { coordinator, now: start() };
        sorter.see(others);
        sorter
    }

    fn started(local: u8, others: &[u8]) -> Sorter {
        let mut sorter = Sorter::new(local, others);
        sorter.coordinator.started(sorter.now);
        sorter
    }

    fn see(&mut self, others: &[u8]) {
        self.coordinator.view_changed(self.now, &members(others));
    }

    /// The views after `by`, once each deadline on the way was kept.
    fn pass(&mut self, by: Duration) -> Vec<Vec<Member>> {
        let end = self.now.mono + by;
        while let Some(deadline) = self.coordinator.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.later(deadline.saturating_duration_since(self.now.mono));
            self.coordinator.handle_deadline(self.now);
        }
        self.now = self.now.later(end.saturating_duration_since(self.now.mono));
        let mut views = Vec::new();
        while let Some(out) = self.coordinator.poll() {
            let ElectionOut::View(view) = out else { panic!("it only tells views: {out:?}") };
            assert_eq!(view.id, None);
            views.push(view.members);
        }
        views
    }
}

#[test]
fn a_view_follows_the_last_change_after_the_quiet_time() {
    let mut sorter = Sorter::started(2, &[3, 1]);
    assert!(sorter.coordinator.view().is_none());
    assert!(sorter.pass(ms(2499)).is_empty());
    sorter.see(&[3, 1, 4]);
    assert!(sorter.pass(ms(2499)).is_empty(), "the change starts the time anew");
    assert_eq!(sorter.pass(ms(1)), [members(&[1, 2, 3, 4])]);
    assert_eq!(sorter.coordinator.view().expect("a view").leader(), &member(1));
    assert!(sorter.pass(ms(60_000)).is_empty());
}

#[test]
fn a_change_that_is_taken_back_gives_no_view() {
    let mut sorter = Sorter::started(2, &[1]);
    assert_eq!(sorter.pass(ms(2500)).len(), 1);
    sorter.see(&[]);
    assert!(sorter.pass(ms(1000)).is_empty());
    sorter.see(&[1]);
    assert!(sorter.pass(ms(60_000)).is_empty());
}

#[test]
fn a_member_that_comes_and_goes_does_not_put_the_view_off_for_ever() {
    let mut sorter = Sorter::started(2, &[1]);
    sorter.pass(ms(2500));
    let mut views = 0;
    for round in 0..40 {
        // The leader is gone, and another flaps.
        sorter.see(if round % 2 == 0 { &[5] } else { &[] });
        views += sorter.pass(ms(1000)).len();
    }
    assert!((1..=2).contains(&views), "{views}");
}

#[test]
fn nothing_happens_before_the_start_nor_by_messages() {
    let mut sorter = Sorter::new(2, &[1]);
    assert!(sorter.pass(ms(60_000)).is_empty());
    sorter.coordinator.received(sorter.now, &member(1).id, &confirmation(1, &[1, 2], id(1)).encode());
    sorter.coordinator.reached(sorter.now, &member(1).id, true);
    sorter.coordinator.sent(sorter.now, SendToken(1), &member(1).id, true);
    assert!(sorter.pass(ms(60_000)).is_empty());
    sorter.coordinator.started(sorter.now);
    assert_eq!(sorter.pass(ms(2500)), [members(&[1, 2])]);
}

#[test]
fn the_same_verbs_drive_an_election() {
    let config = CoordinatorConfig::NonBlocking(ElectionConfig::default());
    let mut coordinator = Coordinator::new(config, member(2));
    let now = start();
    coordinator.view_changed(now, &members(&[1]));
    coordinator.started(now);
    assert!(coordinator.deadline().is_some());
    coordinator.received(now, &member(1).id, &confirmation(1, &[1, 2], id(1)).encode());
    assert!(matches!(coordinator.poll(), Some(ElectionOut::View(_))));
    coordinator.received(now, &member(1).id, &request(1, &[1, 2, 3], id(2)).encode());
    assert!(matches!(coordinator.poll(), Some(ElectionOut::Reach(_))));
    coordinator.reached(now, &member(3).id, true);
    let Some(ElectionOut::Send { to, token, .. }) = coordinator.poll() else { panic!("the token goes on") };
    coordinator.sent(now, token, &to[0].id, false);
    assert!(matches!(coordinator.poll(), Some(ElectionOut::Send { .. })));
    coordinator.handle_deadline(now.later(ms(60_000)));
    assert_eq!(coordinator.view().expect("a view").leader(), &member(1));
}
