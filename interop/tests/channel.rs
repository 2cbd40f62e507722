//! The bare channel between Tribes (Tomcat 10 and 9) and Clowder: every message is acknowledged and counted.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clowder_interop::node::clowder_binary;
use clowder_interop::{Browser, Generation, Kind, NodeConfig, PATIENCE, Seats, TribesNode, skip_unless, wait_until};
use serde_json::Value;

/// Tribes sends to a Clowder node, which wants none of it: all is acknowledged, and the node goes on serving.
fn tribes_sends(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let clowder = NodeConfig::at(Kind::Clowder, &seats, 0).start()?;
    let mut tribes = TribesNode::start(generation, &seats, 1, &[])?;
    wait_until("Clowder as a member", PATIENCE, || Ok(tribes.members()? == 1))?;
    for options in [0, 2, 6, 8, 10] {
        for (count, size) in [(500, 100), (20, 300_000)] {
            let result = tribes.ask(&format!("send {count} {size} {options} 8"))?;
            assert_eq!((&result["sent"], &result["errors"]), (&count.into(), &0.into()), "options {options}");
        }
    }
    let user = Browser::new();
    assert_eq!(user.get(&clowder, "op=inc")?.attr("count"), "java.lang.Integer:1");
    clowder.stop()?;
    wait_until("Clowder's goodbye", PATIENCE, || Ok(tribes.members()? == 0))
}

/// Clowder sends to Tribes with each kind of acknowledgement: no errors, and the messages are there.
fn tribes_receives(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(1)?;
    let mut tribes = TribesNode::start(generation, &seats, 0, &[])?;
    for ack in ["none", "received", "processed"] {
        let output = Command::new(clowder_binary()?)
            .args(["bench", "channel", "--size", "1024", "--senders", "4", "--seconds", "1", "--ack", ack])
            .args(["--target", &seats.0[0].to_string()])
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with('{')).context("no result")?;
        let result: Value = serde_json::from_str(line)?;
        assert_eq!(result["errors"], 0, "{line}");
        wait_until("messages at Tribes", PATIENCE, || Ok(tribes.ask("recv")?["received"].as_i64() > Some(0)))?;
        tribes.ask("reset")?;
    }
    Ok(())
}

#[test]
fn tomcat_10_sends() -> Result<()> {
    tribes_sends(Generation::Tomcat10)
}

#[test]
fn tomcat_9_sends() -> Result<()> {
    tribes_sends(Generation::Tomcat9)
}

#[test]
fn tomcat_10_receives() -> Result<()> {
    tribes_receives(Generation::Tomcat10)
}

#[test]
fn tomcat_9_receives() -> Result<()> {
    tribes_receives(Generation::Tomcat9)
}
