//! A message on its way through the chain to its targets: however many frames that takes, each target has one outcome.
//!
//! Most messages are one frame for all targets ([`Planned::One`]). Where the chain makes several, or a second message
//! that follows when the first has arrived, they are a [`Shipment`]: legs of one frame to one target, counted together.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use clowder_proto::chain::{
    Body, Context, Control as Place, Draft, Flow, FollowUp, Parcel, Plan, Refusal, Stage, Tally, Targets,
};
use clowder_proto::link::{Failure, Order, Outcome};
use clowder_proto::wire::{Member, MemberId};

use crate::channel::Inner;
use crate::driver::env::now;
use crate::driver::peer::{Peer, Wanted};
use crate::driver::random;
use crate::driver::waiters::Then;
use crate::error::{Full, SendError};
use crate::send::{Part, PartState, Parts, Receipt, SendOptions, Target, message_id};
use crate::way::{Via, Way};

/// What is to be sent for one message.
pub(crate) enum Planned {
    One(Outbound),
    Many(Shipment),
}

/// One frame, the same for all targets.
pub(crate) struct Outbound {
    pub(crate) frame: Bytes,
    /// It cannot be sent, to anybody.
    pub(crate) failure: Option<Failure>,
    pub(crate) acked: bool,
    pub(crate) order: Order,
}

impl Outbound {
    /// Hand it to a peer that has room.
    pub(crate) fn queue(&self, peer: Arc<Peer>, waits: bool) -> Part {
        let wanted = if waits { Wanted::Future } else { Wanted::Nothing };
        let slot = peer.queue(self.frame.clone(), self.acked, self.order, wanted);
        Part::new(Target::Peer(peer), slot.map_or(PartState::Queued, PartState::Waiting))
    }
}

impl Inner {
    /// What the chain makes of a message. `waits`: the caller sends nothing else before it knows the outcome.
    /// `place`: it enters the chain there; else at the top.
    pub(crate) fn plan(
        self: &Arc<Self>,
        place: Option<Place>,
        body: Bytes,
        options: SendOptions,
        waits: bool,
        to: &[MemberId],
    ) -> Planned {
        let now = now();
        let body = Body::from(body);
        let draft = Draft { options: options.bits(), timestamp: now.wall_ms(), id: message_id(), body };
        let mut parcel = Parcel { draft, targets: Targets::All };
        let (acked, order, via) = (options.is_acked(), options.order(waits), options.via());
        let one = |frame: Result<Bytes, Failure>| {
            let failure = frame.as_ref().err().copied();
            Planned::One(Outbound { frame: frame.unwrap_or_default(), failure, acked, order })
        };
        if self.env.chain.is_empty() && via == Via::Tcp {
            return one(self.frame(&mut parcel.draft));
        }
        let mut plan = Plan::default();
        let flow = random::with(|random| {
            self.env.chain.outbound_in_place(place, &mut Context { now, random }, &mut parcel, to, &mut plan)
        });
        let is_whole = |parcel: &Parcel| via == Via::Tcp && parcel.targets.indices(to.len()).len() == to.len();
        match (flow, &mut plan.parcels[..]) {
            (Err(refusal), _) => {
                refused(&refusal);
                one(Err(Failure::Refused))
            }
            (Ok(Flow::Pass), []) if is_whole(&parcel) => one(self.frame(&mut parcel.draft)),
            (Ok(Flow::Taken), [only]) if plan.follow_ups.is_empty() && is_whole(only) => {
                one(self.frame(&mut only.draft))
            }
            (Ok(flow), _) => {
                plan.parcels.extend((flow == Flow::Pass).then_some(parcel));
                match self.legs(&mut plan, to.len(), via) {
                    Err(failure) => one(Err(failure)),
                    Ok(legs) => Planned::Many(Shipment {
                        inner: Arc::downgrade(self),
                        legs,
                        order: plan.order(order),
                        follow_ups: plan.follow_ups,
                        acked,
                        via,
                    }),
                }
            }
        }
    }

    /// Queue it now, for members that are not none; `done` is called once.
    pub(crate) fn submit(self: &Arc<Self>, planned: Planned, members: Vec<Member>, done: Done) {
        let outbound = match planned {
            Planned::One(outbound) => outbound,
            Planned::Many(shipment) => return shipment.set_out(self, members, done).queue_now(),
        };
        let peers: Vec<_> = members.iter().map(|member| self.peer_for(member, &outbound)).collect();
        let then = Then::new(
            members.len(),
            Box::new(move |outcomes| done(Parts::known(members.into_iter().zip(outcomes)).result())),
        );
        for (index, peer) in peers.into_iter().enumerate() {
            match peer {
                Ok(peer) if peer.try_reserve(outbound.frame.len()) => {
                    let wanted = Wanted::Then(Arc::clone(&then), index);
                    let _no_slot = peer.queue(outbound.frame.clone(), outbound.acked, outbound.order, wanted);
                }
                Ok(peer) => {
                    let failure = peer.refusal();
                    peer.count_failure(failure);
                    then.done(index, Outcome::Failed(failure));
                }
                Err(failure) => then.done(index, Outcome::Failed(failure)),
            }
        }
    }

