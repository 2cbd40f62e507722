//! A node of a session cluster: an embedded Tomcat or a `clowder node` process, behind one interface.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::browser::{Browser, Reply};
use crate::java::{Generation, Peer};
use crate::netns::Host;
use crate::process::Process;
use crate::seats::{Seat, Seats};
use crate::wait::{PATIENCE, wait_until};

/// Whose implementation a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An embedded Tomcat.
    Tomcat,
    /// `clowder node`; a Tomcat too with `INTEROP_SELFCHECK=tomcat`.
    Clowder,
}

impl Kind {
    fn effective(self) -> Self {
        match std::env::var("INTEROP_SELFCHECK") {
            Ok(instead) if instead == "tomcat" => Self::Tomcat,
            _ => self,
        }
    }
}

/// How to start a node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    kind: Kind,
    name: String,
    seat: (String, u16, String),
    peers: Vec<String>,
    options: u32,
    multicast: Option<String>,
    dns: Option<String>,
    namespace: Option<String>,
    await_members: usize,
    http: Option<String>,
    extra: Vec<String>,
}

impl NodeConfig {
    /// The node at `seats[index]`, whose static peers are all other seats.
    pub fn at(kind: Kind, seats: &Seats, index: usize) -> Self {
        let mut config = Self::alone(kind, &seats.0[index]);
        config.name = format!("{config_kind}-{index}", config_kind = config.name);
        config.peers = seats.peers_of(index);
        config
    }

    /// A node without static peers.
    pub fn alone(kind: Kind, seat: &Seat) -> Self {
        let kind = kind.effective();
        Self {
            kind,
            name: format!("{kind:?}").to_lowercase(),
            seat: (seat.host.to_string(), seat.port, seat.id.clone()),
            peers: Vec::new(),
            options: 8,
            multicast: None,
            dns: None,
            namespace: None,
            await_members: 0,
            http: None,
            extra: Vec::new(),
        }
    }

    /// Tomcat's `channelSendOptions`: 8 asynchronous, 6 synchronous (also chooses Clowder's `--replication`).
    pub fn options(mut self, options: u32) -> Self {
        self.options = options;
        self
    }

    /// Multicast membership at `GROUP:PORT`.
    pub fn multicast(mut self, group: &str) -> Self {
        self.multicast = Some(group.to_owned());
        self
    }

    /// Membership by the addresses of this name. Ids follow from addresses.
    pub fn dns(mut self, name: &str) -> Self {
        self.dns = Some(name.to_owned());
        self
    }

    /// Runs inside a network namespace; the seat must have its address.
    pub fn inside(mut self, host: &Host) -> Self {
        self.namespace = Some(host.namespace.clone());
        self
    }

    /// A joining Tomcat starts its application (and asks for state) only when it knows so many members. Tomcat
    /// announces static members from another thread; without this it may start too early and stay empty.
    pub fn joining(mut self, members: usize) -> Self {
        self.await_members = members;
        self
    }

    /// A Clowder node serves HTTP at this address, not at that of its seat.
    pub fn http_at(mut self, address: std::net::Ipv4Addr) -> Self {
        self.http = Some(address.to_string());
        self
    }

    /// More options for the peer's own command line, if it is of this kind.
    pub fn extra(mut self, kind: Kind, args: &[&str]) -> Self {
        if kind.effective() == self.kind {
            self.extra.extend(args.iter().map(|arg| (*arg).to_owned()));
        }
        self
    }

    /// Starts the node and waits until it serves.
    pub fn start(&self) -> Result<Node> {
        self.launch()?.ready()
    }

    /// Starts the process only, so that several can start at the same time.
    pub fn launch(&self) -> Result<Starting> {
        let command = match self.kind {
            Kind::Tomcat => self.tomcat(Peer::compiled(Generation::Tomcat10)?.command("TomcatNode")),
            Kind::Clowder => self.clowder(Command::new(clowder_binary()?)),
        };
        self.launch_command(command)
    }

