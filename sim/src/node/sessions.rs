//! The session manager of a process on its channel.

use clowder_proto::session::SessionsOut;
use clowder_proto::wire::MemberId;

use super::outbound::Outgoing;
use super::{Effect, Process, Turn};
use crate::Kind;

impl Process {
    pub(super) fn drain_sessions(&mut self, turn: &mut Turn<'_>) -> bool {
        let mut busy = false;
        while let Some(out) = self.sessions.poll() {
            busy = true;
            match out {
                SessionsOut::Send(send) => {
                    let body = send.body.encode();
                    let what = Outgoing { kind: Kind::Session, body, options: send.options, key: Some(send.key) };
                    self.send(turn, &send.to, what, Some(send.token));
                }
                SessionsOut::Settled { token, failed } => turn.effects.push(Effect::Settled(token, failed)),
                SessionsOut::StateReady { .. } => self.ready = true,
                _ => {}
            }
        }
        busy
    }

    /// Every target of a session message has its outcome.
    pub(super) fn session_message_done(
        &mut self,
        turn: &Turn<'_>,
        token: clowder_proto::session::Token,
        outcomes: &[(MemberId, bool)],
    ) {
        for (member, delivered) in outcomes {
            self.sessions.sent(turn.now, token, member, *delivered);
        }
    }
}
