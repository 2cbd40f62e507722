//! A bare Tribes channel in a JVM: sender and receiver of channel tests and benchmarks.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::java::{Generation, Peer};
use crate::process::Process;
use crate::seats::{Seat, Seats};
use crate::wait::PATIENCE;

/// See `TribesNode.java` for commands and answers.
#[derive(Debug)]
pub struct TribesNode {
    /// Its process.
    pub process: Process,
    /// `HOST:PORT` of its receiver.
    pub cluster: String,
    /// Its unique id.
    pub id: String,
}

impl TribesNode {
    /// The node at `seats[index]` with all other seats as static members, for tests.
    pub fn start(generation: Generation, seats: &Seats, index: usize, extra: &[&str]) -> Result<Self> {
        let command = Peer::compiled(generation)?.command("TribesNode");
        Self::run(command, &seats.0[index], &seats.peers_of(index), extra)
    }

    /// The same with an optimizing JVM and without digests, for benchmarks.
    pub fn start_fast(seats: &Seats, index: usize, extra: &[&str]) -> Result<Self> {
        let mut command = Peer::compiled(Generation::Tomcat10)?.fast_command("TribesNode", "512m");
        command.args(["--digest", "false"]);
        Self::run(command, &seats.0[index], &seats.peers_of(index), extra)
    }

    fn run(mut command: std::process::Command, seat: &Seat, peers: &[String], extra: &[&str]) -> Result<Self> {
        command.args(["--host", &seat.host.to_string(), "--port", &seat.port.to_string(), "--id", &seat.id]);
        for peer in peers {
            command.args(["--peer", peer]);
        }
        command.args(extra);
        let mut process = Process::spawn(format!("tribes-{}", seat.port), &mut command)?;
        let [cluster, id] = process.ready(["cluster", "id"])?;
        Ok(Self { process, cluster, id })
    }

    /// One command, answered with JSON.
    pub fn ask(&mut self, command: &str) -> Result<Value> {
        self.ask_within(command, PATIENCE)
    }

    /// As [`TribesNode::ask`] with a bound of its own.
    pub fn ask_within(&mut self, command: &str, timeout: Duration) -> Result<Value> {
        let answer = self.process.ask_within(command, timeout)?;
        serde_json::from_str(&answer).context(answer)
    }

    /// Number of members that it knows.
    pub fn members(&mut self) -> Result<usize> {
        Ok(self.ask("members")?["members"].as_array().map_or(0, Vec::len))
    }
}
