//! The binary under test as processes, and a browser to go with them.

#![allow(dead_code)] // each test file uses its own part

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for any condition; generous, because nothing is measured here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The command under test.
pub(crate) fn clowder() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clowder"));
    command.env_remove("RUST_LOG");
    command
}

/// Run it to its end with `input` on standard input.
pub(crate) fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = clowder()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // It may end without reading; what counts is what it says.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A process whose output is read line by line, and which does not outlive its test.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(args: &[String]) -> Self {
        let mut child = clowder()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (lines, stdout) = channel();
        let out = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let stderr = Arc::new(Mutex::new(String::new()));
        let (log, err) = (stderr.clone(), BufReader::new(child.stderr.take().expect("piped")));
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                log.lock().expect("not poisoned").push_str(&(line + "\n"));
            }
        });
        let stdin = child.stdin.take();
        Process { child, stdin, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output.
    pub(crate) fn line(&self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no line within {PATIENCE:?}; log:\n{}", self.log()),
            Err(RecvTimeoutError::Disconnected) => panic!("it ended; log:\n{}", self.log()),
        }
    }

    /// Lines of standard output up to one that contains `part`.
    pub(crate) fn lines_until(&self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let found = line.contains(part);
            lines.push(line);
            if found {
                return lines;
            }
        }
    }

    /// What it printed before its end and nobody has read.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.stdout.iter().collect()
    }

    pub(crate) fn log(&self) -> String {
        self.stderr.lock().expect("not poisoned").clone()
    }

    /// End of standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin.take();
    }

    /// Read no more: with its next line the pipe is closed.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = channel().1;
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", || {
            status = self.child.try_wait().expect("a child of ours");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ask until it is so. The pause only keeps the machine free; nothing depends on its length.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A node that has said READY.
pub(crate) struct Node {
    pub(crate) process: Process,
    pub(crate) http: SocketAddr,
    pub(crate) cluster: SocketAddr,
}

impl Node {
    pub(crate) fn start(args: &[String]) -> Self {
        let mut all: Vec<String> = ["node", "--http", "127.0.0.1:0"].map(str::to_owned).into();
        all.extend_from_slice(args);
        let process = Process::start(&all);
        let line = process.line();
        let addresses = line.strip_prefix("READY http=").and_then(|rest| rest.split_once(" cluster="));
        let (http, cluster) = addresses.unwrap_or_else(|| panic!("not a READY line: {line}"));
        Node { process, http: http.parse().expect("an address"), cluster: cluster.parse().expect("an address") }
    }

    pub(crate) fn alone() -> Self {
        Node::start(&["--cluster".into(), "127.0.0.1:0".into()])
    }

    /// `count` nodes that name each other.
    pub(crate) fn cluster(count: usize, more: &[&str]) -> Vec<Node> {
        let sockets: Vec<TcpListener> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let addresses: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local_addr().expect("bound")).collect();
        drop(sockets);
        let id = |index: usize| format!("{:02x}", index + 1).repeat(16);
        let mut nodes = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            let mut args = vec!["--cluster".into(), address.to_string(), "--id".into(), id(index)];
            // The same list for all: a node passes over itself.
            for (index, address) in addresses.iter().enumerate() {
                args.extend(["--peer".into(), format!("{address}/{}", id(index))]);
            }
            args.extend(more.iter().map(|more| (*more).to_owned()));
            nodes.push(Node::start(&args));
        }
        nodes
    }

    /// One request with this cookie: status, JSON, and the id that the answer sets.
    pub(crate) fn get(&self, query: &str, session: Option<&str>) -> (u16, Value, Option<String>) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
        let mut request = agent.get(format!("http://{}/app/s{query}", self.http));
        if let Some(id) = session {
            request = request.header("Cookie", format!("JSESSIONID={id}"));
        }
        let mut answer = request.call().expect("an answer");
        let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        let id = cookie.and_then(|cookie| cookie.strip_prefix("JSESSIONID=")?.split(';').next()).map(str::to_owned);
        let mut body = String::new();
        answer.body_mut().as_reader().read_to_string(&mut body).expect("a body");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {body}: {error}")), id)
    }
}
