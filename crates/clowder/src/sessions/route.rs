//! Received session messages: to the manager of their context.
//!
//! One listener per channel, shared by all contexts, so that a question for the state of a context which nobody runs
//! here gets its answer: without one, a Tomcat's application start hangs for a minute.
//!
//! A message is processed on the task of its connection, and acknowledged after that. So when a sender has its
//! acknowledgement, whoever asks here next sees the change.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use clowder_proto::session::{Incoming, JavaStr, SessionLimits, no_context_manager};
use clowder_proto::wire::Member;

use super::core::Core;
use crate::inbox::Delivery;
use crate::pause::Pause;

/// The managers of one channel.
#[derive(Default)]
pub(crate) struct Contexts {
    by_name: RwLock<HashMap<JavaStr, Weak<Core>>>,
    warned_of_malformed: Pause,
    warned_of_unknown: Pause,
}

impl Contexts {
    /// From now on messages of this context go to `core`. False: somebody else has the context.
    pub(super) fn register(&self, core: &Arc<Core>) -> bool {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        match by_name.entry(JavaStr::from(core.context.as_str())) {
            Entry::Occupied(taken) if taken.get().strong_count() > 0 => false,
            Entry::Occupied(mut left) => {
                left.insert(Arc::downgrade(core));
                true
            }
            Entry::Vacant(free) => {
                free.insert(Arc::downgrade(core));
                true
            }
        }
    }

    /// Managers that a message is for.
    fn of(&self, context: Option<&JavaStr>) -> Vec<Arc<Core>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        match context {
            Some(context) => by_name.get(context).and_then(Weak::upgrade).into_iter().collect(),
            // Tomcat: ClusterSessionListener.messageReceived — without a context it is for every manager.
            None => by_name.values().filter_map(Weak::upgrade).collect(),
        }
    }

    /// One session message.
    pub(super) fn received(&self, delivery: &Delivery) {
        let (from, held) = (delivery.from(), delivery.was_held());
        // The decoder's limits bound memory; what an operator decides is the machine's business.
        let incoming = match Incoming::decode(delivery.body(), &SessionLimits::default()) {
            Ok(incoming) => incoming,
            Err(error) => {
                metrics::counter!("clowder_session_messages_malformed_total").increment(1);
                if self.warned_of_malformed.is_over() {
                    tracing::warn!(%error, from = %from.id, "a session message cannot be read and is ignored");
                }
                return;
            }
        };
        let mut cores = self.of(incoming.context());
        let Some(last) = cores.pop() else { return self.refuse(from, &incoming) };
        for core in cores {
            core.accept(from, incoming.clone(), held);
        }
        last.accept(from, incoming, held);
    }

    /// Nobody runs this context here: who asks for its state is told so. Any manager's channel will do.
    fn refuse(&self, from: &Member, incoming: &Incoming) {
        metrics::counter!("clowder_session_messages_of_unknown_contexts_total").increment(1);
        self.warn_of_unknown(from, incoming);
        let Some(context) = incoming.context().filter(|_| incoming.asks_for_state()) else { return };
        if let Some(core) = self.of(None).first() {
            core.outlet.answer(from, no_context_manager(context));
        }
    }

    /// Applications that run on some nodes only are no mistake; names that differ in the host only surely are one.
    fn warn_of_unknown(&self, from: &Member, incoming: &Incoming) {
        let Some(theirs) = incoming.context().map(JavaStr::to_text) else { return };
        let ours = self.of(None).into_iter().find(|core| path(&core.context) == path(&theirs));
        if let Some(ours) = ours
            && self.warned_of_unknown.is_over()
        {
            tracing::warn!(
                from = %from.id, theirs = %theirs, ours = %ours.context,
                "a member shares the same application under another name, so no session is shared with it; a Tomcat \
                 puts its host's name in front if its <Cluster> stands in the <Engine>"
            );
        }
    }
}

/// The part of a context name that no host name changes.
fn path(context: &str) -> &str {
    context.rsplit_once('#').map_or(context, |(_, path)| path)
}

impl Core {
    /// A decoded message of a peer, which a layer held or not.
    pub(super) fn accept(self: &Arc<Self>, from: &Member, incoming: Incoming, held: bool) {
        self.input(|inner, now| inner.machine.received(now, from, incoming, held));
    }

    /// A message of a peer.
    #[cfg(test)]
    pub(super) fn received(self: &Arc<Self>, from: &Member, body: &bytes::Bytes) {
        self.accept(from, Incoming::decode(body, &SessionLimits::default()).unwrap(), false);
    }
}
