//! How long it takes until others know: printed, never asserted.
//!
//! `RUSTFLAGS='--cfg clowder_measure' cargo test -p clowder --release measure_membership -- --nocapture` on an idle
//! machine, or in a network namespace of its own (`ip netns exec NAME …`). Every node but the measuring one is a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command as Program, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use super::tests::{Node, knowing, patiently};
use super::*;
use crate::membership::StaticMember;

const ROUNDS: usize = 20;
const ROLE: &str = "CLOWDER_MEASURED_NODE";
const PEER: &str = "CLOWDER_MEASURING_NODE";

fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_micros()).expect("not that far in the future")
}

fn config(group: Option<SocketAddr>, peer: StaticMember) -> MembershipConfig {
    match group {
        None => knowing(&[peer]),
        Some(group) => MembershipConfig { multicast: Some(Multicast::new(group)), ..MembershipConfig::default() },
    }
}

/// The measured process: one node, until its standard input ends.
#[tokio::test(flavor = "multi_thread")]
async fn measured_node() {
    let (Ok(role), Ok(peer)) = (std::env::var(ROLE), std::env::var(PEER)) else { return };
    let (listener, me) = Node::reserve(2).await;
    println!("{}", me.addr.port());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let group = role.parse().ok();
    println!("{}", wall_us());
    let node = Node::start(listener, me, config(group, StaticMember::new(peer.parse().unwrap(), [1; 16])));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    println!("{}", wall_us());
    node.control.stop().await;
}

struct Measured {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Measured {
    fn spawn(role: &str, peer: SocketAddr) -> Self {
        let name = "driver::control::measure_tests::measured_node";
        let mut child = Program::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--quiet", name])
            .envs([(ROLE, role.to_owned()), (PEER, peer.to_string())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Measured { child, output }
    }

    fn number(&mut self) -> u64 {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the measured node ended");
            if let Ok(number) = line.trim().parse() {
                return number;
            }
        }
    }

    fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn wait(changes: &mut ViewChanges, is_there: bool) -> u64 {
    patiently(async {
        while changes.view().members().is_empty() == is_there {
            changes.next().await.expect("the node runs");
        }
    })
    .await;
    wall_us()
}

fn print(what: &str, mut us: Vec<u64>) {
    us.sort_unstable();
    let show = |us: u64| Duration::from_micros(us);
    println!("{what:28} median {:?}, worst of {} {:?}", show(us[us.len() / 2]), us.len(), show(us[us.len() - 1]));
}

async fn measure(name: &str, group: Option<SocketAddr>) {
    let (mut joins, mut goodbyes, mut deaths) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (listener, me) = Node::reserve(1).await;
        let role = group.map_or("static".to_owned(), |group| group.to_string());
        let mut measured = Measured::spawn(&role, me.addr);
        let port = u16::try_from(measured.number()).unwrap();
        let peer = StaticMember::new(([127, 0, 0, 1], port).into(), [2; 16]);
        let node = Node::start(listener, me, config(group, peer));
        let mut changes = node.control.changes();
        tokio::time::sleep(Duration::from_millis(1500)).await; // an old node, with its retries backed off
        measured.go();
        let started = measured.number();
        joins.push(wait(&mut changes, true).await.saturating_sub(started));
        tokio::time::sleep(Duration::from_millis(200)).await; // both know each other
        if round % 2 == 0 {
            drop(measured.child.stdin.take());
            let stopping = measured.number();
            goodbyes.push(wait(&mut changes, false).await.saturating_sub(stopping));
        } else {
            let killed = wall_us();
            measured.child.kill().unwrap();
            deaths.push(wait(&mut changes, false).await.saturating_sub(killed));
        }
        node.control.stop().await;
    }
    print(&format!("{name}: join"), joins);
    print(&format!("{name}: orderly stop"), goodbyes);
    print(&format!("{name}: kill -9"), deaths);
}

#[tokio::test(flavor = "multi_thread")]
async fn measure_membership() {
    measure("static", None).await;
    measure("multicast", Some(([228, 0, 0, 4], 45564).into())).await;
}
