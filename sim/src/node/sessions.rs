//! The session manager of a process on its channel.

use clowder_proto::link::Order;
use clowder_proto::session::SessionsOut;

use super::shipment::{Outgoing, Then};
use super::{Effect, Process, Turn};
use crate::Kind;

impl Process {
    pub(super) fn drain_sessions(&mut self, turn: &mut Turn<'_>) -> bool {
        let mut busy = false;
        while let Some(out) = self.sessions.poll() {
            busy = true;
            match out {
                SessionsOut::Send(send) => {
                    let (body, order) = (send.body.encode(), Order::Keyed(send.key));
                    let (options, then) = (send.options, Then::Session(send.token));
                    self.send(
                        turn,
                        &send.to,
                        Outgoing { kind: Kind::Session, place: None, body, options, order, then },
                    );
                }
                SessionsOut::Settled { token, failed } => turn.effects.push(Effect::Settled(token, failed)),
                SessionsOut::StateReady { .. } => self.ready = true,
                _ => {}
            }
        }
        busy
    }
}
