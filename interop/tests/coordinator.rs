//! Clowder nodes and Tomcats agree on one leader, and on the next one when it dies.

use anyhow::{Context, Result, ensure};
use clowder_interop::{ChainNode, Generation, Listener, PATIENCE, Seats, skip_unless, wait_until};
use serde_json::Value;

/// The coordinator above what finds out who lives.
const CHAIN: &str = "coordinator,dispatch,ping(useThread=true,interval=500),failure-detector";

enum Node {
    Clowder(Listener),
    Tomcat(ChainNode),
}

impl Node {
    fn start(kind: char, seats: &Seats, index: usize) -> Result<Node> {
        let chain = ["--chain", CHAIN];
        Ok(match kind {
            'c' => Node::Clowder(Listener::start(seats, index, &chain)?),
            't' => Node::Tomcat(ChainNode::start(Generation::Tomcat10, seats, index, &chain)?),
            'T' => Node::Tomcat(ChainNode::start(Generation::Tomcat9, seats, index, &chain)?),
            other => anyhow::bail!("no such node: {other}"),
        })
    }

    /// Waits until it has agreed on exactly these members.
    fn agrees(&mut self, view: &[String]) -> Result<()> {
        let is_it = |said: &Value, members: &str, leader: &str| {
            said[members] == Value::from(view) && said[leader] == view[0].as_str()
        };
        match self {
            Node::Clowder(listener) => {
                listener.event_that("leader", |said| is_it(said, "members", "member")).map(|_| ())
            }
            Node::Tomcat(tomcat) => {
                wait_until("an agreement", PATIENCE, || Ok(is_it(&tomcat.ask("leader")?, "view", "leader")))
            }
        }
        .with_context(|| format!("on {view:?}"))
    }

    fn kill(self) -> Result<()> {
        match self {
            Node::Clowder(mut listener) => listener.process.kill(),
            Node::Tomcat(mut tomcat) => tomcat.process.kill(),
        }
    }
}

/// `kinds`: c is Clowder, t Tomcat 10, T Tomcat 9; the first ranks highest. They start in this `order`, the leaders die
/// one after the other.
fn survives(kinds: &str, order: &[usize]) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let mut seats = Seats::reserve(kinds.len())?;
    seats.0.sort_by_key(|seat| seat.port);
    let mut names: Vec<String> = seats.0.iter().map(ToString::to_string).collect();
    let mut nodes: Vec<Option<Node>> = kinds.chars().map(|_| None).collect();
    for index in order {
        let kind = kinds.chars().nth(*index).context("a node of the order")?;
        nodes[*index] = Some(Node::start(kind, &seats, *index)?);
    }
    let mut nodes: Vec<Node> = nodes.into_iter().flatten().collect();
    ensure!(nodes.len() == kinds.len(), "every node starts");
    loop {
        for node in &mut nodes {
            node.agrees(&names)?;
        }
        if nodes.len() == 1 {
            return Ok(());
        }
        names.remove(0);
        nodes.remove(0).kill()?;
    }
}

#[test]
fn a_tomcat_leads_and_then_a_clowder_node() -> Result<()> {
    survives("tcTc", &[0, 1, 2, 3])
}

#[test]
fn a_clowder_node_leads_and_then_a_tomcat() -> Result<()> {
    survives("ctcT", &[3, 2, 1, 0])
}

#[test]
fn a_clowder_node_that_joins_last_and_ranks_first_takes_over_from_a_tomcat() -> Result<()> {
    survives("ctt", &[1, 2, 0])
}

#[test]
fn a_tomcat_that_joins_last_and_ranks_first_takes_over_from_a_clowder_node() -> Result<()> {
    survives("tcc", &[1, 2, 0])
}

/// The Tomcat's token goes to a node that never passes it on: by itself, it would not elect again.
#[test]
fn a_tomcat_that_waits_for_its_lost_token_is_stood_in_for() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let mut seats = Seats::reserve(3)?;
    seats.0.sort_by_key(|seat| seat.port);
    let names: Vec<String> = seats.0.iter().map(ToString::to_string).collect();
    let mut tomcat = Node::start('t', &seats, 0)?;
    let Node::Clowder(mut lost) = Node::start('c', &seats, 1)? else { unreachable!("c is Clowder") };
    tomcat.agrees(&names[..2])?;
    lost.process.pause()?;
    let mut last = Node::start('c', &seats, 2)?;
    let Node::Tomcat(channel) = &mut tomcat else { unreachable!("t is Tomcat") };
    wait_until("the new member", PATIENCE, || Ok(channel.members()?.contains(&names[2])))?;
    lost.process.kill()?;
    let left = [names[0].clone(), names[2].clone()];
    last.agrees(&left)?;
    tomcat.agrees(&left)
}