    /// The draft's body is empty afterwards.
    fn frame(&self, draft: &mut Draft) -> Result<Bytes, Failure> {
        if self.env.encoder.frame_len(draft.body.len()) > self.env.limits.wire.frame_bytes_max {
            return Err(Failure::TooLarge);
        }
        Ok(self.env.encoder.frame(draft))
    }

    /// The bodies of the plan are empty afterwards.
    fn legs(&self, plan: &mut Plan, targets: usize, via: Via) -> Result<Vec<Leg>, Failure> {
        let mut legs = Vec::new();
        for (parcel, one) in plan.parcels.iter_mut().enumerate() {
            let mut frame = self.frame(&mut one.draft)?;
            if via != Via::Tcp {
                frame = self.env.encoder.plain(&frame);
            }
            let to = one.targets.indices(targets);
            if via != Via::Multicast {
                legs.extend(to.map(|target| Leg { parcel, targets: target..target + 1, frame: frame.clone() }));
            } else if to.len() == targets {
                legs.push(Leg { parcel, targets: to, frame });
            } else {
                // Differs from Tomcat: everybody gets what was made for one there.
                // Test: a_chain_that_makes_a_message_for_each_target_cannot_multicast.
                tracing::warn!("a message cannot be sent by multicast: the chain makes one for each target");
                return Err(Failure::Refused);
            }
        }
        Ok(legs)
    }

    /// The members that the outcome of a message is told of.
    pub(crate) fn addressees<T: Borrow<Member>>(&self, targets: &[T], options: SendOptions) -> Vec<Member> {
        if targets.is_empty() && options.via() == Via::Multicast {
            return vec![self.local.clone()];
        }
        targets.iter().map(|target| target.borrow().clone()).collect()
    }
}

fn refused(refusal: &Refusal) {
    tracing::warn!(interceptor = refusal.interceptor, reason = refusal.reason, "a message cannot be sent");
}

/// One frame to one target, or with multicast to all.
struct Leg {
    /// Which parcel of the plan it is.
    parcel: usize,
    targets: Range<usize>,
    frame: Bytes,
}

/// Several frames, or frames that differ from target to target.
pub(crate) struct Shipment {
    inner: Weak<Inner>,
    legs: Vec<Leg>,
    follow_ups: Vec<FollowUp>,
    acked: bool,
    order: Order,
    via: Via,
}

/// Who is told when every target has its outcome.
pub(crate) type Done = Box<dyn FnOnce(Result<Receipt, SendError>) + Send>;

/// What is known of the targets of a shipment and of what follows it.
struct Ledger {
    members: Vec<Member>,
    tally: Tally,
    done: Option<Done>,
}

/// The legs are ready to be queued, each with its place.
pub(crate) struct Voyage {
    inner: Arc<Inner>,
    legs: Vec<Leg>,
    then: Arc<Then>,
    acked: bool,
    order: Order,
    via: Via,
    members: Vec<Member>,
}

impl Shipment {
    /// `done` is called once, when all is known.
    pub(crate) fn set_out(self, inner: &Arc<Inner>, members: Vec<Member>, done: Done) -> Voyage {
        let tally = Tally::new(members.len());
        let ledger = Ledger { members: members.clone(), tally, done: Some(done) };
        self.embark(inner, members, Arc::new(Mutex::new(ledger)))
    }

    fn embark(self, inner: &Arc<Inner>, members: Vec<Member>, ledger: Arc<Mutex<Ledger>>) -> Voyage {
        let Shipment { inner: weak, legs, follow_ups, acked, order, via } = self;
        let routes: Vec<(usize, Range<usize>)> = legs.iter().map(|leg| (leg.parcel, leg.targets.clone())).collect();
        let count = routes.len();
        let passage = Passage { inner: weak, stage: Stage { routes, follow_ups }, acked, order, via };
        let then = Then::new(count, Box::new(move |outcomes| passage.arrived(&ledger, &outcomes)));
        if count == 0 {
            then.nothing();
        }
        Voyage { inner: Arc::clone(inner), legs, then, acked, order, via, members }
    }
}

impl Voyage {
    /// Wait for room where there is none.
    pub(crate) async fn queue_all(self) {
        for (index, leg) in self.legs.iter().enumerate() {
            match self.way(leg) {
                Err(failure) => self.then.done(index, Outcome::Failed(failure)),
                Ok(way) => {
                    if way.try_reserve(leg.frame.len()) || way.reserve(leg.frame.len()).await {
                        self.queue(index, way);
                    } else {
                        self.fail(index, &way, Failure::Closed);
                    }
                }
            }
        }
    }

