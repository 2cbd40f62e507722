//! What goes wrong, and when it stops.

use std::time::Duration;

use bytes::Bytes;

use crate::network::{Direction, Key};
use crate::world::{Event, World};

/// Between two nodes that come back one after the other: longer than it takes to get the state.
const RESTART_PAUSE: Duration = Duration::from_millis(1500);

impl World {
    pub(crate) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let node = self.rng.usize(..self.nodes.len());
        match self.rng.u8(..13) {
            0 | 1 if self.settings.crashes => self.kill(node),
            2..5 if self.nodes[node].process.is_none() => self.boot(node),
            5 | 6 if self.settings.partitions => {
                let other = self.rng.usize(..self.nodes.len());
                self.network.cut.insert((node, other));
                if self.rng.bool() {
                    self.network.cut.insert((other, node));
                }
            }
            7 | 8 => self.network.cut.clear(),
            9 | 10 => {
                if let Some(key) = self.any_connection() {
                    self.break_connection(key);
                }
            }
            11 => self.step_clock(node),
            _ => self.disturb(node),
        }
        let most = u64::try_from(self.settings.fault_pause.as_millis()).expect("a short time");
        let pause = Duration::from_millis(self.rng.u64(10..=10 + most));
        self.later(pause, Event::Fault);
    }

    /// The wall clock of a node jumps, forwards or back. Its other clock never does.
    fn step_clock(&mut self, node: usize) {
        let most = i64::try_from(self.settings.clock_step.as_millis()).expect("a short time");
        self.nodes[node].clock = self.rng.i64(-most..=most);
    }

    fn any_connection(&mut self) -> Option<Key> {
        let count = self.network.connections.len();
        let at = (count > 0).then(|| self.rng.usize(..count))?;
        self.network.connections.keys().nth(at).copied()
    }

    /// Bytes that mean nothing, in a datagram or in the middle of a connection.
    fn disturb(&mut self, node: usize) {
        let noise: Bytes = (0..self.rng.usize(1..60)).map(|_| self.rng.u8(..)).collect::<Vec<_>>().into();
        if self.rng.bool() {
            self.later(Duration::from_millis(1), Event::Datagram { to: node, bytes: noise });
        } else if let Some(key) = self.any_connection() {
            let direction = if self.rng.bool() { Direction::Forward } else { Direction::Backward };
            self.transmit(key, direction, noise);
        }
    }

    /// Everything works from now on, and some of the dead come back, at once or one after the other.
    pub(crate) fn calm_down(&mut self) {
        self.calm = true;
        self.history.calm_since = Some(self.now.mono);
        self.network.cut.clear();
        let mut after = Duration::ZERO;
        for node in 0..self.nodes.len() {
            if self.nodes[node].process.is_none() && (node == 0 || self.rng.u8(..3) > 0) {
                self.later(after, Event::Boot(node));
                after += if self.settings.together { Duration::ZERO } else { RESTART_PAUSE };
            }
        }
    }
}
