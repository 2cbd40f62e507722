//! Local use, deltas between nodes, and what must not be lost on the way.

use std::time::Duration;

use super::net::{Net, config, start, text};
use crate::session::{
    AttributeFilter, CellKind, JavaStr, Replication, SessionError, SessionEvent, SessionLimits, Sessions,
    SessionsConfig, SessionsOut, wire,
};

#[test]
fn a_session_and_its_changes_appear_on_every_node() {
    let mut net = Net::of(3);
    net.session(0, "A");
    net.set(1, "A", "cart", "book");
    net.settle();
    for node in 0..3 {
        assert_eq!(net.get(node, "A", "user").as_deref(), Some("alice"), "node {node}");
        assert_eq!(net.get(node, "A", "cart").as_deref(), Some("book"), "node {node}");
    }
    let now = net.now;
    net.machine(2).remove_attribute(now, "A", "cart").expect("there");
    net.machine(2).request_completed(now, "A");
    net.settle();
    assert!((0..3).all(|node| net.get(node, "A", "cart").is_none()));
}

#[test]
fn invalidation_ends_the_session_everywhere_after_its_last_change() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.log.clear();
    let now = net.now;
    net.machine(0).set_attribute(now, "A", "last", text("word")).expect("there");
    net.machine(0).invalidate(now, "A").expect("there");
    net.settle();
    assert_eq!(net.traffic(0, 1), [wire::Event::Delta, wire::Event::Expired]);
    assert!((0..2).all(|node| net.machine(node).is_empty()));
    assert_eq!(net.machine(0).set_attribute(now, "A", "x", text("y")), Err(SessionError::NoSuchSession));
}

#[test]
fn everything_a_tomcat_puts_into_a_session_travels() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    let (principal, listener) = (text("principal"), text("listener"));
    let machine = net.machine(0);
    machine.set(now, "A", CellKind::Principal, "", Some(principal.clone())).expect("there");
    machine.set(now, "A", CellKind::AuthType, "", Some(text("FORM"))).expect("there");
    machine.set(now, "A", CellKind::Note, "n", Some(text("note"))).expect("there");
    machine.set_listener(now, "A", &listener, true).expect("there");
    machine.set_max_inactive(now, "A", 900).expect("there");
    machine.request_completed(now, "A");
    net.settle();
    let there = net.machine(1).snapshot("A").expect("replicated");
    assert_eq!(there.principal(), Some(&principal));
    assert_eq!(there.auth_type(), Some(&text("FORM")));
    assert_eq!(there.note("n"), Some(&text("note")));
    assert_eq!(there.listeners().collect::<Vec<_>>(), [&listener]);
    assert_eq!(there.max_inactive(), 900);
    net.machine(0).set_listener(now, "A", &listener, false).expect("there");
    net.machine(0).request_completed(now, "A");
    net.settle();
    assert_eq!(net.machine(1).snapshot("A").expect("there").listeners().count(), 0);
}

#[test]
fn w2_a_received_delta_keeps_unsent_changes() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    net.machine(0).set_attribute(now, "A", "mine", text("unsent")).expect("there");
    net.set(1, "A", "theirs", "sent");
    net.settle();
    assert_eq!(net.get(1, "A", "mine"), None);
    let now = net.now;
    net.machine(0).request_completed(now, "A");
    net.settle();
    for node in 0..2 {
        assert_eq!(net.get(node, "A", "mine").as_deref(), Some("unsent"), "node {node}");
        assert_eq!(net.get(node, "A", "theirs").as_deref(), Some("sent"), "node {node}");
    }
}

#[test]
fn w2_a_newer_remote_change_of_the_same_thing_makes_the_unsent_one_moot() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    net.machine(0).set_attribute(now, "A", "x", text("older")).expect("there");
    net.run(Duration::from_millis(10));
    net.set(1, "A", "x", "newer");
    net.settle();
    let now = net.now;
    net.log.clear();
    net.machine(0).request_completed(now, "A");
    net.settle();
    assert!(net.traffic(0, 1).iter().all(|event| *event != wire::Event::Delta), "nothing is left to tell");
    assert!((0..2).all(|node| net.get(node, "A", "x").as_deref() == Some("newer")));
}

