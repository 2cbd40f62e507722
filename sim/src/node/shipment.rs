//! Messages on their way through the chain to their targets: however many frames that takes, each target has one
//! outcome. What `outgoing.rs` of the driver does, with the same [`Tally`].

use std::collections::BTreeMap;

use bytes::Bytes;
use clowder_proto::chain::{Body, Control, Draft, Plan, Stage, Tally, Targets};
use clowder_proto::election::SendToken;
use clowder_proto::group::SendFailure;
use clowder_proto::link::{Failure, Order, Outcome, Outgoing as Queued, Token};
use clowder_proto::session::Token as SessionToken;
use clowder_proto::wire::{Member, MemberId, MessageId};

use super::{GroupInput, Process, Turn};
use crate::Sabotage;
use crate::history::{Kind, Sent};

/// A message to be sent.
pub(super) struct Outgoing {
    pub(super) kind: Kind,
    /// Where it enters the chain; `None`: at the top.
    pub(super) place: Option<Control>,
    pub(super) body: Bytes,
    pub(super) options: i32,
    pub(super) order: Order,
    pub(super) then: Then,
}

/// Who wants to know what became of a message.
#[derive(Clone, Copy)]
pub(super) enum Then {
    Nobody,
    Session(SessionToken),
    Election(SendToken),
}

/// What an application sends.
pub(crate) struct App {
    pub(crate) body: Bytes,
    pub(crate) options: i32,
    pub(crate) order: Order,
}

/// A message whose outcomes are gathered.
pub(super) struct Message {
    to: Vec<Member>,
    tally: Tally,
    acked: bool,
    order: Order,
    then: Then,
}

/// Frames that are under way together.
pub(super) struct Passage {
    /// Of which message.
    message: usize,
    stage: Stage,
    /// By frame.
    outcomes: Vec<Option<Outcome>>,
}

/// Who wants the outcome of a frame.
pub(super) struct Waiter {
    passage: u64,
    frame: usize,
    target: MemberId,
}

impl Process {
    /// A message of the application to these members.
    pub(crate) fn send_app(&mut self, turn: &mut Turn<'_>, to: &[Member], app: App) {
        let App { body, options, order } = app;
        let outgoing = Outgoing { kind: Kind::Application, place: None, body, options, order, then: Then::Nobody };
        self.send(turn, to, outgoing);
        self.settle(turn);
    }

    pub(super) fn send(&mut self, turn: &mut Turn<'_>, to: &[Member], outgoing: Outgoing) {
        let Outgoing { kind, place, body, options, order, then } = outgoing;
        let id = MessageId::from_random(turn.rng.u128(..).to_be_bytes());
        let mut outcomes = BTreeMap::new();
        to.iter().for_each(|member| drop(outcomes.insert(member.id.clone(), Vec::new())));
        let sender = self.who;
        let sent = Sent { sender, at: turn.now.mono, kind, options, order, body: body.clone(), outcomes };
        let acked = sent.is_acked();
        let message = turn.history.sent(&id, sent);
        let bytes = id.0[..].try_into().expect("16 bytes");
        let draft = Draft { options, timestamp: turn.now.wall_ms(), id: bytes, body: Body::from(body) };
        let ids: Vec<MemberId> = to.iter().map(|member| member.id.clone()).collect();
        let plan = self.with_chain(turn, |chain, cx| chain.outbound(place, cx, draft, &ids));
        let order = plan.as_ref().map_or(order, |plan| plan.order(order));
        let gathered = Message { to: to.to_vec(), tally: Tally::new(to.len()), acked, order, then };
        self.messages.insert(message, gathered);
        self.embark(turn, message, plan.map_err(|_| Targets::All));
    }

    /// A stage of a message leaves. An error: the chain refused it for these targets.
    fn embark(&mut self, turn: &mut Turn<'_>, message: usize, plan: Result<Plan, Targets>) {
        let Some(gathered) = self.messages.get_mut(&message) else { return };
        let plan = match plan {
            Ok(plan) => plan,
            Err(targets) => {
                gathered.tally.failed(targets, Failure::Refused);
                return self.stage_ended(turn, message);
            }
        };
        let (to, acked, order) = (gathered.to.clone(), gathered.acked, gathered.order);
        let passage = self.passage_next;
        self.passage_next += 1;
        let mut routes = Vec::new();
        for (parcel, one) in plan.parcels.into_iter().enumerate() {
            turn.history.framed(&one.draft.message_id(), message);
            let targets = one.targets.indices(to.len());
            let frame = one.draft.into_message(self.local.clone()).encode_frame();
            for target in targets {
                let token = self.tokens;
                self.tokens += 1;
                let waiter = Waiter { passage, frame: routes.len(), target: to[target].id.clone() };
                self.waiters.insert(token, waiter);
                routes.push((parcel, target..target + 1));
                let queued = Queued { token: Token(token), frame: frame.clone(), acked, order };
                self.peer(turn, &to[target]).link.queued(turn.now, queued);
            }
        }
        let outcomes = vec![None; routes.len()];
        let stage = Stage { routes, follow_ups: plan.follow_ups };
        self.passages.insert(passage, Passage { message, stage, outcomes });
        self.land_if_complete(turn, passage);
    }