    /// What finds no room fails.
    pub(crate) fn queue_now(self) {
        for (index, leg) in self.legs.iter().enumerate() {
            match self.way(leg) {
                Err(failure) => self.then.done(index, Outcome::Failed(failure)),
                Ok(way) if way.try_reserve(leg.frame.len()) => self.queue(index, way),
                Ok(way) => self.fail(index, &way, way.refusal()),
            }
        }
    }

    /// All or nothing.
    #[expect(clippy::result_large_err, reason = "moved once, to the caller")]
    pub(crate) fn try_queue(self) -> Result<(), Full> {
        let mut reserved: Vec<Result<Way, Failure>> = Vec::with_capacity(self.legs.len());
        for leg in &self.legs {
            let way = self.way(leg);
            if let Ok(full) = &way
                && !full.try_reserve(leg.frame.len())
            {
                for (leg, way) in self.legs.iter().zip(&reserved) {
                    way.iter().for_each(|way| way.unreserve(leg.frame.len()));
                }
                return Err(Full { member: self.members[leg.targets.start].clone() });
            }
            reserved.push(way);
        }
        for (index, way) in reserved.into_iter().enumerate() {
            match way {
                Ok(way) => self.queue(index, way),
                Err(failure) => self.then.done(index, Outcome::Failed(failure)),
            }
        }
        Ok(())
    }

    /// The way of a leg. A failure is counted.
    fn way(&self, leg: &Leg) -> Result<Way, Failure> {
        let (env, member) = (&self.inner.env, || &self.members[leg.targets.start]);
        let datagram = match self.via {
            Via::Tcp => return self.inner.peer(member()).map(Way::Peer),
            _ if env.stopped() => Err(Failure::Closed),
            _ if env.requires_tls() => Err(Failure::NoSecurePort), // datagrams have no TLS
            Via::Multicast => env.datagrams.to_group(leg.frame.len()),
            Via::Udp => {
                // The record of the view knows more than one that a caller kept, unless nothing came from the member.
                let view = env.control.view();
                let known = view.get(&member().id).filter(|known| known.udp_addr().is_some()).unwrap_or(member());
                env.datagrams.to_member(known, leg.frame.len(), self.acked)
            }
        };
        datagram.map(|to| Way::Datagram(Arc::clone(env), to)).inspect_err(|failure| crate::metrics::failed(*failure))
    }

    fn queue(&self, index: usize, way: Way) {
        way.queue(self.legs[index].frame.clone(), self.acked, self.order, &self.then, index);
    }

    fn fail(&self, index: usize, way: &Way, failure: Failure) {
        way.count_failure(failure);
        self.then.done(index, Outcome::Failed(failure));
    }
}

/// A shipment that is under way.
struct Passage {
    inner: Weak<Inner>,
    stage: Stage,
    acked: bool,
    order: Order,
    via: Via,
}

impl Passage {
    /// All legs have their outcome.
    fn arrived(self, ledger: &Arc<Mutex<Ledger>>, outcomes: &[Outcome]) {
        let mut state = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let next = state.tally.arrived(&self.stage, outcomes);
        let members = if next.is_empty() { Vec::new() } else { state.members.clone() };
        drop(state);
        for follow_up in next {
            self.follow(follow_up, &members, ledger);
        }
        Ledger::finish(ledger);
    }

    fn follow(&self, follow_up: FollowUp, members: &[Member], ledger: &Arc<Mutex<Ledger>>) {
        let targets = follow_up.targets;
        let shipment = self.inner.upgrade().ok_or(Failure::Closed).and_then(|inner| {
            let ids: Vec<MemberId> = members.iter().map(|member| member.id.clone()).collect();
            let plan =
                random::with(|random| inner.env.chain.follow_up(&mut Context { now: now(), random }, follow_up, &ids));
            let mut plan = plan.map_err(|refusal| {
                refused(&refusal);
                Failure::Refused
            })?;
            let legs = inner.legs(&mut plan, members.len(), self.via)?;
            let Passage { acked, order, via, .. } = *self;
            let shipment = Shipment { inner: self.inner.clone(), legs, follow_ups: plan.follow_ups, acked, order, via };
            Ok((inner, shipment))
        });
        match shipment {
            Ok((inner, shipment)) => shipment.embark(&inner, members.to_vec(), Arc::clone(ledger)).queue_now(),
            Err(failure) => {
                ledger.lock().unwrap_or_else(PoisonError::into_inner).tally.failed(targets, failure);
                Ledger::finish(ledger);
            }
        }
    }
}

impl Ledger {
    /// A shipment is finished; the last one tells.
    fn finish(ledger: &Mutex<Ledger>) {
        let mut state = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(outcomes) = state.tally.ended() else { return };
        let (members, done) = (std::mem::take(&mut state.members), state.done.take());
        drop(state);
        if let Some(done) = done {
            done(Parts::known(members.into_iter().zip(outcomes)).result());
        }
    }
}
