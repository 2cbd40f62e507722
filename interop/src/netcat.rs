//! `clowder channel` as a process: a receiver whose events are read, and senders.

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::netns::{Host, inside};
use crate::node::clowder_binary;
use crate::process::Process;
use crate::seats::{Seat, Seats};
use crate::wait::PATIENCE;

/// `clowder channel listen`.
#[derive(Debug)]
pub struct Listener {
    /// Its process.
    pub process: Process,
    /// `HOST:PORT/HEX`.
    pub name: String,
    /// Events that were passed over.
    pub passed: Vec<Value>,
}

impl Listener {
    /// The member at `seats[index]` with all other seats as static members.
    pub fn start(seats: &Seats, index: usize, extra: &[&str]) -> Result<Self> {
        let mut arguments = Vec::new();
        for peer in seats.peers_of(index) {
            arguments.extend(["--peer".to_owned(), peer]);
        }
        arguments.extend(extra.iter().map(|word| (*word).to_owned()));
        Self::run(&seats.0[index], &arguments, None)
    }

    /// A member inside of a network namespace, with no members but those that `arguments` make known.
    pub fn start_inside(host: &Host, seat: &Seat, arguments: &[&str]) -> Result<Self> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self::run(seat, &arguments, Some(host))
    }

    fn run(seat: &Seat, arguments: &[String], host: Option<&Host>) -> Result<Self> {
        let mut command = Command::new(clowder_binary()?);
        let address = format!("{}:{}", seat.host, seat.port);
        command.args(["channel", "listen", "--cluster", &address, "--id", &seat.id]).args(arguments);
        if let Some(host) = host {
            command = inside(&host.namespace, &command);
        }
        let process = Process::spawn(format!("listen-{}", seat.port), &mut command)?;
        let mut listener = Self { process, name: seat.to_string(), passed: Vec::new() };
        let ready = listener.event("ready")?;
        ensure!(ready["member"] == listener.name.as_str(), "{ready} is not {}", listener.name);
        Ok(listener)
    }

    /// The next event of this kind; others are put aside.
    pub fn event(&mut self, kind: &str) -> Result<Value> {
        self.event_that(kind, |_| true)
    }

    /// The next event of this kind that satisfies `condition`.
    pub fn event_that(&mut self, kind: &str, condition: impl Fn(&Value) -> bool) -> Result<Value> {
        let begin = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let line = self.process.line(left).with_context(|| format!("waiting for an event {kind:?}"))?;
            let event: Value = serde_json::from_str(&line).context(line)?;
            if event["event"] == kind && condition(&event) {
                return Ok(event);
            }
            self.passed.push(event);
        }
    }

    /// As [`Listener::event_that`], also one that was put aside before.
    pub fn event_from_the_start(&mut self, kind: &str, condition: impl Fn(&Value) -> bool) -> Result<Value> {
        match self.passed.iter().position(|event| event["event"] == kind && condition(event)) {
            Some(at) => Ok(self.passed.remove(at)),
            None => self.event_that(kind, condition),
        }
    }

    /// Waits until this member, a Tomcat that stops, has left.
    ///
    /// Its notice is not acknowledged, and its receiver closes behind it: on a busy machine a probe may be refused before
    /// the connection with the notice is read.
    pub fn takes_leave(&mut self, member: &str) -> Result<()> {
        let left = self.event_that("left", |event| event["member"] == member)?;
        ensure!(["said goodbye", "dead: connection refused"].map(Value::from).contains(&left["reason"]), "{left}");
        Ok(())
    }

    /// Waits until a member of this name has joined.
    pub fn joined(&mut self, member: &str) -> Result<()> {
        self.event_that("joined", |event| event["member"] == member).map(drop)
    }

    /// So many messages.
    pub fn messages(&mut self, count: usize) -> Result<Messages> {
        let messages: Result<Vec<Value>> = (0..count).map(|_| self.event("message")).collect();
        Ok(Messages(messages.with_context(|| format!("waiting for {count} messages"))?))
    }

    /// So many messages, with those that were put aside before.
    pub fn messages_from_the_start(&mut self, count: usize) -> Result<Messages> {
        let is_message = |event: &mut Value| event["event"] == "message";
        let mut messages: Vec<Value> = self.passed.extract_if(.., is_message).collect();
        let rest = count.saturating_sub(messages.len());
        messages.extend(self.messages(rest)?.0);
        Ok(Messages(messages))
    }

    /// Orderly stop: what it says at the end.
    pub fn stop(mut self) -> Result<Value> {
        self.process.terminate()?;
        let summary = self.event("summary")?;
        let status = self.process.wait_exit()?;
        ensure!(status.success(), "{} ended with {status}", self.process.name());
        Ok(summary)
    }
}

