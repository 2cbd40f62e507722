//! State transfer in both roles.

use std::time::Duration;

use super::net::{CONTEXT, Net, clowder, config, text};
use super::tomcat::Tomcat;
use crate::session::{Incoming, JavaStr, SessionLimits, Sessions, SessionsConfig, SessionsOut, TransferConfig, wire};

fn fill(machine: &mut Sessions, now: crate::Now, sessions: usize, value: &str) {
    for n in 0..sessions {
        let id = format!("S{n:05}");
        machine.create(now, JavaStr::from(id.as_str())).expect("free");
        machine.set_attribute(now, &id, "pad", text(value)).expect("there");
        machine.request_completed(now, &id);
    }
}

#[test]
fn a_starting_node_gets_everything_before_it_is_ready() {
    let mut net = Net::of(1);
    let now = net.now;
    fill(net.machine(0), now, 300, "x");
    let node = net.add(config());
    assert!(!net.ready.contains(&(node, true)));
    net.settle();
    assert_eq!(net.ready.last(), Some(&(node, true)));
    assert_eq!(net.picture(0), net.picture(node));
    assert_eq!(net.machine(0).stats().states_given, 1);
}

#[test]
fn w11_blocks_are_bounded_by_bytes_and_the_end_comes_after_all_were_acknowledged() {
    let mut net = Net::new();
    net.add(SessionsConfig {
        transfer: TransferConfig { block_bytes: 20_000, ..TransferConfig::default() },
        ..config()
    });
    net.settle();
    let now = net.now;
    fill(net.machine(0), now, 100, &"x".repeat(1000));
    net.faults.delay = 30;
    let node = net.add(config());
    net.settle();
    let traffic = net.traffic(0, node);
    let blocks = traffic.iter().filter(|event| **event == wire::Event::Data).count();
    assert!((6..=8).contains(&blocks), "{blocks} blocks");
    assert_eq!(traffic.last(), Some(&wire::Event::Complete));
    assert!(net.log.iter().all(|(_, _, body)| body.len() < 30_000));
    assert_eq!(net.machine(node).len(), 100);
}

#[test]
fn w11_a_block_that_failed_is_sent_again_before_the_end() {
    let mut net = Net::new();
    net.add(SessionsConfig {
        transfer: TransferConfig { block_bytes: 5_000, block_attempts: 50, ..TransferConfig::default() },
        ..config()
    });
    net.settle();
    let now = net.now;
    fill(net.machine(0), now, 100, &"x".repeat(500));
    let node = net.add(config());
    net.drain();
    net.run(Duration::from_millis(3));
    net.faults.loss = 40;
    net.run(Duration::from_millis(300));
    net.faults.loss = 0;
    net.run(Duration::from_secs(1));
    assert_eq!(net.machine(node).len(), 100);
    assert_eq!(net.machine(0).stats().states_given, 1);
}

#[test]
fn w11_a_transfer_that_cannot_go_on_has_no_end_and_is_repaired() {
    let mut net = Net::of(2);
    let now = net.now;
    fill(net.machine(0), now, 50, "x");
    net.settle();
    // A fresh node whose answers are lost after it asked.
    let node = net.add(config());
    net.drain();
    net.faults.loss = 100;
    net.run(Duration::from_millis(100));
    assert!(net.traffic(0, node).iter().all(|event| *event != wire::Event::Complete));
    net.faults.loss = 0;
    net.run(Duration::from_secs(20));
    assert_eq!(net.picture(node), net.picture(0));
}

#[test]
fn w5_two_nodes_that_start_at_once_answer_each_other() {
    let mut net = Net::new();
    let (a, b) = (super::net::clowder(1), super::net::clowder(2));
    let mut first = Sessions::new(config(), &a.id, net.now);
    let mut second = Sessions::new(config(), &b.id, net.now);
    first.joined(net.now, b.clone());
    second.joined(net.now, a.clone());
    first.started(net.now);
    second.started(net.now);
    net.members = vec![a, b];
    net.nodes = vec![super::net::Peer::Clowder(Box::new(first)), super::net::Peer::Clowder(Box::new(second))];
    net.run(Duration::from_millis(20));
    let mut ready = net.ready.clone();
    ready.sort_unstable();
    assert_eq!(ready, [(0, true), (1, true)]);
}

