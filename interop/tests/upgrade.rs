//! A rolling upgrade: a Tomcat 9.0.70 beside Clowder and a Tomcat 10.1.60 is replaced by another 10.1.60.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, ensure};
use clowder_interop::netcat::Stream;
use clowder_interop::{ChainNode, Generation, Listener, Messages, PATIENCE, Seats, netcat, skip_unless, wait_until};
use serde_json::Value;

/// The seat of the old Tomcat, and then of the one that replaces it.
const UPGRADED: usize = 0;
const CLOWDER: usize = 1;
const NEW: usize = 2;
/// Messages that the old Tomcat receives before its end, and the new one after its start, at least.
const MANY: usize = 200;
/// What Tomcat says in good cases.
const EXPECTED: [&str; 2] = [
    // It starts before the others, and finds out with the next message when one was replaced.
    "Local member notification failed",
    "Setting to suspect and retrying",
];

/// Three seats whose members know each other.
struct Cluster(Seats);

impl Cluster {
    fn tomcat(&self, generation: Generation, seat: usize, chain: &str) -> Result<ChainNode> {
        ChainNode::start(generation, &self.0, seat, &["--chain", chain])
    }

    fn clowder(&self, chain: &str) -> Result<Listener> {
        Listener::start(&self.0, CLOWDER, &["--chain", chain])
    }

    /// A Tomcat has both others.
    fn is_complete_at(&self, tomcat: &mut ChainNode) -> Result<()> {
        wait_until("two members", PATIENCE, || Ok(tomcat.members()?.len() == 2)).context(tomcat.name.clone())
    }

    fn name(&self, seat: usize) -> String {
        self.0.0[seat].to_string()
    }
}

/// The digest of messages from a Tomcat to all.
fn send(tomcat: &mut ChainNode) -> Result<String> {
    let sent = tomcat.ask("send 5 1000 6 2")?;
    ensure!(sent["sent"] == 5 && sent["errors"] == 0, "{sent}");
    Ok(sent["digest"].as_str().unwrap_or_default().to_owned())
}

/// What a Tomcat received since it was asked last.
fn received(tomcat: &mut ChainNode) -> Result<Value> {
    let received = tomcat.ask("recv")?;
    tomcat.ask("reset")?;
    Ok(received)
}

/// Every message is acknowledged after its processing, so it is there when it is sent.
fn all_talk(tomcats: [&mut ChainNode; 2], clowder: &mut Listener, chain: &str) -> Result<()> {
    let [one, other] = tomcats;
    for tomcat in [&mut *one, &mut *other] {
        received(tomcat)?;
    }
    for turn in 0..2 {
        let (from, to) = if turn == 0 { (&mut *one, &mut *other) } else { (&mut *other, &mut *one) };
        let digest = send(from)?;
        ensure!(received(to)?["digest"] == digest.as_str(), "from {} at {}", from.name, to.name);
        ensure!(clowder.messages(5)?.digest()? == digest, "from {} at Clowder", from.name);
    }
    let names = ["--to", &one.name, "--to", &other.name];
    let (sent, ok) = netcat::send(&[&names[..], &["--chain", chain, "--size", "1000", "--count", "5"]].concat())?;
    ensure!(ok && sent.0.len() == 10, "{sent:?}");
    for tomcat in [one, other] {
        let digest = sent.at(&tomcat.name).digest()?;
        ensure!(received(tomcat)?["digest"] == digest.as_str(), "from Clowder at {}", tomcat.name);
    }
    Ok(())
}

fn sha256(line: &Value) -> &str {
    line["sha256"].as_str().unwrap_or_default()
}

/// At each of three members. The number of messages.
fn each_has_one_outcome(sent: &Messages) -> Result<usize> {
    let mut outcomes: BTreeMap<u64, HashSet<&str>> = BTreeMap::new();
    for line in &sent.0 {
        let message = line["message"].as_u64().context("a message has a number")?;
        let first = outcomes.entry(message).or_default().insert(line["member"].as_str().unwrap_or_default());
        ensure!(first, "a second outcome: {line}");
    }
    ensure!(outcomes.values().all(|members| members.len() == 3), "an outcome of each message at each member");
    ensure!(outcomes.keys().copied().eq(0..outcomes.len() as u64), "of every message");
    Ok(outcomes.len())
}

/// Stops the channel of the old Tomcat, which takes leave: what it has received.
fn retire(mut old: ChainNode, clowder: &mut Listener, new: &mut ChainNode) -> Result<HashSet<String>> {
    old.down()?;
    clowder.takes_leave(&old.name)?;
    wait_until("a member less", PATIENCE, || Ok(!new.members()?.contains(&old.name)))?;
    old.bodies()
}

