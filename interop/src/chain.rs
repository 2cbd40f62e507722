//! A bare Tribes channel in a JVM with any chain of interceptors.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::java::{Generation, Peer};
use crate::netns::{Host, inside};
use crate::node::assert_clean_log;
use crate::process::Process;
use crate::seats::{Seat, Seats};
use crate::wait::PATIENCE;

/// See `ChainNode.java` for commands and answers.
#[derive(Debug)]
pub struct ChainNode {
    /// Its process.
    pub process: Process,
    /// `HOST:PORT/HEX` of its receiver.
    pub name: String,
}

impl ChainNode {
    /// The node at `seats[index]` with all other seats as static members.
    pub fn start(generation: Generation, seats: &Seats, index: usize, extra: &[&str]) -> Result<Self> {
        Self::launch(generation, seats, index, extra)?.ready()
    }

    /// Starts the process only, so that several can start at the same time.
    pub fn launch(generation: Generation, seats: &Seats, index: usize, extra: &[&str]) -> Result<Starting> {
        let mut arguments = vec!["--id".to_owned(), seats.0[index].id.clone()];
        arguments.extend(seats.peers_of(index).into_iter().flat_map(|peer| ["--peer".to_owned(), peer]));
        arguments.extend(extra.iter().map(|word| (*word).to_owned()));
        Self::run(generation, &seats.0[index], &arguments, None)
    }

    /// As [`ChainNode::launch`], with no members: whoever knows it can send to it all the same.
    pub fn launch_alone(generation: Generation, seat: &Seat, extra: &[&str]) -> Result<Starting> {
        let arguments = [&["--id", &seat.id], extra].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        Self::run(generation, seat, &arguments, None)
    }

    /// A node inside of a network namespace, with no members but those that `arguments` make known.
    pub fn launch_inside(host: &Host, generation: Generation, seat: &Seat, arguments: &[&str]) -> Result<Starting> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self::run(generation, seat, &arguments, Some(host))
    }

    fn run(generation: Generation, seat: &Seat, arguments: &[String], host: Option<&Host>) -> Result<Starting> {
        let mut command = Peer::compiled(generation)?.roomy_command("ChainNode");
        command.args(["--host", &seat.host.to_string(), "--port", &seat.port.to_string()]).args(arguments);
        if let Some(host) = host {
            command = inside(&host.namespace, &command);
        }
        let process = Process::spawn(format!("chain-{generation:?}-{}", seat.port), &mut command)?;
        Ok(Starting(Self { process, name: seat.to_string() }))
    }

    /// Starts a channel with this chain, if none is started.
    pub fn up(&mut self, chain: &str) -> Result<()> {
        let chain = if chain.is_empty() { "-" } else { chain };
        self.ask(&format!("up {chain}")).map(drop)
    }

    /// Stops the channel.
    pub fn down(&mut self) -> Result<()> {
        self.ask("down").map(drop)
    }

    /// One command, answered with JSON.
    pub fn ask(&mut self, command: &str) -> Result<Value> {
        self.ask_within(command, PATIENCE)
    }

    /// As [`ChainNode::ask`] with a bound of its own.
    pub fn ask_within(&mut self, command: &str, timeout: Duration) -> Result<Value> {
        let answer = self.process.ask_within(command, timeout)?;
        serde_json::from_str(&answer).context(answer)
    }

    /// As [`Node::assert_clean_log`](crate::Node::assert_clean_log).
    pub fn assert_clean_log(&self, expected: &[&str]) -> Result<()> {
        assert_clean_log(&self.process, &[&HARMLESS[..], expected].concat())
    }

    /// So many messages it could not decrypt, by its log.
    pub fn unopened(&self) -> usize {
        self.process.log().iter().filter(|line| line.contains("Failed to decrypt message")).count()
    }

    /// Digests of the bodies of the messages that it received.
    pub fn bodies(&mut self) -> Result<HashSet<String>> {
        serde_json::from_value(self.ask("bodies")?["sha256"].take()).context("bodies have digests")
    }

    /// The members that it knows.
    pub fn members(&mut self) -> Result<Vec<String>> {
        let members = self.ask("members")?["members"].take();
        serde_json::from_value(members).context("members are a list of names")
    }
}

/// What a channel says that stands alone, outside of a server.
const HARMLESS: [&str; 2] = ["No utility executor was set", "is not compliant with JMX specification"];

/// A node whose process runs, and whose channel may not be started.
#[derive(Debug)]
pub struct Starting(ChainNode);

impl Starting {
    /// Waits for its `READY` line.
    pub fn ready(mut self) -> Result<ChainNode> {
        self.0.process.ready([])?;
        Ok(self.0)
    }
}
