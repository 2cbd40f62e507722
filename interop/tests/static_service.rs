//! The static membership service beside Tomcats with `StaticMembershipService`, which ask those that they name.
//!
//! Tomcats 9.0.70 and 10.1.60 do not read each other's members in it, so the Tomcats of a case are of one generation.
//! Clowder's members are read by both.

use anyhow::{Context, Result, ensure};
use clowder_interop::{
    Browser, ChainNode, Generation, Kind, Listener, NodeConfig, PATIENCE, Seats, netcat, skip_unless, wait_until,
};

const SERVICE: &str = "shop-Channel";
const CHAIN: &str = "dispatch,failure-detector";
/// What Tomcat says in good cases.
const EXPECTED: [&str; 1] = [
    // It finds out with the next message that the process behind a connection was replaced, and sends it again.
    "Setting to suspect and retrying",
];
const FIRST: usize = 0;
const CLOWDER: usize = 1;
const SECOND: usize = 2;

/// Two Tomcats and a Clowder node.
struct Group {
    seats: Seats,
    generation: Generation,
    /// In milliseconds; what a Tomcat waits for a sign of life.
    expiration: u32,
}

impl Group {
    fn new(generation: Generation, expiration: u32) -> Result<Self> {
        Ok(Group { seats: Seats::reserve(3)?, generation, expiration })
    }

    fn tomcat(&self, index: usize) -> Result<ChainNode> {
        let service = format!("{SERVICE}(useThread=true,pingInterval=200,expirationTime={})", self.expiration);
        let extra = ["--chain", CHAIN, "--static-service", &service];
        ChainNode::start(self.generation, &self.seats, index, &extra)
    }

    fn clowder(&self) -> Result<Listener> {
        Listener::start(&self.seats, CLOWDER, &["--static-service", SERVICE])
    }

    /// The second Tomcat comes, and all have each other.
    fn second_joins(&self, first: &mut ChainNode, clowder: &mut Listener) -> Result<ChainNode> {
        let mut second = self.tomcat(SECOND)?;
        clowder.joined(&second.name)?;
        self.await_members(first, &[CLOWDER, SECOND])?;
        self.await_members(&mut second, &[FIRST, CLOWDER])?;
        Ok(second)
    }

    /// The members of a Tomcat are those of these seats.
    fn await_members(&self, tomcat: &mut ChainNode, others: &[usize]) -> Result<()> {
        let mut names: Vec<String> = others.iter().map(|index| self.seats.0[*index].to_string()).collect();
        names.sort();
        let mut last = Vec::new();
        let waited = wait_until("members", PATIENCE, || {
            last = tomcat.members()?;
            last.sort();
            Ok(last == names)
        });
        waited.with_context(|| format!("{names:?} at {}, which has {last:?}", tomcat.name))
    }
}

fn left(clowder: &mut Listener, tomcat: &ChainNode) -> Result<String> {
    let left = clowder.event_that("left", |event| event["member"] == tomcat.name.as_str())?;
    Ok(left["reason"].as_str().unwrap_or_default().to_owned())
}

/// A message of each to all others.
fn talk(first: &mut ChainNode, clowder: &mut Listener, second: &mut ChainNode) -> Result<()> {
    for tomcat in [&mut *first, &mut *second] {
        tomcat.ask("reset")?;
    }
    for tomcat in [&mut *first, &mut *second] {
        let sent = tomcat.ask("send 5 1000 6 2")?;
        ensure!(sent["sent"] == 5 && sent["errors"] == 0, "{sent}");
        ensure!(clowder.messages(5)?.digest()? == sent["digest"].as_str().unwrap_or_default(), "{sent}");
    }
    // A member of its own, which is found by asking the Tomcats, and takes leave of them.
    let here = ["--cluster", "127.0.0.1:0", "--static-service", SERVICE];
    let knows = ["--peer", &first.name, "--peer", &second.name];
    let (sent, ok) = netcat::send(&[&here[..], &knows, &["--size", "1000", "--count", "5"]].concat())?;
    ensure!(ok && sent.0.len() == 10 && sent.0.iter().all(|sent| sent["outcome"] == "acknowledged"), "{sent:?}");
    for tomcat in [first, second] {
        let received = tomcat.ask("recv")?;
        ensure!(received["received"] == 10 && received["repeated"] == 0 && received["damaged"] == 0, "{received}");
    }
    Ok(())
}

