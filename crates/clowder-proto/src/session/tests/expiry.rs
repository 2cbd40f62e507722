//! Who ends a session, and that it happens once.

use std::time::Duration;

use super::net::{Net, config};
use super::tomcat::Tomcat;
use crate::session::{EndCause, JavaStr, SessionEvent, SessionsConfig, wire};

fn ended(net: &Net) -> Vec<(usize, EndCause)> {
    let ended = net.events.iter().filter_map(|(node, event)| match event {
        SessionEvent::Ended { cause, .. } => Some((*node, *cause)),
        _ => None,
    });
    ended.collect()
}

#[test]
fn w15_one_node_ends_an_idle_session_and_tells_the_others() {
    let mut net = Net::of(3);
    for id in ["A", "B", "C", "D", "E", "F", "G", "H"] {
        net.session(0, id);
    }
    net.run(Duration::from_secs(1790));
    assert_eq!(ended(&net), []);
    net.run(Duration::from_secs(120));
    let ended = ended(&net);
    assert_eq!(ended.iter().filter(|(_, cause)| *cause == EndCause::Idle).count(), 8, "once each: {ended:?}");
    assert_eq!(ended.iter().filter(|(_, cause)| *cause == EndCause::Peer).count(), 16, "{ended:?}");
    let enders: std::collections::BTreeSet<usize> =
        ended.iter().filter(|(_, cause)| *cause == EndCause::Idle).map(|(node, _)| *node).collect();
    assert!(enders.len() > 1, "the work is spread");
}

#[test]
fn w15_another_node_takes_over_when_the_one_to_act_is_gone() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.kill(0);
    net.run(Duration::from_secs(1801));
    assert_eq!(ended(&net), [(1, EndCause::Idle)]);
    assert!(net.machine(1).is_empty());
}

#[test]
fn w15_a_tomcat_is_told() {
    let mut net = Net::new();
    net.add(config());
    let tomcat = net.add_tomcat(Tomcat::default());
    net.settle();
    net.session(0, "A");
    assert!(net.tomcat(tomcat).sessions.contains_key("A"));
    net.run(Duration::from_secs(1900));
    assert!(net.tomcat(tomcat).sessions.is_empty());
    assert!(net.traffic(0, tomcat).contains(&wire::Event::Expired));
}

#[test]
fn alone_a_session_ends_when_its_interval_is_over() {
    let mut net = Net::of(1);
    net.session(0, "A");
    net.run(Duration::from_millis(1_799_000));
    assert_eq!(net.machine(0).len(), 1);
    net.run(Duration::from_secs(1));
    assert_eq!(net.machine(0).len(), 0);
}

#[test]
fn a_request_anywhere_keeps_the_session_alive_everywhere() {
    let mut net = Net::of(2);
    net.session(0, "A");
    for round in 0..40 {
        net.run(Duration::from_secs(600));
        let now = net.now;
        let node = round % 2;
        net.machine(node).access(now, "A").expect("a third of the interval has passed");
        net.machine(node).request_completed(now, "A");
    }
    assert_eq!(ended(&net), []);
}

#[test]
fn intervals_of_zero_and_below_never_end() {
    let mut net = Net::of(1);
    for (id, seconds) in [("A", 0), ("B", -1)] {
        net.session(0, id);
        let now = net.now;
        net.machine(0).set_max_inactive(now, id, seconds).expect("there");
        net.machine(0).request_completed(now, id);
    }
    net.run(Duration::from_secs(100_000));
    assert_eq!(net.machine(0).len(), 2);
}

#[test]
fn a_shorter_interval_counts_at_once_here_and_there() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    net.machine(0).set_max_inactive(now, "A", 2).expect("there");
    net.machine(0).request_completed(now, "A");
    net.run(Duration::from_secs(3));
    assert!((0..2).all(|node| net.machine(node).is_empty()));
}

#[test]
fn a_request_does_not_get_a_session_that_should_have_ended() {
    let mut net = Net::of(1);
    net.session(0, "A");
    // The deadline has passed and nobody called yet.
    let late = net.now.later(Duration::from_secs(1801));
    assert!(net.machine(0).access(late, "A").is_none());
    assert_eq!(net.machine(0).stats().expired, 1);
}

#[test]
fn w16_a_stopping_node_ends_only_what_it_served_last() {
    let mut net = Net::new();
    net.add(SessionsConfig { expire_on_shutdown: true, ..config() });
    net.add(config());
    net.settle();
    net.session(0, "MINE");
    net.session(1, "THEIRS");
    net.session(0, "MOVED");
    net.set(1, "MOVED", "x", "1");
    net.settle();
    let now = net.now;
    net.machine(0).stop(now);
    net.settle();
    let mut left: Vec<_> = net.machine(1).ids().map(JavaStr::to_string).collect();
    left.sort();
    assert_eq!(left, ["MOVED", "THEIRS"]);
}

#[test]
fn a_stopping_node_sends_what_running_requests_have_changed() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    net.machine(0).set_attribute(now, "A", "late", super::net::text("1")).expect("there");
    let completion = net.machine(0).stop(now);
    assert_eq!(completion.tokens.len(), 1);
    net.settle();
    assert_eq!(net.get(1, "A", "late").as_deref(), Some("1"));
}

#[test]
fn thousands_of_sessions_of_one_age_end_in_bounded_steps() {
    let mut net = Net::of(1);
    let now = net.now;
    for n in 0..2500 {
        net.machine(0).create(now, JavaStr::from(format!("S{n}").as_str())).expect("free");
    }
    let late = now.later(Duration::from_secs(1800));
    net.machine(0).handle_deadline(late);
    assert_eq!(net.machine(0).len(), 1500);
    assert!(net.machine(0).deadline().is_some_and(|at| at <= late.mono), "the rest is due at once");
    net.machine(0).handle_deadline(late);
    net.machine(0).handle_deadline(late);
    assert_eq!(net.machine(0).len(), 0);
}