/// Received messages, or outcomes of sent ones, with their digests.
pub struct Messages(pub Vec<Value>);

/// Enough to see what kind they are, and those that failed.
impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} messages", self.0.len())?;
        let failed = self.0.iter().filter(|message| message["outcome"] == "failed");
        failed.chain(&self.0).take(4).try_for_each(|message| write!(f, "\n  {message}"))
    }
}

impl Messages {
    /// As `Numbered.digest` in Java: equal for equal bodies in whatever order.
    pub fn digest(&self) -> Result<String> {
        let digests: Option<Vec<&str>> = self.0.iter().map(|message| message["sha256"].as_str()).collect();
        let mut digests = digests.context("every message has a digest")?;
        digests.sort_unstable();
        let mut all = Sha256::new();
        for digest in digests {
            let bytes: Result<Vec<u8>, _> =
                (0..digest.len()).step_by(2).map(|at| u8::from_str_radix(&digest[at..at + 2], 16)).collect();
            all.update(bytes?);
        }
        Ok(all.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Outcomes at this member alone.
    pub fn at(&self, member: &str) -> Messages {
        Messages(self.0.iter().filter(|message| message["member"] == member).cloned().collect())
    }

    /// Messages of one lane that came behind one with a greater number.
    pub fn disorder(&self) -> usize {
        let mut newest: HashMap<&str, u64> = HashMap::new();
        let mut overtaken = 0;
        for message in &self.0 {
            let numbered = &message["numbered"];
            if let (Some(lane), Some(number)) = (numbered["lane"].as_str(), numbered["number"].as_u64()) {
                let newest = newest.entry(lane).or_default();
                overtaken += usize::from(number < *newest);
                *newest = number.max(*newest);
            }
        }
        overtaken
    }
}

/// `clowder channel send` that goes on until it is told to end.
#[derive(Debug)]
pub struct Stream {
    /// Its process.
    pub process: Process,
    outcomes: Vec<Value>,
}

impl Stream {
    /// Begins to send; `arguments` say what and to whom.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(clowder_binary()?);
        command.args(["channel", "send", "--count", &u32::MAX.to_string()]).args(arguments);
        Ok(Stream { process: Process::spawn("send", &mut command)?, outcomes: Vec::new() })
    }

    /// Waits for the next outcome that is like this.
    pub fn outcome_that(&mut self, condition: impl Fn(&Value) -> bool) -> Result<()> {
        loop {
            self.next().context("waiting for an outcome")?;
            if self.outcomes.last().is_some_and(&condition) {
                return Ok(());
            }
        }
    }

    /// No more is sent: all outcomes.
    pub fn end(mut self) -> Result<Messages> {
        self.process.terminate()?;
        self.process.wait_exit()?;
        let log = self.process.log();
        ensure!(log.iter().any(|line| line.contains("not everything was sent")), "{log:?}");
        for line in self.process.rest() {
            self.outcomes.push(serde_json::from_str(&line).context(line)?);
        }
        Ok(Messages(self.outcomes))
    }

    fn next(&mut self) -> Result<()> {
        let line = self.process.line(PATIENCE)?;
        self.outcomes.push(serde_json::from_str(&line).context(line)?);
        Ok(())
    }
}

/// Runs `clowder channel send` and gives the outcomes, and whether all were good.
pub fn send(arguments: &[&str]) -> Result<(Messages, bool)> {
    outcomes(&Command::new(clowder_binary()?).args(["--log", "error", "channel", "send"]).args(arguments).output()?)
}

/// As [`send`], inside of a network namespace.
pub fn send_inside(host: &Host, arguments: &[&str]) -> Result<(Messages, bool)> {
    let mut command = Command::new(clowder_binary()?);
    command.args(["--log", "error", "channel", "send"]).args(arguments);
    outcomes(&inside(&host.namespace, &command).output()?)
}

fn outcomes(output: &Output) -> Result<(Messages, bool)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    let lines = lines.context(text.into_owned())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(!lines.is_empty(), "nothing was sent: {errors}");
    ensure!(!errors.contains("panicked"), "{errors}");
    Ok((Messages(lines), output.status.success()))
}
