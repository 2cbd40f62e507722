//! Messages out of order, failed deliveries and their repair.

use std::time::Duration;

use bytes::Bytes;

use super::net::{Net, config, text};
use super::tomcat::Tomcat;
use crate::session::{CellKind, Incoming, JavaStr, SessionLimits, wire};
use crate::wire::Member;

/// What node 0 sends to node 1 for one request, without delivering it.
fn messages(net: &mut Net, id: &str) -> Vec<Bytes> {
    net.settle();
    net.log.clear();
    net.session(0, id);
    let bodies = net.log.iter().filter(|(from, to, _)| (*from, *to) == (0, 1)).map(|(_, _, body)| body.clone());
    bodies.collect()
}

fn give(net: &mut Net, node: usize, body: &Bytes) {
    let (now, from) = (net.now, net.members[0].clone());
    let incoming = Incoming::decode(body, &SessionLimits::default()).expect("decodes");
    net.machine(node).received(now, &from, incoming, false);
}

/// A node that hears only what the test gives it.
fn listener(net: &mut Net) -> usize {
    let index = net.add(config());
    net.settle();
    index
}

#[test]
fn w1_a_delta_that_comes_before_its_session_waits_for_it() {
    let mut net = Net::of(2);
    let bodies = messages(&mut net, "A");
    assert_eq!(bodies.len(), 2);
    net.kill(0);
    net.kill(1);
    let node = listener(&mut net);
    give(&mut net, node, &bodies[1]);
    assert_eq!((net.machine(node).len(), net.machine(node).parked().0), (0, 1));
    net.run(Duration::from_secs(5));
    give(&mut net, node, &bodies[0]);
    assert_eq!(net.get(node, "A", "user").as_deref(), Some("alice"));
    assert_eq!(net.machine(node).parked(), (0, 0));
}

#[test]
fn w1_an_end_that_overtakes_its_beginning_holds() {
    let mut net = Net::of(2);
    let mut bodies = messages(&mut net, "A");
    net.log.clear();
    let now = net.now;
    net.machine(0).invalidate(now, "A").expect("there");
    net.settle();
    bodies.push(net.log[0].2.clone());
    net.kill(0);
    net.kill(1);
    let node = listener(&mut net);
    for index in [1, 2, 0, 1] {
        give(&mut net, node, &bodies[index]);
    }
    assert!(net.machine(node).is_empty());
    assert_eq!(net.machine(node).parked(), (0, 0));
}

/// Others tell of a member what a Tomcat would say of it, and its own record comes later.
#[test]
fn a_member_that_shows_to_be_a_clowder_node_gets_what_changed_before_it_was_seen() {
    let ids = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let mut net = Net::of(3);
    net.part(0, 1);
    ids.iter().for_each(|id| net.session(0, id));
    net.cut.clear();
    let (now, clowder) = (net.now, net.members[1].clone());
    net.machine(0).joined(now, clowder.plain());
    net.machine(0).joined(now, clowder);
    net.run(Duration::from_secs(30));
    for id in ids {
        assert_eq!(net.get(1, id, "user").as_deref(), Some("alice"), "{id}");
    }
}

/// A Tomcat so young would have nothing.
#[test]
fn a_young_member_that_shows_to_be_a_clowder_node_is_asked_for_its_state() {
    let mut net = Net::of(2);
    net.part(0, 1);
    net.session(0, "A");
    net.run(Duration::from_secs(5));
    net.cut.clear();
    let (now, clowder) = (net.now, net.members[0].clone());
    net.machine(1).joined(now, clowder.plain());
    net.run(Duration::from_secs(30));
    assert_eq!(net.get(1, "A", "user"), None);
    let now = net.now;
    net.machine(1).joined(now, clowder);
    net.run(Duration::from_secs(30));
    assert_eq!(net.get(1, "A", "user").as_deref(), Some("alice"));
}

/// What was under way when its sender left may come to one member alone.
#[test]
fn what_comes_late_of_a_member_that_left_is_passed_on() {
    let (mut net, mut other) = (Net::of(3), Net::of(2));
    let bodies = messages(&mut other, "B");
    net.kill(0);
    net.run(Duration::from_secs(20));
    bodies.iter().for_each(|body| give(&mut net, 1, body));
    net.run(Duration::from_secs(30));
    for node in [1, 2] {
        assert_eq!(net.get(node, "B", "user").as_deref(), Some("alice"), "node {node}");
    }
}

/// It may die before it is a member here, and then it never leaves.
#[test]
fn what_comes_of_one_that_is_no_member_yet_is_passed_on() {
    let (mut net, mut other) = (Net::of(2), Net::of(2));
    let (now, stranger) = (net.now, Member::new(([10, 0, 0, 99], 4000).into(), [99; 16]));
    for body in messages(&mut other, "B") {
        let incoming = Incoming::decode(&body, &SessionLimits::default()).expect("decodes");
        net.machine(0).received(now, &stranger, incoming, false);
    }
    net.run(Duration::from_secs(5));
    assert_eq!(net.get(1, "B", "user").as_deref(), Some("alice"));
}

