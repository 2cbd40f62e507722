//! The provider against a real name server: dnsmasq, on a port of its own.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::thread;

use clowder_proto::group::Source;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::Found;
use super::super::identity::id_of;
use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running dnsmasq.
struct NameServer {
    child: Child,
    addr: SocketAddr,
}

impl NameServer {
    /// `None`: there is no dnsmasq on this machine. In continuous integration there must be one.
    fn start(records: &[&str]) -> Option<Self> {
        let version = Command::new("dnsmasq").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if version.is_err() {
            assert!(
                !std::env::var("CI").is_ok_and(|ci| ci == "true"),
                "dnsmasq is missing: apt-get install dnsmasq-base"
            );
            eprintln!("SKIPPED: dnsmasq is missing: apt-get install dnsmasq-base");
            return None;
        }
        // Somebody may take a port that was just free: then it is tried again.
        Some((0..100).find_map(|_| NameServer::try_start(records)).expect("a name server"))
    }

    fn try_start(records: &[&str]) -> Option<Self> {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("dnsmasq");
        command.args(["--conf-file=/dev/null", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--pid-file="]);
        command.args(["--bind-interfaces", "--listen-address=127.0.0.1", "--user=", "--log-facility=/dev/null"]);
        command.arg(format!("--port={port}")).arg("--local=/test/").args(records);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("dnsmasq starts");
        let mut server = NameServer { child, addr: SocketAddr::from(([127, 0, 0, 1], port)) };
        server.answers().then_some(server)
    }

    /// False: it ended.
    fn answers(&mut self) -> bool {
        // A question about the root's address: any answer will do.
        let question = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the name server says nothing");
            socket.send_to(&question, self.addr).unwrap();
            if socket.recv(&mut [0; 512]).is_ok() {
                return true;
            }
            thread::yield_now(); // a refusal comes at once
        }
        false
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it ended itself
        let _ = self.child.wait();
    }
}

struct Provider {
    _task: JoinSet<()>,
    told: mpsc::Receiver<Found>,
}

impl Provider {
    fn start(local: &str, srv: DnsSrv) -> Self {
        let (sender, told) = mpsc::channel(64);
        let report = Report::new("dns_srv", Source::new(0).unwrap(), sender);
        let mut task = JoinSet::new();
        task.spawn(srv.interval(Duration::from_millis(1)).run(local.parse().unwrap(), report));
        Provider { _task: task, told }
    }

    async fn next(&mut self) -> Option<Answer> {
        tokio::time::timeout(PATIENCE, self.told.recv()).await.expect("in time").expect("it runs").answer
    }
}

fn found(answer: &Answer) -> Vec<(String, [u8; 16])> {
    answer.list.iter().map(|it| (it.id.socket_addr().unwrap().to_string(), it.id.unique_id)).collect()
}

#[tokio::test]
async fn srv_records_bring_hosts_with_their_ports() {
    let Some(server) = NameServer::start(&[
        "--srv-host=_tribes._tcp.shop.test,a.shop.test,4000",
        "--srv-host=_tribes._tcp.shop.test,a.shop.test,4001",
        "--srv-host=_tribes._tcp.shop.test,b.shop.test,4000",
        "--srv-host=_tribes._tcp.shop.test,gone.shop.test,4000",
        "--host-record=a.shop.test,10.0.0.1,fd00::1",
        "--host-record=b.shop.test,10.0.0.2,fd00::2",
    ]) else {
        return;
    };
    let srv = DnsSrv::new("_tribes._tcp.shop.test.").name_server(server.addr);
    let answer = Provider::start("10.0.0.1:4000", srv.clone()).next().await.expect("an answer");
    // Without this node itself; a host that is gone hides nobody.
    let expected = [("10.0.0.1:4001".to_owned(), id_of("10.0.0.1")), ("10.0.0.2:4000".to_owned(), id_of("10.0.0.2"))];
    assert_eq!(found(&answer), expected);
    let answer = Provider::start("[fd00::1]:4001", srv).next().await.expect("an answer");
    let expected = [
        ("[fd00::1]:4000".to_owned(), id_of("fd00:0:0:0:0:0:0:1")),
        ("[fd00::2]:4000".to_owned(), id_of("fd00:0:0:0:0:0:0:2")),
    ];
    assert_eq!(found(&answer), expected);
}

const ONE: [&str; 2] = ["--srv-host=_tribes._tcp.shop.test,a.shop.test,4000", "--host-record=a.shop.test,10.0.0.2"];

#[tokio::test]
async fn records_are_kept_for_as_long_as_they_say() {
    let Some(server) = NameServer::start(&[ONE[0], ONE[1], "--local-ttl=3600"]) else { return };
    let (sender, _told) = mpsc::channel(64);
    let mut report = Report::new("dns_srv", Source::new(0).unwrap(), sender);
    let local = "10.0.0.1:4000".parse().unwrap();
    let srv = DnsSrv::new("_tribes._tcp.shop.test.").name_server(server.addr);
    let resolver = srv.open(local).unwrap();
    let first = srv.ask(local, &resolver, &mut report).await.unwrap().expect("an answer");
    assert!(first.1 > Instant::now(), "it lives for an hour");
    drop(server);
    let second = srv.ask(local, &resolver, &mut report).await.unwrap().expect("the same answer");
    assert_eq!(found(&second.0), found(&first.0));
}

#[tokio::test]
async fn records_that_ended_are_asked_for_again() {
    let Some(server) = NameServer::start(&[ONE[0], ONE[1], "--local-ttl=1"]) else { return };
    let mut provider =
        Provider::start("10.0.0.1:4000", DnsSrv::new("_tribes._tcp.shop.test.").name_server(server.addr));
    assert_eq!(found(&provider.next().await.expect("an answer")).len(), 1);
    drop(server);
    assert_eq!(provider.next().await, None, "its answer is missed, and is no list");
}

#[tokio::test]
async fn a_name_without_records_is_no_list() {
    let Some(server) = NameServer::start(&["--host-record=a.shop.test,10.0.0.2"]) else { return };
    let mut provider =
        Provider::start("10.0.0.1:4000", DnsSrv::new("_tribes._tcp.shop.test.").name_server(server.addr));
    assert_eq!(provider.next().await, None);
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_is_no_list() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let srv = DnsSrv::new("_tribes._tcp.shop.test.").name_server(silent.local_addr().unwrap());
    let mut provider = Provider::start("10.0.0.1:4000", srv.timeout(Duration::from_millis(1)));
    assert_eq!(provider.next().await, None);
}
