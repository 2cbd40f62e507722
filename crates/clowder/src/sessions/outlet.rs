//! Where the messages of a manager go.

use std::sync::Arc;

use bytes::Bytes;
use clowder_proto::session::{Send as Message, Token};
use clowder_proto::wire::{Member, MemberId};

use super::core::Core;

/// Takes messages in the order in which they must arrive.
///
/// It reports to [`Core::sent`] the outcome for each destination of each message, exactly once; from any task, also
/// before `submit` returns. The manager's lock is not held during the call.
pub(super) trait Outlet: std::marker::Send + Sync {
    fn submit(&self, core: &Arc<Core>, message: Message);

    /// Sends one member an answer whose fate concerns nobody.
    fn answer(&self, to: &Member, body: Bytes);
}

/// The outlet of a node alone: its machine has no members, so nothing ever comes here.
pub(super) struct Nowhere;

impl Outlet for Nowhere {
    fn submit(&self, core: &Arc<Core>, message: Message) {
        core.sent(message.token, message.to.iter().map(|member| (&member.id, false)));
    }

    fn answer(&self, _to: &Member, _body: Bytes) {}
}

impl Core {
    /// What became of a message at these destinations: true where it was processed.
    pub(super) fn sent<'a>(self: &Arc<Self>, token: Token, outcomes: impl Iterator<Item = (&'a MemberId, bool)>) {
        self.input(|inner, now| {
            for (member, delivered) in outcomes {
                inner.machine.sent(now, token, member, delivered);
            }
        });
    }
}
