//! Rules of the chain itself; those of each interceptor are beside it.

pub(super) mod node;
mod room;
mod simulation;
pub(super) mod vectors;

use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::*;
use crate::wire::{Ack, Member};

/// Appends its letter on the way down, wants it on the way up.
#[derive(Debug)]
struct Letter(u8);

impl Interceptor for Letter {
    fn name(&self) -> &'static str {
        "letter"
    }

    fn outbound(&self, _: &mut Context<'_>, parcel: &mut Parcel, _: &mut Below<'_>) -> Result<Flow, Refusal> {
        parcel.draft.body.append(&[self.0]);
        Ok(Flow::Pass)
    }

    fn inbound(&self, _: &mut Context<'_>, arrival: &mut Arrival, _: &mut Above<'_>) -> Result<Flow, Rejection> {
        let body = &arrival.message.body;
        if body.last() != Some(&self.0) {
            return Err(Rejection { interceptor: "letter", kind: "wrong_letter", answer: Ack::Failed });
        }
        arrival.message.body = body.slice(..body.len() - 1);
        Ok(Flow::Pass)
    }
}

/// One message for each target, with the target's index, and a second one behind it.
#[derive(Debug)]
struct Each;

impl Interceptor for Each {
    fn name(&self) -> &'static str {
        "each"
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refusal> {
        for index in parcel.targets.indices(below.targets().len()) {
            let mut one = Parcel { draft: parcel.draft.clone(), targets: Targets::One(index) };
            one.draft.body.append(format!("{index}").as_bytes());
            let then = Draft { body: Body::from(Bytes::from_static(b"then")), ..parcel.draft.clone() };
            below.pass_then(cx, &mut one, then)?;
        }
        Ok(Flow::Taken)
    }
}

fn chain(layers: Vec<Layer>) -> Chain {
    Chain::new(layers)
}

fn letter(letter: u8) -> Layer {
    Layer::Interceptor(Arc::new(Letter(letter)))
}

fn draft(body: &'static str) -> Draft {
    Draft { options: 1, timestamp: 7, id: [9; 16], body: Body::from(Bytes::from_static(body.as_bytes())) }
}

fn member(last: u8) -> Member {
    Member::new(([10, 0, 0, last], 4000).into(), [last; 16])
}

fn with<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let now = Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH };
    work(&mut Context { now, random: &mut |bytes: &mut [u8]| bytes.fill(1) })
}

fn bodies(plan: &Plan) -> Vec<(Targets, String)> {
    let text = |parcel: &Parcel| String::from_utf8(parcel.draft.body.clone().into_bytes().to_vec()).unwrap();
    plan.parcels.iter().map(|parcel| (parcel.targets, text(parcel))).collect()
}

#[test]
fn down_goes_through_every_layer_and_up_back_again() {
    let chain = chain(vec![letter(b'a'), Layer::Control(Control::Static), letter(b'b')]);
    let plan = with(|cx| chain.outbound(None, cx, draft("x"), &[member(1).id])).unwrap();
    assert_eq!(bodies(&plan), [(Targets::All, "xab".to_owned())]);
    let mut sink = Sink::default();
    let message = plan.parcels[0].draft.clone().into_message(member(2));
    with(|cx| chain.inbound(cx, message, &mut sink));
    assert_eq!(sink.arrivals.len(), 1);
    assert_eq!(&sink.arrivals[0].message.body[..], b"x");
    assert!(sink.arrivals[0].answers && sink.rejections.is_empty());
}

#[test]
fn what_is_rejected_goes_no_further_and_names_its_sender() {
    let chain = chain(vec![letter(b'a'), letter(b'b')]);
    let mut sink = Sink::default();
    with(|cx| chain.inbound(cx, draft("xb").into_message(member(2)), &mut sink));
    assert!(sink.arrivals.is_empty());
    let [(from, answers, rejection)] = &sink.rejections[..] else { panic!("{sink:?}") };
    assert_eq!((from, *answers, rejection.kind), (&member(2).id, true, "wrong_letter"));
}

#[test]
fn what_one_layer_makes_for_one_member_no_other_member_sees() {
    let chain = chain(vec![Layer::Interceptor(Arc::new(Each)), letter(b'z')]);
    let plan = with(|cx| chain.outbound(None, cx, draft("x"), &[member(1).id, member(2).id])).unwrap();
    let expected = [(Targets::One(0), "x0z".to_owned()), (Targets::One(1), "x1z".to_owned())];
    assert_eq!(bodies(&plan), expected);
}

#[test]
fn a_follow_up_names_what_it_follows_and_passes_the_layers_below() {
    let targets = [member(1).id, member(2).id];
    let chain = chain(vec![letter(b'a'), Layer::Interceptor(Arc::new(Each)), letter(b'z')]);
    let plan = with(|cx| chain.outbound(None, cx, draft("x"), &targets)).unwrap();
    let after: Vec<_> = plan.follow_ups.iter().map(|follow_up| follow_up.after.clone()).collect();
    assert_eq!(after, [0..1, 1..2]);
    let next = with(|cx| chain.follow_up(cx, plan.follow_ups[1].clone(), &targets)).unwrap();
    assert_eq!(bodies(&next), [(Targets::One(1), "thenz".to_owned())]);
}

#[test]
fn a_message_of_the_control_plane_leaves_and_enters_at_its_place() {
    let chain = chain(vec![letter(b'a'), Layer::Control(Control::Static), letter(b'b')]);
    let start = "Local StaticMember Notification Data";
    let plan = with(|cx| chain.outbound(Some(Control::Static), cx, draft(start), &[member(1).id])).unwrap();
    assert_eq!(bodies(&plan), [(Targets::All, format!("{start}b"))]);
    let mut sink = Sink::default();
    let message = plan.parcels[0].draft.clone().into_message(member(2));
    with(|cx| chain.inbound(cx, message, &mut sink));
    assert!(sink.arrivals.is_empty() && sink.rejections.is_empty());
    assert!(matches!(&sink.controls[..], [(Control::Static, _)]));
    // Without such a place nothing is done to it.
    let plan = with(|cx| chain.outbound(Some(Control::Ping), cx, draft("p"), &[member(1).id])).unwrap();
    assert_eq!(bodies(&plan), [(Targets::All, "p".to_owned())]);
}

#[test]
fn order_over_fragmentation_is_right_for_every_member_where_tomcat_garbles_the_second() {
    let vector = vectors::vector("stack-order-over-fragmentation-two-members");
    let node = node::Node::new(["order", "fragment"].map(|name| LayerConfig::named(name).unwrap()).into());
    let plan = node.send(draft_of(vectors::unhex(&vector["input_hex"])), &[member(1), member(2)]);
    let sent = node::sent(&plan);
    assert_eq!(sent[0], vectors::unhex_all(&vector["wire_hex"])[0]);
    assert_eq!(sent[1], vectors::unhex(&vector["expected"]["right_second_frame_hex"]));
    for (parcel, to) in plan.parcels.iter().zip([1, 2]) {
        let message = parcel.draft.clone().into_message(member(10 + to));
        assert_eq!(node::delivered(&node.receive(message)), [vectors::unhex(&vector["input_hex"])]);
    }
}

fn draft_of(body: Bytes) -> Draft {
    Draft { body: Body::from(body), ..draft("") }
}