/// Whoever stops says so: within these times nobody would be missed.
fn find_each_other_and_take_leave(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let group = Group::new(generation, 86_400_000)?;
    let mut first = group.tomcat(FIRST)?;
    let mut clowder = group.clowder()?;
    clowder.joined(&first.name)?;
    group.await_members(&mut first, &[CLOWDER])?;
    let mut second = group.second_joins(&mut first, &mut clowder)?;
    talk(&mut first, &mut clowder, &mut second)?;

    ensure!(second.ask("stop")?["stopped"] == true, "it stops");
    clowder.takes_leave(&second.name)?;
    group.await_members(&mut first, &[CLOWDER])?;
    clowder.stop()?;
    group.await_members(&mut first, &[])?;

    let mut clowder = group.clowder()?;
    clowder.joined(&first.name)?;
    let mut second = group.second_joins(&mut first, &mut clowder)?;
    talk(&mut first, &mut clowder, &mut second)?;
    first.assert_clean_log(&EXPECTED)?;
    second.assert_clean_log(&EXPECTED)
}

fn lose_whoever_is_killed(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let group = Group::new(generation, 1_000)?;
    let mut clowder = group.clowder()?;
    let mut first = group.tomcat(FIRST)?;
    clowder.joined(&first.name)?;
    let mut second = group.second_joins(&mut first, &mut clowder)?;

    second.process.kill()?;
    let reason = left(&mut clowder, &second)?;
    // On a busy machine its silence may be noticed before the end of its connection.
    ensure!(reason.starts_with("dead: ") || reason == "silent: connection refused", "{reason}");
    group.await_members(&mut first, &[CLOWDER])?;
    clowder.process.kill()?;
    group.await_members(&mut first, &[])?;

    let mut clowder = group.clowder()?;
    clowder.joined(&first.name)?;
    let mut second = group.second_joins(&mut first, &mut clowder)?;
    talk(&mut first, &mut clowder, &mut second)
}

#[test]
fn tomcats_10_and_clowder_find_each_other_and_take_leave() -> Result<()> {
    find_each_other_and_take_leave(Generation::Tomcat10)
}

#[test]
fn tomcats_9_and_clowder_find_each_other_and_take_leave() -> Result<()> {
    find_each_other_and_take_leave(Generation::Tomcat9)
}

#[test]
fn tomcats_10_and_clowder_lose_whoever_is_killed() -> Result<()> {
    lose_whoever_is_killed(Generation::Tomcat10)
}

#[test]
fn tomcats_9_and_clowder_lose_whoever_is_killed() -> Result<()> {
    lose_whoever_is_killed(Generation::Tomcat9)
}

/// The nodes of a session cluster. There the channel of a Tomcat is named after its engine.
#[test]
fn sessions_are_shared_by_members_of_the_service() -> Result<()> {
    const SERVICE: &str = "Tomcat-Channel";
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let service = format!("{SERVICE}(useThread=true,pingInterval=200,expirationTime=5000)");
    let start = |kind, index| {
        NodeConfig::at(kind, &seats, index)
            .options(6)
            .joining(index)
            .extra(Kind::Tomcat, &["--chain", CHAIN, "--static-service", &service])
            .extra(Kind::Clowder, &["--chain", CHAIN, "--static-service", SERVICE])
            .start()
    };
    let mut tomcat = start(Kind::Tomcat, 0)?;
    let mut clowder = start(Kind::Clowder, 1)?;
    tomcat.await_members(1)?;
    let user = Browser::new();
    let id = user.get(&clowder, "op=inc")?.session.context("inc creates a session")?;
    tomcat.await_session(&id, "the first count", |reply| reply.attr("count") == "java.lang.Integer:1")?;
    user.get(&tomcat, "op=inc")?;
    clowder.await_session(&id, "the second count", |reply| reply.attr("count") == "java.lang.Integer:2")?;
    clowder.stop()?;
    tomcat.await_members(0)
}
