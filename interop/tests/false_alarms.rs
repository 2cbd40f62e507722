//! In a network that loses a fifth of all packets and delays the rest, no healthy member is removed, and a dead one is.
//!
//! `CLOWDER_SOAK_SECONDS` sets how long is watched; the runs of every day watch a short while.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clowder_interop::lossy::{Impairment, LossyNetwork};
use clowder_interop::{Browser, Kind, Node, NodeConfig, PATIENCE, Seat, Seats, netns, skip_unless, wait_until};

const NODES: usize = 3;
/// Each node has one user.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(20);

fn seconds() -> Duration {
    let text = std::env::var("CLOWDER_SOAK_SECONDS").unwrap_or_default();
    Duration::from_secs(text.parse().unwrap_or(15))
}

fn removals(node: &Node) -> Vec<String> {
    node.process.log().into_iter().filter(|line| line.contains(" left ") && line.contains("reason=")).collect()
}

fn watch(multicast: bool) -> Result<()> {
    skip_unless!(netns::available());
    let impairment = Impairment { loss_percent: 20, delay_max: Duration::from_millis(200) };
    let network = LossyNetwork::new(NODES as u8, impairment)?;
    let seats = Seats((0..NODES).map(|index| Seat::at(LossyNetwork::address(index), 4000)).collect());
    let mut nodes = Vec::new();
    for index in 0..NODES {
        let host = network.host(index);
        let config = match multicast {
            true => NodeConfig::alone(Kind::Clowder, &seats.0[index]).multicast("228.0.0.4:45564"),
            false => NodeConfig::at(Kind::Clowder, &seats, index),
        };
        nodes.push(config.inside(host).http_at(host.address).launch()?);
    }
    let nodes: Vec<Node> = nodes.into_iter().map(|node| node.ready()).collect::<Result<_>>()?;
    let joined = |node: &Node| node.process.log().iter().filter(|line| line.contains(" joined ")).count();
    for node in &nodes {
        wait_until("all members", PATIENCE, || Ok(joined(node) >= NODES - 1))?;
    }
    std::thread::scope(|scope| {
        let mut users = Vec::new();
        for node in &nodes {
            let (over, is_over) = std::sync::mpsc::channel::<()>();
            users.push(over);
            let http = node.http.clone();
            scope.spawn(move || {
                let user = Browser::new();
                while is_over.recv_timeout(BETWEEN_REQUESTS) == Err(RecvTimeoutError::Timeout) {
                    // Late answers are no failure here.
                    let _ = user.get_at(&http, "op=inc");
                }
            });
        }
        let end = Instant::now() + seconds();
        let alarm = wait_until("the end of the watch", seconds() + PATIENCE, || {
            Ok(Instant::now() >= end || nodes.iter().any(|node| !removals(node).is_empty()))
        });
        drop(users);
        alarm
    })?;
    for node in &nodes {
        let removals = removals(node);
        ensure!(removals.is_empty(), "{} removed healthy members:\n{}", node.process.name(), removals.join("\n"));
    }
    // What is so patient still sees a death.
    let mut nodes = nodes;
    nodes.remove(0).kill()?;
    for node in &nodes {
        wait_until("the dead node is removed", PATIENCE, || Ok(removals(node).len() == 1))?;
    }
    Ok(())
}

#[test]
fn no_healthy_member_is_removed_with_multicast() -> Result<()> {
    watch(true)
}

#[test]
fn no_healthy_member_is_removed_with_static_members() -> Result<()> {
    watch(false)
}
