//! Beside a Tomcat with its flaws.

use std::time::Duration;

use super::net::{Net, config, text};
use super::tomcat::Tomcat;
use crate::session::JavaStr;

fn pair() -> Net {
    let mut net = Net::new();
    net.add(config());
    net.add_tomcat(Tomcat::default());
    net.settle();
    net.log.clear();
    net
}

#[test]
fn sessions_of_both_sides_are_on_both() {
    let mut net = pair();
    net.session(0, "OURS");
    let now = net.now;
    net.tomcat(1).create(now, "THEIRS");
    net.tomcat(1).set("THEIRS", "x", text("1"));
    net.tomcat(1).complete(now, "THEIRS");
    net.settle();
    assert_eq!(net.picture(0), net.picture(1));
    assert_eq!(net.picture(0).len(), 2);
}

#[test]
fn no_first_attribute_is_lost_at_a_tomcat() {
    let mut net = pair();
    net.faults.delay = 50;
    let now = net.now;
    for n in 0..2000 {
        let id = format!("S{n}");
        net.machine(0).create(now, JavaStr::from(id.as_str())).expect("free");
        net.machine(0).set_attribute(now, &id, "first", text("1")).expect("there");
        net.machine(0).request_completed(now, &id);
    }
    net.run(Duration::from_secs(1));
    let missing = (0..2000).filter(|n| net.get(1, &format!("S{n}"), "first").is_none()).count();
    assert_eq!(missing, 0);
}

#[test]
fn a_tomcats_wiped_changes_are_fetched() {
    let mut net = pair();
    net.session(0, "A");
    // A request at the Tomcat is under way when our delta arrives there.
    net.tomcat(1).set("A", "theirs", text("1"));
    net.set(0, "A", "ours", "2");
    net.settle();
    assert_eq!(net.tomcat(1).sessions["A"].pending, [], "the Tomcat forgot to send it");
    let now = net.now;
    net.tomcat(1).complete(now, "A");
    net.run(Duration::from_secs(3));
    assert_eq!(net.get(0, "A", "theirs").as_deref(), Some("1"));
    assert_eq!(net.picture(0), net.picture(1));
}

#[test]
fn five_hundred_parallel_changes_beside_a_tomcat_end_on_both() {
    let mut net = pair();
    net.faults.delay = 10;
    net.session(0, "A");
    for request in 0..250 {
        net.tomcat(1).set("A", &format!("t{request}"), text("1"));
        net.set(0, "A", &format!("c{request}"), "1");
        let pause = net.rng.below(4);
        net.run(Duration::from_millis(pause));
        let now = net.now;
        net.tomcat(1).complete(now, "A");
    }
    net.run(Duration::from_secs(60));
    assert_eq!(net.picture(0)["A"].len(), 501);
    assert_eq!(net.picture(0), net.picture(1));
}

#[test]
fn parallel_writes_of_one_attribute_end_the_same_on_all_nodes() {
    for seed in 0..30 {
        let mut net = Net::new();
        net.add(config());
        net.add(config());
        let tomcat = net.add_tomcat(Tomcat::default());
        net.settle();
        net.session(0, "A");
        net.faults.delay = 40;
        net.rng.0 = seed;
        let now = net.now;
        net.tomcat(tomcat).set("A", "x", text("tomcat"));
        net.tomcat(tomcat).complete(now, "A");
        net.set(0, "A", "x", "clowder");
        net.run(Duration::from_secs(30));
        let values: Vec<_> = (0..3).map(|node| net.get(node, "A", "x")).collect();
        assert!(values.iter().all(|value| *value == values[0]), "seed {seed}: {values:?}");
    }
}

#[test]
fn a_tomcat_whose_clock_is_behind_still_changes_what_was_written_here() {
    let mut net = pair();
    net.session(0, "A");
    net.set(0, "A", "x", "ours");
    net.run(Duration::from_secs(5));
    net.tomcat(1).set("A", "x", text("theirs, later"));
    let mut behind = net.now;
    behind.wall -= Duration::from_secs(3600);
    net.tomcat(1).complete(behind, "A");
    net.settle();
    assert_eq!(net.get(0, "A", "x").as_deref(), Some("theirs, later"));
}

#[test]
fn a_tomcat_keeps_a_session_that_is_only_read_here() {
    let mut net = pair();
    net.session(0, "A");
    let mut longest = 0;
    for _ in 0..100 {
        net.run(Duration::from_secs(60));
        let now = net.now;
        net.machine(0).access(now, "A").expect("there");
        net.machine(0).request_completed(now, "A");
        net.settle();
        let idle = net.now.wall_ms() - net.tomcat(1).sessions["A"].accessed;
        longest = longest.max(idle);
    }
    assert!(longest < 1_800_000, "a Tomcat drops its copy after twice the interval; idle {longest} ms");
}
