//! The coordinator of a process: views and messages of other coordinators go in, as on the driver's task.

use clowder_proto::chain::Control;
use clowder_proto::election::ElectionOut;
use clowder_proto::link::Order;

use super::shipment::{Outgoing, Then};
use super::{GroupInput, Process, Turn};
use crate::history::Led;
use crate::{Kind, Sabotage};

/// The driver's: all messages of coordinators stay in order.
const ORDER_KEY: u64 = 0x636f_6f72_6469_6e61;

impl Process {
    /// Messages of other coordinators, which came in any of the ways of the data plane.
    pub(super) fn tell_coordination(&mut self, turn: &mut Turn<'_>) -> bool {
        let busy = !self.coordination.is_empty();
        let deaf = turn.settings.sabotage == Sabotage::ElectsAlone && self.who.node == 0;
        while let Some((from, body)) = self.coordination.pop_front() {
            if let Some(coordinator) = self.coordinator.as_mut().filter(|_| !deaf) {
                coordinator.received(turn.now, &from, &body);
            }
        }
        busy
    }

    /// The membership is another.
    pub(super) fn coordinator_viewed(&mut self, turn: &Turn<'_>) {
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.view_changed(turn.now, &self.view);
        }
    }

    pub(super) fn drain_coordinator(&mut self, turn: &mut Turn<'_>) -> bool {
        let mut busy = false;
        while let Some(out) = self.coordinator.as_mut().and_then(|coordinator| coordinator.poll()) {
            busy = true;
            match out {
                ElectionOut::Send { to, options, body, token } => {
                    let outgoing = Outgoing {
                        kind: Kind::Election,
                        place: Some(Control::Coordinator),
                        body,
                        options,
                        order: Order::Keyed(ORDER_KEY),
                        then: Then::Election(token),
                    };
                    self.send(turn, &to, outgoing);
                }
                ElectionOut::Reach(member) => self.tell_group(turn, GroupInput::Named(member)),
                ElectionOut::View(view) => {
                    let leader = view.leader();
                    let seen = *leader == self.local || self.view.contains(leader);
                    turn.history.led.push(Led { who: self.who, at: turn.now.mono, view, seen });
                }
                // A member of which the others have only heard so far counts as a Tomcat.
                ElectionOut::StoodIn { .. } => {}
                other => turn.history.violated("leader", format!("{:?}: {other:?}", self.who)),
            }
        }
        busy
    }
}