/// Clowder sends without a pause while the old Tomcat goes and the new one comes.
#[test]
fn an_old_tomcat_is_replaced_and_nothing_is_lost() -> Result<()> {
    const CHAIN: &str = "dispatch,failure-detector,static";
    skip_unless!(clowder_interop::java::available());
    let cluster = Cluster(Seats::reserve(3)?);
    let mut clowder = cluster.clowder(CHAIN)?;
    let mut old = cluster.tomcat(Generation::Tomcat9, UPGRADED, CHAIN)?;
    let mut new = cluster.tomcat(Generation::Tomcat10, NEW, CHAIN)?;
    clowder.joined(&old.name)?;
    clowder.joined(&new.name)?;
    cluster.is_complete_at(&mut old)?;
    cluster.is_complete_at(&mut new)?;
    all_talk([&mut old, &mut new], &mut clowder, CHAIN)?;

    let names = [UPGRADED, CLOWDER, NEW].map(|seat| cluster.name(seat));
    let to: Vec<&str> = names.iter().flat_map(|name| ["--to", name]).collect();
    let mut stream = Stream::start(&[&to[..], &["--chain", CHAIN, "--size", "1000", "--parallel", "2"]].concat())?;
    let upgraded = |outcome: &'static str| {
        let name = names[UPGRADED].as_str();
        move |line: &Value| line["member"] == name && line["outcome"] == outcome
    };
    (0..MANY).try_for_each(|_| stream.outcome_that(upgraded("acknowledged")))?;
    let before = retire(old, &mut clowder, &mut new)?;
    stream.outcome_that(upgraded("failed"))?;
    let mut replaced = cluster.tomcat(Generation::Tomcat10, UPGRADED, CHAIN)?;
    clowder.joined(&replaced.name)?;
    cluster.is_complete_at(&mut replaced)?;
    cluster.is_complete_at(&mut new)?;
    (0..MANY).try_for_each(|_| stream.outcome_that(upgraded("acknowledged")))?;
    let sent = stream.end()?;

    let messages = each_has_one_outcome(&sent)?;
    for name in [&names[CLOWDER], &names[NEW]] {
        let there = sent.at(name);
        ensure!(there.0.iter().all(|line| line["outcome"] == "acknowledged"), "{name}: {there:?}");
    }
    ensure!(received(&mut new)?["digest"] == sent.at(&names[NEW]).digest()?.as_str(), "at the new Tomcat");
    let at_clowder = clowder.messages_from_the_start(messages)?;
    ensure!(at_clowder.digest()? == sent.at(&names[CLOWDER]).digest()?, "at Clowder");
    let after = replaced.bodies()?;
    let there = sent.at(&names[UPGRADED]);
    let lost = there.0.iter().find(|line| {
        line["outcome"] == "acknowledged" && !before.contains(sha256(line)) && !after.contains(sha256(line))
    });
    ensure!(lost.is_none(), "acknowledged and lost: {lost:?}");

    all_talk([&mut replaced, &mut new], &mut clowder, CHAIN)?;
    new.assert_clean_log(&EXPECTED)?;
    replaced.assert_clean_log(&EXPECTED)
}

const CBC: &str = "encryptionKey=cafedeadbeefbeefcafecafedeadbeef,encryptionAlgorithm=AES/CBC/PKCS5Padding";
/// Bytes of the time that new releases put in front of a body before they encrypt it.
const TIME_BYTES: u64 = 8;

/// By Clowder and the old Tomcat; the new one drops it, and is misunderstood by both.
fn only_the_old_format_is_understood(
    old: &mut ChainNode,
    clowder: &mut Listener,
    new: &mut ChainNode,
    old_format: &str,
) -> Result<()> {
    let digest = send(old)?;
    ensure!(clowder.messages(5)?.digest()? == digest, "from the old Tomcat at Clowder");
    let to = ["--to", &old.name, "--to", &new.name];
    let (sent, ok) = netcat::send(&[&to[..], &["--chain", old_format, "--size", "1000", "--count", "5"]].concat())?;
    ensure!(ok, "nobody tells: {sent:?}");
    ensure!(received(old)?["digest"] == sent.at(&old.name).digest()?.as_str(), "from Clowder at the old Tomcat");
    let dropped = received(new)?;
    ensure!(dropped["received"] == 0, "from both at the new Tomcat: {dropped}");
    send(new)?;
    let longer = received(old)?;
    ensure!(longer["received"] == 5 && longer["bytes"] == 5 * (1000 + TIME_BYTES), "at the old Tomcat: {longer}");
    let longer = clowder.messages(5)?;
    ensure!(longer.0.iter().all(|message| message["size"] == 1000 + TIME_BYTES), "at Clowder: {longer:?}");
    Ok(())
}

/// Tomcats 9.0.70 and 10.1.60 with one key and one algorithm cannot talk: the new one takes the first bytes of an old
/// body for its time and drops it as a replay, and the old one delivers the time as a part of the body. Neither tells the
/// sender. So a cluster of both is two groups, and Clowder is in the one whose format it is told: first in that of the
/// old Tomcat, and after its end in that of the new ones.
#[test]
fn an_old_tomcat_is_replaced_and_clowder_changes_the_format_of_encryption() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let chain = |more: &str| format!("dispatch,encrypt({CBC}{more}),failure-detector,static");
    let (old_format, new_format) = (chain(",generation=9.0.70"), chain(""));
    let cluster = Cluster(Seats::reserve(3)?);
    let mut clowder = cluster.clowder(&old_format)?;
    let mut old = cluster.tomcat(Generation::Tomcat9, UPGRADED, &old_format)?;
    let mut new = cluster.tomcat(Generation::Tomcat10, NEW, &new_format)?;
    clowder.joined(&old.name)?;
    clowder.joined(&new.name)?;
    cluster.is_complete_at(&mut old)?;
    cluster.is_complete_at(&mut new)?;

    only_the_old_format_is_understood(&mut old, &mut clowder, &mut new, &old_format)?;
    retire(old, &mut clowder, &mut new)?;
    clowder.stop()?;
    let mut clowder = cluster.clowder(&new_format)?;
    let mut replaced = cluster.tomcat(Generation::Tomcat10, UPGRADED, &new_format)?;
    clowder.joined(&new.name)?;
    clowder.joined(&replaced.name)?;
    cluster.is_complete_at(&mut replaced)?;
    cluster.is_complete_at(&mut new)?;
    all_talk([&mut replaced, &mut new], &mut clowder, &new_format)
}