#[test]
fn w5_the_answer_of_a_node_that_waits_itself_is_not_the_last_word() {
    let mut net = Net::new();
    let mut tomcat = Tomcat { waiting: true, ..Tomcat::default() };
    let now = net.now;
    tomcat.create(now, "A");
    tomcat.outbox.clear();
    let tomcat = net.add_tomcat(tomcat);
    let first = net.add(config());
    let second = net.add(config());
    net.run(Duration::from_secs(7));
    assert_eq!(net.ready, [], "neither has the state that the Tomcat keeps to itself");
    net.tomcat(tomcat).waiting = false;
    net.run(Duration::from_secs(20));
    let mut ready = net.ready.clone();
    ready.sort_unstable();
    assert_eq!(ready, [(first, true), (second, true)]);
    assert!(net.machine(second).snapshot("A").is_some());
}

#[test]
fn w5_w7_after_a_refusal_the_next_member_is_asked() {
    let mut net = Net::new();
    let refusing = net.add_tomcat(Tomcat { no_context: true, ..Tomcat::default() });
    let mut tomcat = Tomcat::default();
    let now = net.now;
    tomcat.create(now, "A");
    tomcat.outbox.clear();
    let giving = net.add_tomcat(tomcat);
    let node = net.add(config());
    net.settle();
    assert_eq!(net.ready, [(node, true)]);
    assert!(net.machine(node).snapshot("A").is_some());
    // W7: the refusal counts once; asked again, the same member gives.
    net.tomcat(refusing).no_context = false;
    net.kill(giving);
    let again = net.add(config());
    net.settle();
    assert!(net.ready.contains(&(again, true)));
}

#[test]
fn w5_a_silent_member_costs_a_short_time_only() {
    let mut net = Net::new();
    net.add_tomcat(Tomcat { waiting: true, ..Tomcat::default() });
    let mut tomcat = Tomcat::default();
    let now = net.now;
    tomcat.create(now, "A");
    tomcat.outbox.clear();
    net.add_tomcat(tomcat);
    let node = net.add(config());
    net.run(Duration::from_millis(4_900));
    assert_eq!(net.ready, []);
    net.run(Duration::from_millis(300));
    assert_eq!(net.ready, [(node, true)]);
    assert_eq!(net.machine(node).len(), 1);
}

#[test]
fn w5_when_nobody_answers_serving_begins_and_the_question_is_put_again() {
    let mut net = Net::new();
    let tomcat = net.add_tomcat(Tomcat { waiting: true, ..Tomcat::default() });
    let node = net.add(config());
    net.run(Duration::from_secs(61));
    assert_eq!(net.ready, [(node, false)]);
    assert_eq!(net.machine(node).stats().no_state, 1);
    let now = net.now;
    net.tomcat(tomcat).create(now, "LATE");
    net.tomcat(tomcat).outbox.clear();
    net.tomcat(tomcat).waiting = false;
    net.run(Duration::from_secs(15));
    assert!(net.machine(node).snapshot("LATE").is_some());
}

#[test]
fn w6_members_that_meet_exchange_what_they_have() {
    let mut net = Net::of(2);
    net.session(0, "BOTH");
    net.part(0, 1);
    net.session(0, "LEFT");
    net.session(1, "RIGHT");
    net.set(0, "BOTH", "left", "1");
    net.set(1, "BOTH", "right", "2");
    net.settle();
    net.heal(0, 1);
    net.run(Duration::from_secs(5));
    assert_eq!(net.picture(0), net.picture(1));
    assert_eq!(net.picture(0).len(), 3);
    assert_eq!(net.picture(0)["BOTH"].len(), 3);
}

