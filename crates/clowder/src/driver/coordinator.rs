//! The task of the coordinator: one task, one [`Coordinator`]. Views of the membership and messages of other
//! coordinators go in; what it asks for is sent through the chain, and who leads is published.

use std::sync::Arc;

use bytes::Bytes;
use clowder_proto::chain::{Control as Place, Rejection};
use clowder_proto::election::{Coordinator, CoordinatorConfig, ElectionOut, SendToken};
use clowder_proto::wire::{Ack, Limits, Member, MemberId, Message};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::control::sleep_until;
use super::env::{Env, compact, now};
use crate::channel::WeakChannel;
use crate::leader::Leadership;
use crate::metrics::{self, wire_label};
use crate::send::SendOptions;
use crate::view::ViewChanges;

/// Messages that wait for the task; beyond, they are refused and counted, which elections survive.
const MESSAGES_MAX: usize = 256;
/// All messages of coordinators stay in order: a Tomcat cannot tell a late confirmation.
const ORDER_KEY: u64 = 0x636f_6f72_6469_6e61;

/// What every task knows of the coordinator, if there is one.
pub(crate) struct Coordination {
    messages: mpsc::Sender<(MemberId, Bytes)>,
    agreed: watch::Receiver<Option<Arc<Leadership>>>,
}

impl Coordination {
    /// A message of another coordinator, as the chain recognised it. `false`: there is no room for it.
    pub(crate) fn received(&self, message: &Message) -> bool {
        let taken = self.messages.try_send((message.from.id.clone(), message.body.clone())).is_ok();
        if !taken {
            metrics::coordination_dropped();
        }
        taken
    }

    pub(crate) fn agreed(&self) -> watch::Receiver<Option<Arc<Leadership>>> {
        self.agreed.clone()
    }
}

/// A coordinator that has not started.
pub(crate) struct Prepared {
    coordinator: Option<Coordinator>,
    messages: mpsc::Receiver<(MemberId, Bytes)>,
    publish: watch::Sender<Option<Arc<Leadership>>>,
}

/// The handle comes before the task, which needs everything else.
pub(crate) fn prepare(config: Option<CoordinatorConfig>, local: &Member, limits: &Limits) -> (Coordination, Prepared) {
    let (messages, inbox) = mpsc::channel(MESSAGES_MAX);
    let (publish, agreed) = watch::channel(None);
    let coordinator = config.map(|mut config| {
        if let CoordinatorConfig::NonBlocking(election) = &mut config {
            (election.seed, election.limits) = (fastrand::u64(..), limits.clone());
        }
        Coordinator::new(config, local.clone())
    });
    (Coordination { messages, agreed }, Prepared { coordinator, messages: inbox, publish })
}

struct Task {
    coordinator: Coordinator,
    env: Arc<Env>,
    channel: WeakChannel,
    publish: watch::Sender<Option<Arc<Leadership>>>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    strangers: JoinSet<(MemberId, bool)>,
}

/// One per destination of a send. There are as many as messages under way, which the machine bounds.
struct Outcome {
    token: SendToken,
    to: MemberId,
    delivered: bool,
}

/// Runs for as long as the channel does; ends at once without a coordinator.
pub(crate) async fn run(env: Arc<Env>, channel: WeakChannel, prepared: Prepared, mut changes: ViewChanges) {
    let Prepared { coordinator: Some(coordinator), mut messages, publish } = prepared else { return };
    let (outcomes, mut outcomes_inbox) = mpsc::unbounded_channel();
    let mut task = Task { coordinator, env: Arc::clone(&env), channel, publish, outcomes, strangers: JoinSet::new() };
    task.coordinator.view_changed(now(), changes.view().members());
    let mut settled = std::pin::pin!(env.control.settled());
    let mut started = false;
    loop {
        task.drain();
        let deadline = task.coordinator.deadline();
        tokio::select! {
            change = changes.next() => match change {
                Some(change) => task.coordinator.view_changed(now(), change.view.members()),
                None => return,
            },
            Some((from, body)) = messages.recv() => task.coordinator.received(now(), &from, &body),
            Some(Outcome { token, to, delivered }) = outcomes_inbox.recv() => {
                task.coordinator.sent(now(), token, &to, delivered);
            }
            Some(Ok((member, alive))) = task.strangers.join_next() => {
                task.coordinator.reached(now(), &member, alive);
            }
            () = &mut settled, if !started => {
                started = true;
                // The view that settled may not have come by its change yet.
                task.coordinator.view_changed(now(), env.control.view().members());
                task.coordinator.started(now());
            }
            () = sleep_until(deadline) => task.coordinator.handle_deadline(now()),
        }
    }
}

impl Task {
    fn drain(&mut self) {
        while let Some(out) = self.coordinator.poll() {
            match out {
                ElectionOut::Send { to, options, body, token } => self.send(to, options, body, token),
                ElectionOut::Reach(member) => self.reach(&member),
                ElectionOut::View(view) => self.agree(Leadership::of(view)),
                ElectionOut::StoodIn { leader } => tracing::warn!(
                    %leader,
                    "the member that ranks first has elected nobody, and this node confirmed it as the leader in its \
                     place; if this comes after every change of the members, it has no coordinator in its chain, or is a \
                     Tomcat whose token was lost, which elects nobody until it is started anew"
                ),
                ElectionOut::Dropped { from, cause } => {
                    tracing::debug!(%from, %cause, "a message of a coordinator cannot be read");
                    let kind = wire_label(&cause.kind);
                    let rejection = Rejection { interceptor: "coordinator", kind, answer: Ack::Ok };
                    self.env.refusals.rejected(None, &from, &rejection);
                }
                other => debug_assert!(false, "an output that nobody performs: {other:?}"),
            }
        }
    }

    fn send(&self, to: Vec<Member>, options: i32, body: Bytes, token: SendToken) {
        let Some(channel) = self.channel.upgrade() else { return };
        let outcomes = self.outcomes.clone();
        let options = SendOptions::from_bits(options).ordered_by(ORDER_KEY);
        let members = to.clone();
        channel.submit_below(Place::Coordinator, to, body, options, move |result| {
            let failed = result.err().map(|error| error.failed).unwrap_or_default();
            for member in members {
                let delivered = !failed.iter().any(|(failed, _)| *failed == member);
                let _ = outcomes.send(Outcome { token, to: member.id, delivered }); // the task has ended: so be it
            }
        });
    }

    fn reach(&mut self, member: &Member) {
        let verdict = self.env.control.meet(compact(member));
        let id = member.id.clone();
        // The control task ended, or is too busy: it is not there.
        self.strangers.spawn(async move { (id, verdict.await.unwrap_or(false)) });
    }

    fn agree(&self, agreed: Leadership) {
        let local = self.env.control.view().local().clone();
        let last = self.publish.borrow().clone();
        let leads = agreed.leader == local;
        let (leader, view_id, members) = (&agreed.leader, agreed.view_id, agreed.members.len());
        if last.is_none_or(|last| last.leader != agreed.leader) {
            tracing::info!(%leader, leads, ?view_id, members, "a new leader");
            metrics::leader_changed();
        } else {
            tracing::info!(%leader, leads, ?view_id, members, "the same leader with a new view");
        }
        metrics::leads(leads);
        self.publish.send_replace(Some(Arc::new(agreed)));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.publish.borrow().is_some() {
            metrics::leads(false);
        }
    }
}