/// Its sender took it for processed before the newcomer came, who asked this node meanwhile.
#[test]
fn what_a_layer_held_is_passed_on_to_a_newcomer() {
    let (mut net, mut other) = (Net::of(2), Net::of(2));
    other.log.clear();
    other.session(1, "B");
    let bodies = other.log.iter().filter(|(from, to, _)| (*from, *to) == (1, 0)).map(|(_, _, body)| body);
    let newcomer = net.add(config());
    net.run(Duration::from_secs(5));
    let (now, from) = (net.now, net.members[1].clone());
    for body in bodies {
        let incoming = Incoming::decode(body, &SessionLimits::default()).expect("decodes");
        net.machine(0).received(now, &from, incoming, true);
    }
    net.run(Duration::from_secs(5));
    assert_eq!(net.get(newcomer, "B", "user").as_deref(), Some("alice"));
}

/// Nothing on the wire says for which life of a node a message is. What was sent to the earlier one may come to the next
/// one after its answer to the question for state, where the session's end is only known by its absence.
#[test]
fn the_next_life_of_a_node_gets_the_ends_that_the_earlier_one_missed() {
    let mut net = Net::of(2);
    let bodies = messages(&mut net, "A");
    net.faults.loss = 100;
    let now = net.now;
    net.machine(0).invalidate(now, "A").expect("there");
    net.run(Duration::from_secs(5));
    net.kill(1);
    net.faults.loss = 0;
    net.run(Duration::from_secs(20));
    let next = net.add_at(1, config());
    net.run(Duration::from_secs(5));
    for body in &bodies {
        give(&mut net, next, body);
    }
    net.run(Duration::from_secs(5));
    assert_eq!(net.get(next, "A", "user"), None, "it is known to have ended");
    // Much later nothing of it is on its way any more.
    net.kill(next);
    net.run(Duration::from_secs(31));
    net.log.clear();
    let last = net.add_at(1, config());
    net.run(Duration::from_secs(5));
    let told = net.traffic(0, last);
    assert!(!told.iter().any(|event| matches!(event, wire::Event::Expired)), "{told:?}");
}

#[test]
fn w1_a_message_whose_session_never_comes_is_given_up() {
    let mut net = Net::of(2);
    let bodies = messages(&mut net, "A");
    net.kill(0);
    net.kill(1);
    let node = listener(&mut net);
    give(&mut net, node, &bodies[1]);
    net.run(Duration::from_secs(11));
    assert_eq!(net.machine(node).parked(), (0, 0));
    assert_eq!(net.machine(node).stats().parked_dropped, 1);
}

#[test]
fn w6_w24_messages_about_an_unknown_session_fetch_it() {
    let mut net = Net::of(2);
    net.session(0, "A");
    // Node 1 never heard of B: its creation and first delta are lost, and so is the repair of them.
    net.faults.loss = 100;
    net.session(0, "B");
    net.faults.loss = 0;
    let now = net.now;
    net.machine(0).change_id(now, "B", JavaStr::from("B2")).expect("free");
    net.machine(0).set_attribute(now, "B2", "x", text("1")).expect("there");
    net.machine(0).request_completed(now, "B2");
    net.run(Duration::from_millis(800));
    assert_eq!(net.machine(1).stats().fetched, 2, "asked for under both ids");
    assert_eq!(net.get(1, "B2", "user").as_deref(), Some("alice"));
    assert_eq!(net.get(1, "B2", "x").as_deref(), Some("1"));
}

#[test]
fn w9_what_did_not_arrive_is_sent_again_as_a_whole_session() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.faults.loss = 100;
    net.set(0, "A", "x", "1");
    net.settle();
    assert_eq!(net.get(1, "A", "x"), None);
    net.faults.loss = 0;
    net.log.clear();
    net.run(Duration::from_secs(2));
    assert_eq!(net.get(1, "A", "x").as_deref(), Some("1"));
    assert_eq!(net.traffic(0, 1), [wire::Event::Data]);
    assert_eq!(net.machine(0).stats().repaired, 1);
}

/// The layers of its chain may hold only so much.
#[test]
fn a_member_that_takes_small_messages_only_is_repaired_in_small_ones() {
    let mut net = Net::of(2);
    net.faults.loss = 100;
    let ids: Vec<String> = (0..40).map(|number| format!("S{number}")).collect();
    ids.iter().for_each(|id| net.session(0, id));
    (net.faults.loss, net.faults.size_max) = (0, Some(900));
    net.run(Duration::from_secs(60));
    assert_eq!(net.picture(0), net.picture(1));
    assert_eq!(net.picture(1).len(), ids.len());
    // And in large ones when it takes those again.
    net.faults.loss = 100;
    (0..40).for_each(|number| net.session(0, &format!("T{number}")));
    (net.faults.loss, net.faults.size_max) = (0, None);
    net.log.clear();
    net.run(Duration::from_secs(60));
    assert_eq!(net.picture(0), net.picture(1));
    assert!(net.traffic(0, 1).len() < 20, "{:?}", net.traffic(0, 1));
}