#[test]
fn concurrent_writes_of_one_attribute_end_the_same_on_all_nodes() {
    for seed in 0..50 {
        let mut net = Net::of(3);
        net.rng.0 = seed;
        net.faults.delay = 50;
        net.session(0, "A");
        for round in 0..5 {
            for node in 0..3 {
                net.set(node, "A", "x", &format!("{round} of {node}"));
            }
        }
        net.run(Duration::from_secs(1));
        let values: Vec<_> = (0..3).map(|node| net.get(node, "A", "x")).collect();
        assert!(values.iter().all(|value| *value == values[0]), "seed {seed}: {values:?}");
    }
}

#[test]
fn changes_of_different_attributes_never_destroy_each_other() {
    let mut net = Net::of(2);
    net.faults.delay = 20;
    net.session(0, "A");
    for request in 0..500 {
        net.set(request % 2, "A", &format!("a{request}"), "set");
        net.drain();
    }
    net.run(Duration::from_secs(1));
    for node in 0..2 {
        let snapshot = net.machine(node).snapshot("A").expect("there");
        assert_eq!(snapshot.attributes().filter(|(name, _)| name.to_text().starts_with('a')).count(), 500);
    }
}

#[test]
fn w3_a_value_that_cannot_be_written_is_refused_and_the_rest_goes_out() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    let machine = net.machine(0);
    let broken = bytes::Bytes::from_static(b"\xac\xed\x00\x05\x73\x72\x00");
    assert_eq!(machine.set_attribute(now, "A", "broken", broken), Err(SessionError::NotAValue));
    machine.set_attribute(now, "A", "good", text("value")).expect("there");
    machine.request_completed(now, "A");
    net.settle();
    assert_eq!(net.get(1, "A", "good").as_deref(), Some("value"));
}

#[test]
fn w14_a_read_sends_nothing_and_an_unchanged_value_is_not_sent() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.log.clear();
    let now = net.now;
    net.machine(0).access(now, "A").expect("there");
    net.machine(0).request_completed(now, "A");
    net.set(0, "A", "user", "alice");
    net.settle();
    assert_eq!(net.traffic(0, 1), []);
}

#[test]
fn w14_reads_become_known_well_within_the_interval() {
    let mut net = Net::of(2);
    net.session(0, "A");
    net.log.clear();
    for _ in 0..60 {
        net.run(Duration::from_secs(30));
        let now = net.now;
        net.machine(0).access(now, "A").expect("reads keep it alive");
        net.machine(0).request_completed(now, "A");
    }
    net.settle();
    let notices = net.traffic(0, 1);
    assert!(notices.iter().all(|event| *event == wire::Event::Accessed));
    assert!((20..=31).contains(&notices.len()), "{} notices in 30 minutes", notices.len());
}

#[test]
fn w17_a_repeated_creation_changes_nothing() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let (_, _, creation) = net.log.iter().find(|(from, to, _)| (*from, *to) == (0, 1)).expect("sent").clone();
    let incoming = crate::session::Incoming::decode(&creation, &SessionLimits::default()).expect("decodes");
    let (now, from) = (net.now, net.members[0].clone());
    net.machine(1).received(now, &from, incoming, false);
    assert_eq!(net.get(1, "A", "user").as_deref(), Some("alice"));
    assert_eq!(net.machine(1).stats().repeated_creations, 1);
}

#[test]
fn w18_an_attribute_and_a_note_of_one_name_both_travel() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    net.machine(0).set_attribute(now, "A", "clash", text("a")).expect("there");
    net.machine(0).set(now, "A", CellKind::Note, "clash", Some(text("n"))).expect("there");
    net.machine(0).request_completed(now, "A");
    net.settle();
    let there = net.machine(1).snapshot("A").expect("there");
    assert_eq!((there.attribute("clash"), there.note("clash")), (Some(&text("a")), Some(&text("n"))));
}

fn filtered(name: Option<&str>, class: Option<&str>) -> SessionsConfig {
    SessionsConfig { filter: AttributeFilter::new(name, class).expect("valid"), ..config() }
}