    /// As [`NodeConfig::launch`] with a JVM for benchmarks.
    pub fn launch_fast(&self, heap: &str) -> Result<Starting> {
        match self.kind {
            Kind::Tomcat => {
                let command = Peer::compiled(Generation::Tomcat10)?.fast_command("TomcatNode", heap);
                self.launch_command(self.tomcat(command))
            }
            Kind::Clowder => self.launch(),
        }
    }

    fn launch_command(&self, command: Command) -> Result<Starting> {
        let mut command = match &self.namespace {
            None => command,
            Some(namespace) => crate::netns::inside(namespace, &command),
        };
        if let Some(name) = &self.dns {
            command.env("DNS_MEMBERSHIP_SERVICE_NAME", name);
        }
        let process = Process::spawn(&self.name, &mut command)?;
        Ok(Starting { process, kind: self.kind, id: self.seat.2.clone() })
    }

    fn tomcat(&self, mut command: Command) -> Command {
        let (host, port, id) = &self.seat;
        command.args(["--host", host, "--port", &port.to_string(), "--options", &self.options.to_string()]);
        if self.dns.is_some() {
            command.args(["--dns", "true"]);
        } else if self.multicast.is_none() || !self.peers.is_empty() {
            command.args(["--id", id]);
        }
        command.args(["--await-members", &self.await_members.to_string()]);
        self.common(&mut command);
        command
    }

    fn clowder(&self, mut command: Command) -> Command {
        let (host, port, id) = &self.seat;
        let replication = if self.options & 4 == 0 { "async" } else { "sync" };
        let http = self.http.as_ref().unwrap_or(host);
        command.args(["node", "--http", &format!("{http}:0"), "--cluster", &format!("{host}:{port}")]);
        match &self.dns {
            Some(name) => command.args(["--dns", name]),
            None => command.args(["--id", id]),
        };
        command.args(["--replication", replication]);
        self.common(&mut command);
        command
    }

    fn common(&self, command: &mut Command) {
        for peer in &self.peers {
            command.args(["--peer", peer]);
        }
        if let Some(group) = &self.multicast {
            command.args(["--multicast", group]);
        }
        command.args(&self.extra);
    }
}

/// A node whose process runs but does not serve yet.
#[derive(Debug)]
pub struct Starting {
    process: Process,
    kind: Kind,
    id: String,
}

impl Starting {
    /// Waits for the node's `READY` line.
    pub fn ready(mut self) -> Result<Node> {
        let [http, cluster] = self.process.ready(["http", "cluster"])?;
        Ok(Node { process: self.process, kind: self.kind, http, cluster, id: self.id })
    }
}

/// A serving node.
#[derive(Debug)]
pub struct Node {
    /// Its process.
    pub process: Process,
    /// What it really is.
    pub kind: Kind,
    /// `HOST:PORT` of its HTTP server.
    pub http: String,
    /// `HOST:PORT` of its receiver.
    pub cluster: String,
    /// Its unique id (as configured; a multicast Tomcat chooses its own).
    pub id: String,
}

impl Node {
    /// A Tomcat's answer to `stats`; see `TomcatNode.java`.
    pub fn stats(&mut self) -> Result<Value> {
        ensure!(self.kind == Kind::Tomcat, "only a Tomcat has stats");
        let answer = self.process.ask("stats")?;
        serde_json::from_str(&answer).context(answer)
    }

    /// A number out of [`Node::stats`].
    pub fn stat(&mut self, name: &str) -> Result<i64> {
        let stats = self.stats()?;
        stats[name].as_i64().with_context(|| format!("no number {name} in {stats}"))
    }

    /// Number of members that a Tomcat knows.
    pub fn members(&mut self) -> Result<usize> {
        Ok(self.stats()?["members"].as_array().map_or(0, Vec::len))
    }