#[test]
fn w9_repairs_go_on_until_the_member_answers() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.faults.loss = 100;
    net.set(0, "A", "x", "1");
    net.run(Duration::from_secs(100));
    assert!(net.machine(0).stats().repaired > 3);
    net.faults.loss = 0;
    net.run(Duration::from_secs(40));
    assert_eq!(net.get(1, "A", "x").as_deref(), Some("1"));
}

#[test]
fn w9_w20_a_tomcat_gets_the_whole_session_and_what_a_block_cannot_carry() {
    let mut net = Net::new();
    net.add(config());
    let tomcat = net.add_tomcat(Tomcat::default());
    net.settle();
    net.faults.loss = 100;
    net.session(0, "A");
    let now = net.now;
    net.machine(0).set(now, "A", CellKind::AuthType, "", Some(text("FORM"))).expect("there");
    net.machine(0).set(now, "A", CellKind::Note, "n", Some(text("note"))).expect("there");
    net.machine(0).set_max_inactive(now, "A", 900).expect("there");
    net.machine(0).request_completed(now, "A");
    net.settle();
    assert!(net.tomcat(tomcat).sessions.is_empty());
    net.faults.loss = 0;
    net.run(Duration::from_secs(3));
    assert_eq!(net.get(tomcat, "A", "user").as_deref(), Some("alice"));
    let session = net.tomcat(tomcat).sessions["A"].clone();
    assert_eq!(session.auth_type, Some(text("FORM")));
    assert_eq!(session.notes.get("n"), Some(&text("note")));
    assert_eq!(session.max_inactive, 900);
    assert_eq!(net.tomcat(tomcat).warnings, Vec::<String>::new());
}

#[test]
fn w9_an_end_and_an_id_change_that_did_not_arrive_are_repeated() {
    let mut net = Net::new();
    net.add(config());
    let tomcat = net.add_tomcat(Tomcat::default());
    net.settle();
    for id in ["GONE", "OLD"] {
        net.session(0, id);
    }
    net.faults.loss = 100;
    let now = net.now;
    net.machine(0).invalidate(now, "GONE").expect("there");
    net.machine(0).change_id(now, "OLD", JavaStr::from("NEW")).expect("free");
    net.settle();
    net.faults.loss = 0;
    net.run(Duration::from_secs(3));
    let ids: Vec<_> = net.tomcat(tomcat).sessions.keys().cloned().collect();
    assert_eq!(ids, ["NEW"]);
}

#[test]
fn w6_an_invalidated_session_does_not_survive_on_a_node_that_was_apart() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.part(0, 1);
    let now = net.now;
    net.machine(0).invalidate(now, "A").expect("there");
    net.run(Duration::from_secs(60));
    net.heal(0, 1);
    net.run(Duration::from_secs(10));
    assert!((0..2).all(|node| net.machine(node).is_empty()));
}

#[test]
fn a_message_of_another_context_or_an_unknown_event_is_counted_and_ignored() {
    let mut net = Net::of(2);
    let message =
        |context: &str, event| wire::SessionMessage::of(event, &JavaStr::from(context), b"X", Some(1), None).encode();
    give(&mut net, 1, &message("localhost#/other", wire::Event::Created));
    give(&mut net, 1, &message(super::net::CONTEXT, wire::Event::Unknown(7)));
    assert!(net.machine(1).is_empty());
    assert_eq!((net.machine(1).stats().other_context, net.machine(1).stats().unknown_events), (1, 1));
}

#[test]
fn a_delta_with_another_session_id_inside_is_not_executed() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let (payload, _) = wire::Delta { session_id: JavaStr::from("B"), record_all: false, actions: Vec::new() }.encode();
    let context = JavaStr::from(super::net::CONTEXT);
    let body = wire::SessionMessage::of(wire::Event::Delta, &context, b"A", Some(1), Some(payload)).encode();
    give(&mut net, 1, &body);
    assert_eq!(net.machine(1).stats().mismatched_ids, 1);
}

/// It asked for the state before the change, and was not a member yet when the change was sent.
#[test]
fn a_clock_that_is_set_forward_hides_no_change_from_a_newcomer() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.settle();
    net.now.wall += Duration::from_secs(60);
    let (now, sessions) = (net.now, net.machine(0));
    assert_eq!(sessions.changed_by(now, sessions.clock.node(), 2_000).count(), 1);
}