    /// Outcomes of frames, as the links gave them.
    pub(super) fn tell_outcomes(&mut self, turn: &mut Turn<'_>) -> bool {
        let busy = !self.outcomes.is_empty();
        while let Some((token, outcome)) = self.outcomes.pop_front() {
            self.frame_done(turn, token, outcome);
        }
        busy
    }

    fn frame_done(&mut self, turn: &mut Turn<'_>, token: Token, outcome: Outcome) {
        let Some(Waiter { passage, frame, target }) = self.waiters.remove(&token.0) else {
            let what = format!("{:?}: a second outcome of a frame", self.who);
            return turn.history.violated("outcomes", what);
        };
        let outcome = match turn.settings.sabotage {
            Sabotage::LosesOutcomes if turn.rng.u8(..20) == 0 => return,
            Sabotage::LiesAboutOutcomes => Outcome::Delivered,
            _ => outcome,
        };
        if let Outcome::Failed(failure) = outcome {
            self.suspect(&target, failure);
        }
        if let Some(place) = self.passages.get_mut(&passage).and_then(|passage| passage.outcomes.get_mut(frame)) {
            *place = Some(outcome);
        }
        self.land_if_complete(turn, passage);
    }

    /// If every frame of the passage has its outcome, what follows leaves.
    fn land_if_complete(&mut self, turn: &mut Turn<'_>, passage: u64) {
        let Some(Passage { outcomes, .. }) = self.passages.get(&passage) else { return };
        if outcomes.iter().any(Option::is_none) {
            return;
        }
        let Passage { message, stage, outcomes } = self.passages.remove(&passage).expect("found above");
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        let Some(gathered) = self.messages.get_mut(&message) else { return };
        let next = if turn.settings.sabotage == Sabotage::CommitsRegardless {
            let next = gathered.tally.arrived(&stage, &vec![Outcome::Delivered; outcomes.len()]);
            for ((_, targets), outcome) in stage.routes.iter().zip(outcomes) {
                if let Outcome::Failed(failure) = outcome {
                    gathered.tally.failed(Targets::One(targets.start), failure);
                }
            }
            next
        } else {
            gathered.tally.arrived(&stage, &outcomes)
        };
        let ids: Vec<MemberId> = gathered.to.iter().map(|member| member.id.clone()).collect();
        for follow_up in next {
            let targets = follow_up.targets;
            let plan = self.with_chain(turn, |chain, cx| chain.follow_up(cx, follow_up, &ids));
            self.embark(turn, message, plan.map_err(|_| targets));
        }
        self.stage_ended(turn, message);
    }

    /// With the last stage, every target has its outcome.
    fn stage_ended(&mut self, turn: &mut Turn<'_>, message: usize) {
        let Some(outcomes) = self.messages.get_mut(&message).and_then(|gathered| gathered.tally.ended()) else {
            return;
        };
        let Message { to, then, .. } = self.messages.remove(&message).expect("found above");
        for (member, outcome) in to.into_iter().zip(outcomes) {
            turn.history.outcome(message, &member.id, outcome);
            let delivered = !matches!(outcome, Outcome::Failed(_));
            match then {
                Then::Nobody => {}
                Then::Session(token) => self.sessions.sent(turn.now, token, &member.id, delivered),
                Then::Election(token) => {
                    if let Some(coordinator) = &mut self.coordinator {
                        coordinator.sent(turn.now, token, &member.id, delivered);
                    }
                }
            }
        }
    }

    /// The failure detector wants to know, unless it is this node's own doing.
    fn suspect(&mut self, target: &MemberId, failure: Failure) {
        let cause = match failure {
            Failure::RemoteProcess => SendFailure::NegativeAck,
            Failure::Timeout | Failure::Connect | Failure::ConnectionLost | Failure::Protocol => {
                SendFailure::Connection
            }
            _ => return,
        };
        self.report(GroupInput::SendFailed(target.clone(), cause));
    }
}