#[test]
fn w19_filters_hold_for_what_is_sent_and_for_what_is_received() {
    let mut net = Net::new();
    net.add(config());
    net.add(filtered(Some("pub.*"), Some("java.lang.String")));
    net.settle();
    let now = net.now;
    for node in 0..2 {
        let id = ["A", "B"][node];
        let machine = net.machine(node);
        machine.create(now, JavaStr::from(id)).expect("free");
        machine.set_attribute(now, id, "pub1", text("yes")).expect("there");
        machine.set_attribute(now, id, "pub2", wire::integer(1)).expect("there");
        machine.set_attribute(now, id, "secret", text("no")).expect("there");
        machine.request_completed(now, id);
    }
    net.settle();
    let names = |net: &mut Net, node: usize, id: &str| -> Vec<String> {
        let snapshot = net.machine(node).snapshot(id).expect("there");
        snapshot.attributes().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(names(&mut net, 1, "A"), ["pub1"], "received in a delta");
    assert_eq!(names(&mut net, 0, "B"), ["pub1"], "sent in a delta");
    assert_eq!(names(&mut net, 1, "B"), ["pub1", "pub2", "secret"], "excluded ones stay with their node");
    // The same in a transfer.
    let third = net.add(filtered(Some("pub1"), None));
    net.settle();
    assert_eq!(names(&mut net, third, "A"), ["pub1"]);
}

#[test]
fn excluded_names_and_passwords_stay_here() {
    let mut net = Net::of(2);
    net.session(0, "A");
    let now = net.now;
    let machine = net.machine(0);
    machine.set_attribute(now, "A", "javax.security.auth.subject", text("s")).expect("there");
    machine.set(now, "A", CellKind::Note, "org.apache.catalina.session.PASSWORD", Some(text("p"))).expect("there");
    machine.request_completed(now, "A");
    let third = net.add(config());
    net.settle();
    for node in [1, third] {
        let there = net.machine(node).snapshot("A").expect("there");
        assert_eq!(there.attribute("javax.security.auth.subject"), None);
        assert_eq!(there.notes().count(), 0);
    }
}

#[test]
fn w25_a_snapshot_shows_one_moment() {
    let mut net = Net::of(1);
    net.session(0, "A");
    let now = net.now;
    let before = net.machine(0).snapshot("A").expect("there");
    net.machine(0).set_attribute(now, "A", "user", text("bob")).expect("there");
    net.machine(0).set_attribute(now, "A", "more", text("x")).expect("there");
    assert_eq!(before.attribute("user"), Some(&text("alice")));
    assert_eq!(before.attributes().count(), 1);
    assert_eq!(net.get(0, "A", "user").as_deref(), Some("bob"));
}

#[test]
fn a_synchronous_request_waits_for_every_replica_of_what_it_changed() {
    let mut net = Net::new();
    for _ in 0..3 {
        net.add(SessionsConfig { replication: Replication::Synchronous, ..config() });
    }
    net.settle();
    let now = net.now;
    net.machine(0).create(now, JavaStr::from("A")).expect("free");
    net.machine(0).set_attribute(now, "A", "x", text("1")).expect("there");
    let first = net.machine(0).request_completed(now, "A");
    assert_eq!(first.tokens.len(), 2, "creation and delta");
    // A parallel request whose change went out with that delta waits for the same messages.
    let second = net.machine(0).request_completed(now, "A");
    assert_eq!(second.tokens, first.tokens);
    assert_eq!(net.settled, []);
    net.settle();
    let settled: Vec<_> = net.settled.iter().map(|(node, token, failed)| (*node, *token, *failed)).collect();
    assert_eq!(settled.len(), 2);
    assert!(first.tokens.iter().all(|token| settled.contains(&(0, *token, 0))));
    let now = net.now;
    assert_eq!(net.machine(0).request_completed(now, "A").tokens, []);
}

#[test]
fn limits_refuse_locally_and_count_what_peers_send() {
    let now = start();
    let limits =
        SessionLimits { sessions_max: 1, attributes_max: 2, attribute_bytes_max: 20, ..SessionLimits::default() };
    let mut machine = Sessions::new(SessionsConfig { limits, ..config() }, &super::net::clowder(1).id, now);
    machine.create(now, JavaStr::from("A")).expect("the first");
    let refused = machine.create(now, JavaStr::from("B")).expect_err("the second");
    assert_eq!(refused, SessionError::TooManySessions { limit: 1 });
    assert_eq!(machine.create(now, JavaStr::from("A")).expect_err("taken"), SessionError::IdTaken);
    let large = text("a long value that does not fit");
    let length = large.len();
    let refused = machine.set_attribute(now, "A", "x", large);
    assert_eq!(refused, Err(SessionError::ValueTooLarge { length, limit: 20 }));
    machine.set_attribute(now, "A", "x", text("1")).expect("fits");
    machine.set_attribute(now, "A", "y", text("2")).expect("fits");
    let refused = machine.set_attribute(now, "A", "z", text("3"));
    assert_eq!(refused, Err(SessionError::TooManyValues { limit: 2 }));
    machine.set_attribute(now, "A", "y", text("replaced")).expect("no new value");
    assert_eq!(machine.stats().refused, 1);
}

#[test]
fn an_id_change_is_followed_and_the_old_id_is_worthless() {
    let mut net = Net::of(2);
    net.session(0, "OLD");
    let now = net.now;
    net.machine(0).set_attribute(now, "OLD", "x", text("1")).expect("there");
    net.machine(0).change_id(now, "OLD", JavaStr::from("NEW")).expect("free");
    // A parallel request still holds the session by its old id.
    net.machine(0).set_attribute(now, "OLD", "y", text("2")).expect("held");
    net.machine(0).request_completed(now, "NEW");
    net.settle();
    for node in 0..2 {
        let now = net.now;
        assert!(net.machine(node).access(now, "OLD").is_none(), "node {node}");
        assert_eq!(net.get(node, "NEW", "x").as_deref(), Some("1"), "node {node}");
        assert_eq!(net.get(node, "NEW", "y").as_deref(), Some("2"), "node {node}");
    }
    let renamed = SessionEvent::IdChanged { old: JavaStr::from("OLD"), new: JavaStr::from("NEW"), local: false };
    assert!(net.events.contains(&(1, renamed)));
}

#[test]
fn a_request_of_another_route_takes_the_session_over() {
    let mut net = Net::of(2);
    net.session(0, "A.tc1");
    let now = net.now;
    let note = "org.apache.catalina.authenticator.SESSION_ID";
    net.machine(0).set(now, "A.tc1", CellKind::Note, note, Some(text("A.tc1"))).expect("there");
    net.machine(0).request_completed(now, "A.tc1");
    net.settle();
    net.log.clear();
    let now = net.now;
    let snapshot = net.machine(1).access_routed(now, "A.tc1", "tc2").expect("there");
    assert_eq!(snapshot.id().to_text(), "A.tc2");
    assert_eq!(snapshot.note(note), Some(&text("A.tc2")));
    net.machine(1).request_completed(now, "A.tc2");
    net.settle();
    assert_eq!(net.traffic(1, 0), [wire::Event::ChangeId, wire::Event::Delta]);
    assert_eq!(net.get(0, "A.tc2", "user").as_deref(), Some("alice"));
    // The stale cookie finds it again, without another message.
    net.log.clear();
    let now = net.now;
    assert_eq!(net.machine(1).access_routed(now, "A.tc1", "tc2").expect("there").id().to_text(), "A.tc2");
    net.settle();
    assert_eq!(net.traffic(1, 0), []);
}

#[test]
fn one_id_changed_on_two_nodes_ends_the_same_on_all() {
    for seed in 0..20 {
        let mut net = Net::of(3);
        net.rng.0 = seed;
        net.faults.delay = 30;
        net.session(2, "A.x");
        let now = net.now;
        net.machine(0).access_routed(now, "A.x", "tc1").expect("there");
        net.machine(1).access_routed(now, "A.x", "tc2").expect("there");
        net.machine(0).set_attribute(now, "A.tc1", "one", text("1")).expect("held");
        net.machine(1).set_attribute(now, "A.tc2", "two", text("2")).expect("held");
        net.machine(0).request_completed(now, "A.tc1");
        net.machine(1).request_completed(now, "A.tc2");
        net.run(Duration::from_secs(5));
        let pictures: Vec<_> = (0..3).map(|node| net.picture(node)).collect();
        assert!(pictures.iter().all(|picture| *picture == pictures[0]), "seed {seed}: {pictures:?}");
        assert_eq!(pictures[0].len(), 1, "seed {seed}");
        let values = pictures[0].values().next().expect("one");
        assert_eq!(values.len(), 3, "seed {seed}: {values:?}");
    }
}

#[test]
fn without_members_nothing_is_sent() {
    let mut net = Net::of(1);
    net.session(0, "A");
    while let Some(out) = net.machine(0).poll() {
        assert!(!matches!(out, SessionsOut::Send(_)), "{out:?}");
    }
    assert_eq!(net.log.len(), 0);
}
