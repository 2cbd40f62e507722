//! The way up: one received message becomes any number of messages for the application, or none.

use super::{Context, Control, Flow, Layer};
use crate::wire::{Ack, MemberId, Message};

/// A received message on its way up.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The message.
    pub message: Message,
    /// It stands for the message that came over the wire: the sender's acknowledgement tells what became of it. Those
    /// that were held have been answered when they came.
    pub answers: bool,
}

/// Why a received message is not delivered. The sender is at fault, or somebody who pretends to be it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{interceptor}: {kind}")]
pub struct Rejection {
    /// The interceptor's name.
    pub interceptor: &'static str,
    /// What is wrong, in lower case with underscores: the label of the counter.
    pub kind: &'static str,
    /// What the sender is told if it asked for the outcome: as Tomcat tells it.
    pub answer: Ack,
}

/// What came of received messages.
#[derive(Debug, Default)]
pub struct Sink {
    /// For the application, in order.
    pub arrivals: Vec<Arrival>,
    /// For the control plane.
    pub controls: Vec<(Control, Message)>,
    /// Not delivered, with the sender's id and whether it was the message from the wire.
    pub rejections: Vec<(MemberId, bool, Rejection)>,
}

/// The layers above an interceptor.
#[derive(Debug)]
pub struct Above<'a> {
    layers: &'a [Layer],
    sink: &'a mut Sink,
}

impl<'a> Above<'a> {
    pub(super) fn new(layers: &'a [Layer], sink: &'a mut Sink) -> Above<'a> {
        Above { layers, sink }
    }

    /// What the layers above hold, in bytes, as their bounds count them.
    pub fn held_bytes(&self) -> usize {
        let held = |layer: &Layer| match layer {
            Layer::Interceptor(interceptor) => interceptor.held_bytes(),
            Layer::Control(_) => 0,
        };
        self.layers.iter().map(held).sum()
    }

    /// Give a message to the layer above. What becomes of it there is no concern of the layers below.
    pub fn pass(&mut self, cx: &mut Context<'_>, mut arrival: Arrival) {
        if self.carry(cx, &mut arrival) == Flow::Pass {
            self.sink.arrivals.push(arrival);
        }
    }

    /// Through the layers in its place, as far as it gets.
    pub(super) fn carry(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival) -> Flow {
        let mut layers = self.layers;
        while let Some((layer, rest)) = layers.split_last() {
            layers = rest;
            match layer {
                Layer::Control(control) if control.claims(&arrival.message) => {
                    self.sink.controls.push((*control, arrival.message.clone()));
                    return Flow::Taken;
                }
                Layer::Control(_) => {}
                Layer::Interceptor(interceptor) => {
                    match interceptor.inbound(cx, arrival, &mut Above::new(rest, self.sink)) {
                        Ok(Flow::Pass) => {}
                        Ok(Flow::Taken) => return Flow::Taken,
                        Err(rejection) => {
                            self.sink.rejections.push((arrival.message.from.id.clone(), arrival.answers, rejection));
                            return Flow::Taken;
                        }
                    }
                }
            }
        }
        Flow::Pass
    }
}
