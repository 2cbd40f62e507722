//! Received messages through the chain to whoever wants them: the first listener, else the inbox.

use std::net::SocketAddr;
use std::sync::Arc;

use clowder_proto::Now;
use clowder_proto::chain::{Context, Control as Place, Flow, Sink};
use clowder_proto::wire::Ack;

use super::env::Env;
use super::random;
use crate::inbox::Delivery;
use crate::route::Listener;

/// Messages that are delivered together: one look at the listeners, one entry into the inbox.
///
/// Whoever fills it holds the gate of the sender, if it has one.
pub(crate) struct Batch<'a> {
    env: &'a Env,
    listeners: Arc<Vec<Arc<dyn Listener>>>,
    inbox: Vec<Delivery>,
    received: u64,
    now: Now,
    /// What the chain makes of one message; empty between two.
    sink: Sink,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(env: &'a Env, now: Now) -> Batch<'a> {
        let (listeners, inbox, sink) = (env.router.listeners(), Vec::new(), Sink::default());
        Batch { env, listeners, inbox, received: 0, now, sink }
    }

    /// A message as it came.
    pub(crate) fn take(&mut self, mut delivery: Delivery) {
        if self.env.chain.is_empty() {
            return self.give(delivery);
        }
        let mut sink = std::mem::take(&mut self.sink);
        let (chain, now, arrival) = (&self.env.chain, self.now, delivery.arrival());
        let options = arrival.message.options;
        let flow = random::with(|random| chain.inbound_in_place(&mut Context { now, random }, arrival, &mut sink));
        let peer = delivery.source();
        let taken = self.tell_control(&mut sink);
        for arrival in sink.arrivals.drain(..) {
            let origin = if arrival.answers { delivery.take_origin() } else { None };
            self.give(Delivery::new(arrival, origin));
        }
        if flow == Flow::Pass {
            self.give(delivery);
        } else if let Some(mut origin) = delivery.take_origin() {
            // Held, taken by the control plane, or rejected: its turn was now.
            origin.handed_up(options);
            let rejection = sink.rejections.iter().find(|(_, answers, _)| *answers);
            let ack = rejection.map_or(if taken { Ack::Ok } else { Ack::Failed }, |(_, _, rejection)| rejection.answer);
            origin.finish(&delivery.from().id, ack);
        }
        self.tell_refusals(&mut sink, peer);
        self.sink = sink;
    }

    /// What the chain gave out that was held, or did not let through.
    pub(crate) fn take_sink(&mut self, mut sink: Sink) {
        for arrival in sink.arrivals.drain(..) {
            self.give(Delivery::new(arrival, None));
        }
        self.tell_control(&mut sink);
        self.tell_refusals(&mut sink, None);
    }

    /// What is for the control plane. `false`: the coordinator had no room for it.
    fn tell_control(&self, sink: &mut Sink) -> bool {
        let mut taken = true;
        for (place, message) in sink.controls.drain(..) {
            match place {
                Place::Coordinator => taken &= self.env.coordination.received(&message),
                _ => {
                    self.env.control.intercept(&message);
                }
            }
        }
        taken
    }

    fn tell_refusals(&self, sink: &mut Sink, peer: Option<SocketAddr>) {
        for (from, _, rejection) in sink.rejections.drain(..) {
            self.env.refusals.rejected(peer, &from, &rejection);
        }
    }

    fn give(&mut self, mut delivery: Delivery) {
        self.received += 1;
        match self.listeners.iter().find(|listener| listener.accept(delivery.message())) {
            Some(listener) => {
                delivery.handed_up();
                listener.received(delivery);
            }
            None => self.inbox.push(delivery),
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(mut self) {
        let mut unclaimed = 0;
        if !self.inbox.is_empty() && !self.env.inbox.push(&mut self.inbox) {
            // Tomcat: GroupChannel.messageReceived: a message that nobody accepts counts as processed.
            unclaimed = self.inbox.len() as u64;
            self.inbox.drain(..).for_each(Delivery::done);
        }
        self.env.metrics.received.increment(self.received - unclaimed);
        if unclaimed > 0 {
            self.env.metrics.unclaimed.increment(unclaimed);
        }
    }
}