    /// Waits until a Tomcat knows exactly `count` members. A Clowder node prints `READY` only then.
    pub fn await_members(&mut self, count: usize) -> Result<()> {
        if self.kind == Kind::Clowder {
            return Ok(());
        }
        let name = self.process.name().to_owned();
        wait_until(&format!("{count} members at {name}"), PATIENCE, || Ok(self.members()? == count))
    }

    /// The session with this id. At a Tomcat without touching it; at Clowder by a reading request.
    pub fn peek(&mut self, id: &str) -> Result<Reply> {
        match self.kind {
            Kind::Tomcat => Reply::parse(&self.process.ask(&format!("peek {id}"))?),
            Kind::Clowder => Browser::new().with_session(id).get(self, "op=dump"),
        }
    }

    /// Waits until this node's copy of the session satisfies `condition`.
    pub fn await_session(&mut self, id: &str, what: &str, condition: impl Fn(&Reply) -> bool) -> Result<Reply> {
        let mut last = None;
        let name = self.process.name().to_owned();
        let waited = wait_until(&format!("{what} at {name}"), PATIENCE, || {
            let reply = self.peek(id)?;
            let holds = condition(&reply);
            last = Some(reply);
            Ok(holds)
        });
        waited.with_context(|| format!("last seen: {last:?}"))?;
        last.context("the wait looked at least once")
    }

    /// SIGKILL.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    /// Orderly stop; it must end with success.
    pub fn stop(mut self) -> Result<Vec<String>> {
        match self.kind {
            Kind::Tomcat => drop(self.process.ask("stop")?),
            Kind::Clowder => self.process.terminate()?,
        }
        let status = self.process.wait_exit()?;
        ensure!(status.success(), "{} ended with {status}", self.process.name());
        Ok(self.process.log())
    }

    /// Fails if the log has a warning or an error that is neither harmless by itself nor named in `expected`
    /// (parts of lines). Clowder's own logs are checked in the same way.
    pub fn assert_clean_log(&self, expected: &[&str]) -> Result<()> {
        assert_clean_log(&self.process, expected)
    }
}

/// As [`Node::assert_clean_log`], of any process.
pub(crate) fn assert_clean_log(process: &Process, expected: &[&str]) -> Result<()> {
    let log = process.log();
    let bad: Vec<_> = complaints(&log).filter(|(_, line)| !expected.iter().any(|part| line.contains(part))).collect();
    // A line behind it often says more.
    let told = |(at, _): &(usize, &str)| log[*at..].iter().take(6).cloned().collect::<Vec<_>>().join("\n");
    let told: Vec<String> = bad.iter().take(10).map(told).collect();
    ensure!(bad.is_empty(), "{} complained:\n{}", process.name(), told.join("\n"));
    Ok(())
}

/// Warnings that two Tomcats give each other in the same cases.
const HARMLESS: [&str; 3] = [
    // Static membership without that interceptor; the detector is enough for these cases.
    "There is no TcpPingInterceptor",
    // A slow machine.
    "Creation of SecureRandom instance",
    "took longer than",
];

fn complaints(log: &[String]) -> impl Iterator<Item = (usize, &str)> {
    let bad = |line: &&str| {
        line.starts_with("WARNING ")
            || line.starts_with("SEVERE ")
            || line.contains(" WARN ")
            || line.contains(" ERROR ")
            || line.contains("panicked at")
    };
    let lines = log.iter().map(String::as_str).enumerate();
    lines.filter(move |(_, line)| bad(line) && !HARMLESS.iter().any(|part| line.contains(part)))
}

/// The binary under test: `CLOWDER_BIN`, or built by cargo (once per process).
pub fn clowder_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CLOWDER_BIN") {
        return Ok(path.into());
    }
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = BUILT.get() {
        return Ok(path.clone());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "clowder-server", "--bin", "clowder"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    ensure!(output.status.success(), "cargo build: {}", String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        if let Some(path) = message["executable"].as_str() {
            return Ok(BUILT.get_or_init(|| path.into()).clone());
        }
    }
    bail!("cargo names no executable clowder")
}
