//! `clowder demo`: the tour that it prints, taken.

mod support;

use std::process::Command;

use support::{Process, until};

#[test]
fn the_tour_works_as_printed_and_everything_ends_with_the_demonstration() {
    let mut demo = Process::start(&["demo".to_owned()]);
    let lines = demo.lines_until("Ctrl-C ends all of it");
    let pids: Vec<&str> = lines.iter().filter_map(|line| line.split_once("   pid ").map(|(_, pid)| pid)).collect();
    assert_eq!(pids.len(), 3, "{lines:?}");
    let jar = tempfile::tempdir().unwrap();
    let mut answers = Vec::new();
    for command in
        lines.iter().map(|line| line.trim()).filter(|line| line.starts_with("curl") || line.starts_with("kill"))
    {
        let output = Command::new("sh").args(["-c", command]).current_dir(jar.path()).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        answers.push(String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert!([0, 1, 3, 4].iter().all(|index| answers[*index].contains("java.lang.String:alice")), "{answers:?}");
    assert!(answers[4].contains("java.lang.Integer:1"), "{answers:?}");
    demo.lines_until("[node 1] ended");
    demo.signal("INT");
    assert_eq!(demo.wait().code(), Some(0), "{}", demo.log());
    gone(&pids);
}

#[test]
fn the_nodes_do_not_outlive_a_killed_demonstration() {
    let mut demo = Process::start(&["demo".to_owned()]);
    let lines = demo.lines_until("Ctrl-C ends all of it");
    let pids: Vec<&str> = lines.iter().filter_map(|line| line.split_once("   pid ").map(|(_, pid)| pid)).collect();
    demo.signal("KILL");
    demo.wait();
    gone(&pids);
}

/// A process that has ended and waits for its new parent to take notice is gone as well.
fn gone(pids: &[&str]) {
    for pid in pids {
        until(&format!("process {pid} ends"), || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()));
            status.map_or(true, |status| status.contains("State:\tZ"))
        });
    }
}