#[test]
fn w6_a_tomcat_that_ran_before_it_was_seen_is_offered_what_it_lacks() {
    let mut net = Net::of(1);
    net.session(0, "OURS");
    let mut tomcat = Tomcat::default();
    let now = net.now;
    tomcat.create(now, "THEIRS");
    tomcat.outbox.clear();
    let tomcat = net.add_tomcat(tomcat);
    net.run(Duration::from_secs(5));
    assert_eq!(net.get(tomcat, "OURS", "user").as_deref(), Some("alice"));
    assert!(net.machine(0).snapshot("THEIRS").is_some());
    assert_eq!(net.tomcat(tomcat).warnings, Vec::<String>::new());
}

#[test]
fn w6_a_tomcat_that_comes_back_gets_what_changed_and_nothing_else() {
    let mut net = Net::of(1);
    let tomcat = net.add_tomcat(Tomcat::default());
    net.settle();
    for id in ["QUIET", "CHANGED", "ENDED"] {
        net.session(0, id);
    }
    net.run(Duration::from_secs(60));
    net.part(0, tomcat);
    net.set(0, "CHANGED", "x", "1");
    let now = net.now;
    net.machine(0).invalidate(now, "ENDED").expect("there");
    net.session(0, "NEW");
    net.run(Duration::from_secs(60));
    net.heal(0, tomcat);
    net.run(Duration::from_secs(5));
    assert_eq!(net.picture(tomcat), net.picture(0));
    assert_eq!(net.tomcat(tomcat).warnings, ["session CHANGED replaced"]);
}

#[test]
fn a_tomcat_that_starts_is_left_to_ask() {
    let mut net = Net::of(1);
    net.session(0, "A");
    let index = net.add_tomcat(Tomcat::default());
    // Seen again as what it is: just started.
    let mut member = net.members[index].clone();
    let now = net.now;
    net.machine(0).left(now, &member.id);
    member.alive = 500;
    net.members[index] = member.clone();
    net.drain();
    net.run(Duration::from_millis(100));
    net.log.clear();
    net.machine(0).joined(now, member);
    let whom = net.members[0].clone();
    let now = net.now;
    net.tomcat(index).ask(now, &whom);
    net.run(Duration::from_secs(20));
    assert_eq!(net.traffic(0, index), [wire::Event::Data, wire::Event::Complete]);
    assert_eq!(net.get(index, "A", "user").as_deref(), Some("alice"));
}

/// It was made by a node whose clock is ahead, and ended by one whose clock is behind; a third one has it still.
#[test]
fn a_session_that_ended_does_not_come_back_whatever_the_clocks_said() {
    let mut net = Net::of(3);
    net.now.wall += Duration::from_secs(60);
    net.session(0, "A");
    net.settle();
    net.now.wall -= Duration::from_secs(60);
    net.part(1, 2);
    let now = net.now;
    net.machine(1).invalidate(now, "A").expect("there");
    net.kill(0);
    net.run(Duration::from_secs(1));
    assert_eq!(net.get(2, "A", "user").as_deref(), Some("alice"), "it did not hear of the end");
    net.heal(1, 2);
    net.run(Duration::from_secs(30));
    assert_eq!([1, 2].map(|node| net.get(node, "A", "user")), [None, None]);
}

#[test]
fn a_session_that_a_tomcat_ended_does_not_come_back_whatever_its_clock_said() {
    let mut net = Net::of(1);
    let from = super::net::tomcat(9);
    let now = net.now;
    let made = now.wall_ms() + 60_000;
    let data = wire::SessionData {
        id: JavaStr::from("A"),
        is_valid: true,
        max_inactive: 1800,
        creation: made,
        ..Default::default()
    };
    let payload = wire::encode_sessions(&[data]);
    let context = JavaStr::from(super::net::CONTEXT);
    let message = |event, name: &[u8], payload| wire::SessionMessage::of(event, &context, name, Some(1), payload);
    let block = message(wire::Event::Data, b"SESSION-STATE", Some(payload)).encode();
    let end = message(wire::Event::Expired, b"A", None).encode();
    for (body, sessions) in [(&block, 1), (&end, 0), (&block, 0)] {
        let incoming = Incoming::decode(body, &SessionLimits::default()).expect("decodes");
        net.machine(0).received(now, &from, incoming, false);
        assert_eq!(net.machine(0).len(), sessions);
    }
}

