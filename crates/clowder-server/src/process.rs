//! Node processes that a command starts for itself.
//!
//! They do not outlive it, however it ends: each reads a pipe from its parent, and ends when the pipe does. Ports are
//! chosen beforehand, because static members must know each other before the first one runs.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZero;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

use crate::cli::{Peer, Replication, UniqueId};

/// Longest wait for the READY line of a child: beyond the state transfer's own timeout of 60 s.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// Longest wait for a child that was asked to end.
const END_TIMEOUT: Duration = Duration::from_secs(15);

/// Tokio's own variable for the number of its worker threads.
const WORKERS: &str = "TOKIO_WORKER_THREADS";

/// Worker threads of a process that shares the machine with those it starts, and of each of those: half of the
/// processors, unless the environment says otherwise. With more, the processes' threads only displace each other.
pub(crate) fn workers() -> usize {
    let given = std::env::var(WORKERS).ok().and_then(|given| given.parse().ok()).filter(|given| *given > 0);
    given.unwrap_or_else(|| (std::thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1))
}

/// The child's side of the pipe: resolves when the parent has ended.
pub(crate) fn parent_ended() -> oneshot::Receiver<()> {
    let (ended, receiver) = oneshot::channel();
    // A thread of its own: a read of standard input cannot be cancelled, and the runtime would wait for it.
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while matches!(std::io::stdin().read(&mut buffer), Ok(read) if read > 0) {}
        let _ = ended.send(());
    });
    receiver
}

/// A process with a pipe that keeps it alive.
pub(crate) struct Process {
    child: Child,
    /// Held open: its end ends the child.
    lifeline: Option<ChildStdin>,
    /// What the child printed as its READY line, without that word.
    pub(crate) ready: String,
    /// Further lines of its standard output; held so that the child can write.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Start this very program with `args` and wait for its READY line. `logs`: its standard error is read by the
    /// caller instead of going to the terminal.
    ///
    /// # Errors
    /// It cannot be started, or ends or stays silent instead of saying READY.
    pub(crate) async fn start(args: &[String], logs: bool) -> Result<(Process, Option<ChildStderr>)> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args(args)
            .env(WORKERS, workers().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if logs { Stdio::piped() } else { Stdio::inherit() })
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a child process")?;
        let lifeline = child.stdin.take();
        let stderr = child.stderr.take();
        let stdout = child.stdout.take().context("a child without standard output")?;
        let mut stdout = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(START_TIMEOUT, stdout.next_line())
            .await
            .with_context(|| format!("a child process is not ready after {START_TIMEOUT:?}"))?
            .context("cannot read what a child process prints")?;
        let ready = line.as_deref().and_then(|line| line.strip_prefix("READY ")).map(str::to_owned);
        let Some(ready) = ready else {
            bail!("a child process ended while starting; its reason is above");
        };
        Ok((Process { child, lifeline, ready, _stdout: stdout }, stderr))
    }

    /// The process id, as long as it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The value of `name=` in the READY line.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn said(&self, name: &str) -> Result<&str> {
        let mut pairs = self.ready.split(' ').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .with_context(|| format!("a child process said 'READY {}', without {name}=", self.ready))
    }

    /// Wait until it ends by itself.
    pub(crate) async fn ended(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.child.wait().await
    }

    /// Ask it to end and wait; after a time it is killed.
    pub(crate) async fn end(mut self) {
        self.lifeline.take();
        if tokio::time::timeout(END_TIMEOUT, self.child.wait()).await.is_err() {
            tracing::warn!("process {:?} did not end within {END_TIMEOUT:?} and is killed", self.child.id());
            if let Err(error) = self.child.kill().await {
                tracing::warn!("cannot kill it: {error}");
            }
        }
    }

    /// Memory that the process occupies, in bytes.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let pid = self.pid().context("a node ended before it was measured")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("cannot read /proc")?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| {
            rest.trim().strip_suffix(" kB").and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok())
        });
        kilobytes.map(|kilobytes| kilobytes * 1024).context("no VmRSS in /proc: this needs Linux")
    }
}

/// Nodes on loopback that name each other as static members.
pub(crate) struct Plan {
    members: Vec<Peer>,
    replication: Replication,
}

impl Plan {
    /// Free ports and new ids for `nodes` nodes.
    ///
    /// # Errors
    /// There are no free ports.
    pub(crate) fn new(nodes: usize, replication: Replication) -> Result<Self> {
        // All are held until all are known, so that no port comes twice.
        let sockets: Vec<TcpListener> = (0..nodes)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<std::io::Result<_>>()
            .context("no free port on 127.0.0.1")?;
        let mut members = Vec::new();
        for socket in &sockets {
            let address: SocketAddr = socket.local_addr().context("no free port on 127.0.0.1")?;
            let unique_id = UniqueId(std::array::from_fn(|_| fastrand::u8(..)));
            members.push(Peer { address: address.to_string(), unique_id });
        }
        Ok(Plan { members, replication })
    }

    /// Arguments of node `index`.
    pub(crate) fn node(&self, index: usize, more: &[&str]) -> Vec<String> {
        let own = &self.members[index];
        let mut args: Vec<String> =
            ["node", "--end-with-stdin", "--http", "127.0.0.1:0", "--cluster"].map(str::to_owned).into();
        args.extend([own.address.clone(), "--id".into(), own.unique_id.to_string()]);
        args.extend(["--replication".into(), self.replication.to_string()]);
        for peer in self.members.iter().filter(|peer| *peer != own) {
            args.extend(["--peer".into(), peer.to_string()]);
        }
        args.extend(more.iter().map(|more| (*more).to_owned()));
        args
    }
}
