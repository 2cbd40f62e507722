//! `clowder bench`: that each case runs and prints its line; what it measures is no matter of a test.

mod support;

use serde_json::Value;
use support::{run, text};

fn lines(args: &[&str]) -> Vec<Value> {
    let output = run(args, b"");
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    let lines = text(&output.stdout);
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

#[test]
fn channel() {
    let lines = lines(&[
        "bench",
        "channel",
        "--size",
        "100",
        "--senders",
        "2",
        "--ack",
        "received",
        "--ack",
        "processed",
        "--seconds",
        "0.2",
    ]);
    let cases: Vec<(&str, &str)> =
        lines.iter().map(|line| (line["case"].as_str().unwrap(), line["ack"].as_str().unwrap())).collect();
    assert_eq!(cases, [("raw-pingpong", "echo"), ("channel", "received"), ("channel", "processed")]);
    for line in &lines {
        assert!(line["msgs_per_s"].as_f64().unwrap() > 0.0 && line["p50_us"].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!((&line["errors"], &line["size"]), (&0.into(), &100.into()), "{line}");
        assert!(line["p999_us"].as_f64() >= line["p99_us"].as_f64(), "{line}");
    }
}

#[test]
fn the_cost_of_a_chain() {
    let words =
        "bench channel --size 100 --senders 2 --ack received --seconds 0.1 --rounds 2 --chain gzip --chain order";
    let lines = lines(&words.split(' ').collect::<Vec<_>>());
    let of = |name: &str| lines.iter().map(|line| line[name].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(of("case"), ["raw-pingpong", "channel", "channel", "channel", "channel", "chain-cost"]);
    // Every round begins with another chain.
    assert_eq!(of("chain"), ["", "gzip", "order", "order", "gzip", "order"]);
    let cost = &lines[5];
    assert_eq!((&cost["against"], &cost["rounds"]), (&"gzip".into(), &2.into()));
    assert!(cost["cost"].as_f64().unwrap() < 1.0 && cost["cpu_cost"].as_f64().unwrap() < 1.0, "{cost}");
}

#[test]
fn channel_to_a_receiver_with_threads() {
    let words = "bench channel --receiver threads --size 100 --senders 2 --ack processed --seconds 0.2";
    let lines = lines(&words.split(' ').collect::<Vec<_>>());
    assert_eq!((&lines[1]["receiver"], &lines[1]["errors"]), (&"threads".into(), &0.into()));
    assert!(lines[1]["msgs_per_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_target_that_is_not_there() {
    let output = run(&["bench", "channel", "--target", &format!("127.0.0.1:1/{}", "01".repeat(16))], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("does it run"), "{}", text(&output.stderr));
}

#[test]
fn sessions() {
    let lines =
        lines(&["bench", "sessions", "--clients", "2", "--sessions", "50", "--size", "100", "--seconds", "0.2"]);
    assert_eq!(lines.len(), 3);
    for (line, replication) in lines.iter().zip(["sync", "async"]) {
        assert!(line["case"] == "sessions" && line["replication"] == replication, "{line}");
        assert!(line["req_per_s"].as_f64().unwrap() > 0.0 && line["errors"] == 0, "{line}");
    }
    assert_eq!(lines[0]["lost"], 0, "{}", lines[0]);
    assert!(lines[2]["resident_mb"].as_f64().unwrap() > 1.0 && lines[2]["replica_resident_mb"].as_f64().unwrap() > 1.0);
}

#[test]
fn transfer() {
    let lines = lines(&["bench", "transfer", "--sessions", "50", "--size", "100", "--rounds", "2"]);
    assert_eq!(lines.len(), 2);
    assert!(
        lines.iter().all(|line| line["case"] == "transfer" && line["ready_ms"].as_f64().unwrap() > 0.0),
        "{lines:?}"
    );
}