#[test]
fn w8_what_came_during_the_transfer_is_applied_whatever_its_clock_says() {
    let mut net = Net::new();
    let mut tomcat = Tomcat::default();
    let now = net.now;
    tomcat.create(now, "A");
    tomcat.outbox.clear();
    tomcat.waiting = true;
    let tomcat = net.add_tomcat(tomcat);
    let node = net.add(config());
    net.run(Duration::from_millis(50));
    // A delta of a node whose clock is an hour behind.
    net.tomcat(tomcat).set("A", "x", text("1"));
    let mut early = net.now;
    early.wall -= Duration::from_secs(3600);
    net.tomcat(tomcat).complete(early, "A");
    net.run(Duration::from_millis(50));
    assert_eq!(net.machine(node).parked().0, 1);
    // The answer shows the state before that delta.
    let stale = wire::SessionData { id: JavaStr::from("A"), is_valid: true, max_inactive: 1800, ..Default::default() };
    let payload = wire::encode_sessions(&[stale]);
    let context = JavaStr::from(super::net::CONTEXT);
    let block = wire::SessionMessage::of(wire::Event::Data, &context, b"SESSION-STATE", Some(1), Some(payload));
    let incoming = Incoming::decode(&block.encode(), &SessionLimits::default()).expect("decodes");
    let (now, from) = (net.now, net.members[tomcat].clone());
    net.machine(node).received(now, &from, incoming, false);
    assert_eq!(net.get(node, "A", "x").as_deref(), Some("1"));
}

#[test]
fn the_snapshot_time_is_never_later_than_the_question() {
    let mut net = Net::of(1);
    net.session(0, "A");
    let now = net.now;
    let asked = now.wall_ms() - 5_000; // a Tomcat whose clock is behind would drop newer messages of such nodes
    let context = JavaStr::from(super::net::CONTEXT);
    let body = wire::SessionMessage::of(wire::Event::GetAll, &context, b"GET-ALL", Some(asked), None).encode();
    let incoming = Incoming::decode(&body, &SessionLimits::default()).expect("decodes");
    let tomcat = super::net::tomcat(9);
    net.machine(0).joined(now, tomcat.clone());
    sends(net.machine(0));
    net.machine(0).received(now, &tomcat, incoming, false);
    let mut times = Vec::new();
    while let Some(out) = net.machine(0).poll() {
        let SessionsOut::Send(send) = out else { continue };
        let message = wire::SessionMessage::decode(&send.body.encode(), &SessionLimits::default()).expect("decodes");
        times.push(message.time);
        net.machine(0).sent(now, send.token, &tomcat.id, true);
    }
    assert_eq!(times, [Some(asked), Some(asked)]);
}

#[test]
fn who_asks_before_it_is_a_member_is_answered_when_it_is_one() {
    let mut net = Net::of(1);
    net.session(0, "A");
    let stranger = clowder(9);
    let (event, time) = (wire::Event::GetAll, Some(net.now.wall_ms()));
    let question = wire::SessionMessage::of(event, &JavaStr::from(CONTEXT), b"GET-ALL", time, None);
    let question = Incoming::decode(&question.encode(), &SessionLimits::default()).expect("decodes");
    let now = net.now;
    net.machine(0).received(now, &stranger, question, false);
    assert_eq!(sends(net.machine(0)), 0);
    net.machine(0).joined(now, stranger);
    // Its state is asked for in turn, and its question is answered.
    assert!(sends(net.machine(0)) >= 2);
}

fn sends(machine: &mut Sessions) -> usize {
    std::iter::from_fn(|| machine.poll()).filter(|out| matches!(out, SessionsOut::Send(_))).count()
}
