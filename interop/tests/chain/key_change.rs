//! The key of a cluster is changed while it runs: Clowder nodes accept several keys, a Tomcat has one from its start to
//! its end, and neither says that it cannot read a message.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clowder_interop::netcat::Stream;
use clowder_interop::{ChainNode, Generation, Listener, PATIENCE, Process, Seats, skip_unless, wait_until};
use serde_json::Value;

const OLD: &str = "cafedeadbeefbeefcafecafedeadbeef";
const NEW: &str = "0badf00d0badf00d0badf00d0badf00d";
/// Of the RPC channel that all nodes have: questions and answers are messages as any other.
const RPC: &str = "keys";
/// Messages between two steps, at least.
const MANY: usize = 100;

/// The keys of one node.
#[derive(Clone, Copy)]
struct Ring {
    sends: &'static str,
    accepts: &'static [&'static str],
}

/// As they are before, during and after the change; the middle ones cannot be those of a Tomcat.
const BEFORE: Ring = Ring { sends: OLD, accepts: &[] };
const ACCEPTS: Ring = Ring { sends: OLD, accepts: &[NEW] };
const SENDS: Ring = Ring { sends: NEW, accepts: &[OLD] };
const AFTER: Ring = Ring { sends: NEW, accepts: &[] };

impl Ring {
    fn reads(self, from: Ring) -> bool {
        self.sends == from.sends || self.accepts.contains(&from.sends)
    }
}

/// The chain of one Clowder process, in a file that lives as long as this.
struct ChainFile(PathBuf);

impl ChainFile {
    fn new(name: &str, ring: Ring) -> Result<ChainFile> {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let file = ChainFile(std::env::temp_dir().join(format!("clowder-interop-{name}.xml")));
        file.write(ring)?;
        Ok(file)
    }

    fn write(&self, ring: Ring) -> Result<()> {
        const PACKAGE: &str = "org.apache.catalina.tribes.group.interceptors.";
        let interceptor = |class: &str, more: &str| format!("<Interceptor className=\"{PACKAGE}{class}\"{more}/>");
        let keys = format!(" encryptionKey=\"{}\" acceptedKeys=\"{}\"", ring.sends, ring.accepts.join(","));
        let element = [
            "<Channel>".to_owned(),
            interceptor("MessageDispatchInterceptor", ""),
            interceptor("EncryptInterceptor", &keys),
            interceptor("TcpFailureDetector", ""),
            interceptor("StaticMembershipInterceptor", ""),
            "</Channel>".to_owned(),
        ];
        std::fs::write(&self.0, element.concat()).with_context(|| self.0.display().to_string())
    }

    fn argument(&self) -> String {
        format!("@{}", self.0.display())
    }

    /// A process that has this file is given other keys, and has them.
    fn change(&self, process: &Process, ring: Ring) -> Result<()> {
        let changes = || process.log().iter().filter(|line| line.contains("SIGHUP: new encryptionKey")).count();
        let before = changes();
        self.write(ring)?;
        process.hang_up()?;
        wait_until("new keys", PATIENCE, || Ok(changes() > before))
    }
}

impl Drop for ChainFile {
    fn drop(&mut self) {
        // An error here means that it is gone already.
        let _ = std::fs::remove_file(&self.0);
    }
}

struct Tomcat {
    node: ChainNode,
    ring: Ring,
}

impl Tomcat {
    /// Who answered a question, although nobody waits for that.
    fn answers(&mut self, text: &str) -> Result<BTreeSet<String>> {
        let left_over = self.node.ask("asked")?["left_over"].take();
        let left_over: Vec<Value> = serde_json::from_value(left_over).context("answers are a list")?;
        let of_text = left_over.iter().filter(|answer| answer["text"] == text);
        Ok(of_text.filter_map(|answer| answer["from"].as_str().map(str::to_owned)).collect())
    }
}

struct Clowder {
    listener: Listener,
    file: ChainFile,
    ring: Ring,
}

/// Tomcats in the first seats, Clowder nodes behind them.
struct Cluster {
    seats: Seats,
    tomcats: Vec<Tomcat>,
    clowder: Vec<Clowder>,
    asked: usize,
}

impl Cluster {
    fn start(tomcats: usize, clowder: usize) -> Result<Cluster> {
        let seats = Seats::reserve(tomcats + clowder)?;
        let mut cluster = Cluster { seats, tomcats: Vec::new(), clowder: Vec::new(), asked: 0 };
        for seat in tomcats..tomcats + clowder {
            let file = ChainFile::new(&cluster.name(seat), BEFORE)?;
            let arguments = ["--chain", &file.argument(), "--rpc-id", RPC, "--reply"];
            let listener = Listener::start(&cluster.seats, seat, &arguments)?;
            cluster.clowder.push(Clowder { listener, file, ring: BEFORE });
        }
        for seat in 0..tomcats {
            let node = cluster.tomcat(seat, BEFORE)?;
            cluster.tomcats.push(Tomcat { node, ring: BEFORE });
        }
        (0..tomcats).try_for_each(|tomcat| cluster.has_joined(tomcat))?;
        Ok(cluster)
    }

    fn name(&self, seat: usize) -> String {
        self.seats.0[seat].to_string()
    }

    fn tomcat(&self, seat: usize, ring: Ring) -> Result<ChainNode> {
        let chain = format!("dispatch,encrypt(encryptionKey={}),failure-detector,static", ring.sends);
        ChainNode::start(Generation::Tomcat10, &self.seats, seat, &["--chain", &chain, "--rpc-id", RPC])
    }

    /// It knows all, and all know it.
    fn has_joined(&mut self, tomcat: usize) -> Result<()> {
        let name = self.name(tomcat);
        for clowder in &mut self.clowder {
            clowder.listener.event_from_the_start("joined", |event| event["member"] == name.as_str())?;
        }
        let others = self.seats.0.len() - 1;
        self.tomcats.iter_mut().try_for_each(|tomcat| {
            let node = &mut tomcat.node;
            wait_until("all members", PATIENCE, || Ok(node.members()?.len() == others)).context(node.name.clone())
        })
    }

    /// What it received until it took leave.
    fn retire(&mut self, tomcat: usize) -> Result<HashSet<String>> {
        let name = self.name(tomcat);
        self.tomcats[tomcat].node.down()?;
        for clowder in &mut self.clowder {
            clowder.listener.event_from_the_start("left", |event| event["member"] == name.as_str())?;
        }
        self.tomcats[tomcat].node.bodies()
    }

    /// A new process in the place of one that was retired.
    fn replace(&mut self, tomcat: usize, ring: Ring) -> Result<()> {
        let node = self.tomcat(tomcat, ring)?;
        self.tomcats[tomcat] = Tomcat { node, ring };
        self.has_joined(tomcat)
    }

    /// By Tomcat.
    fn unopened(&self) -> Vec<usize> {
        self.tomcats.iter().map(|tomcat| tomcat.node.unopened()).collect()
    }

    fn change(&mut self, clowder: usize, ring: Ring) -> Result<()> {
        let clowder = &mut self.clowder[clowder];
        clowder.file.change(&clowder.listener.process, ring)?;
        clowder.ring = ring;
        Ok(())
    }

    /// Each Tomcat asks all others. Every question and every answer is read by whoever has its key, and by nobody else:
    /// a Tomcat complains of it, Clowder counts it.
    fn exchange(&mut self) -> Result<()> {
        (0..self.tomcats.len()).try_for_each(|tomcat| self.ask(tomcat).with_context(|| format!("Tomcat {tomcat} asks")))
    }

    fn ask(&mut self, asking: usize) -> Result<()> {
        self.asked += 1;
        let text = format!("question-{}", self.asked);
        let (name, ring) = (self.name(asking), self.tomcats[asking].ring);
        let mut complaints = self.unopened();
        let mut answering = BTreeSet::new();
        self.tomcats[asking].node.ask(&format!("rpc none 1000 2 {text}"))?;
        let mut answers = |answered: Ring, by: &str| match ring.reads(answered) {
            true => answering.insert(by.to_owned()),
            false => {
                complaints[asking] += 1;
                true
            }
        };
        for clowder in &mut self.clowder {
            let listener = &mut clowder.listener;
            if clowder.ring.reads(ring) {
                listener.event_from_the_start("question", |event| event["text"] == text.as_str())?;
                answers(clowder.ring, &listener.name);
            } else {
                let refused = listener.event_from_the_start("refused", |event| event["from"] == name.as_str())?;
                ensure!(refused["interceptor"] == "encrypt" && refused["kind"] == "unopened", "{refused}");
            }
        }
        let mut deaf = Vec::new();
        for (at, tomcat) in self.tomcats.iter().enumerate().filter(|(at, _)| *at != asking) {
            match tomcat.ring.reads(ring) {
                true => drop(answers(tomcat.ring, &tomcat.node.name)),
                false => deaf.push(at),
            }
        }
        deaf.into_iter().for_each(|at| complaints[at] += 1);
        let mut last = (BTreeSet::new(), Vec::new());
        let waited = wait_until("answers and complaints", PATIENCE, || {
            last.1 = self.unopened();
            last.0 = self.tomcats[asking].answers(&text)?;
            Ok(last.0.len() >= answering.len() && last.1.iter().zip(&complaints).all(|(are, will)| are >= will))
        });
        waited.with_context(|| format!("{last:?} instead of {answering:?}, {complaints:?}"))?;
        ensure!(last.0 == answering && last.1 == complaints, "{last:?} instead of {answering:?}, {complaints:?}");
        Ok(())
    }

    /// Clowder that sends to these seats until it is told to end.
    fn stream(&self, seats: &[usize]) -> Result<(Stream, ChainFile)> {
        let file = ChainFile::new(&format!("{}-stream", self.name(0)), BEFORE)?;
        let names: Vec<String> = seats.iter().map(|seat| self.name(*seat)).collect();
        let to: Vec<&str> = names.iter().flat_map(|name| ["--to", name]).collect();
        let stream = Stream::start(&[&to[..], &["--chain", &file.argument(), "--size", "1000"]].concat())?;
        Ok((stream, file))
    }
}

fn sent_many(stream: &mut Stream, to: &str) -> Result<()> {
    let arrived = |line: &Value| line["member"] == to && line["outcome"] == "acknowledged";
    (0..MANY).try_for_each(|_| stream.outcome_that(arrived))
}

/// Every message of the stream is at the Clowder node, once.
fn nothing_is_lost_between_clowder_nodes(sent: &clowder_interop::Messages, mut clowder: Clowder) -> Result<()> {
    let there = sent.at(&clowder.listener.name);
    ensure!(there.0.iter().all(|line| line["outcome"] == "acknowledged"), "{there:?}");
    let received = clowder.listener.messages_from_the_start(there.0.len())?;
    ensure!(received.digest()? == there.digest()?, "{received:?}, {there:?}");
    let summary = clowder.listener.stop()?;
    ensure!(summary["received"] == there.0.len(), "{summary}");
    for trouble in ["lost", "repeated", "damaged"] {
        ensure!(summary[trouble] == 0, "{summary}");
    }
    Ok(())
}

/// Tomcats are restarted one after the other, the first of them before Clowder sends with the new key. Meanwhile nobody
/// who sends with one key is read by a Tomcat with the other; Clowder reads all.
#[test]
fn the_key_is_changed_while_tomcats_are_restarted_one_by_one_and_clowder_reads_all_of_them() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let mut cluster = Cluster::start(2, 2)?;
    let (mut stream, stream_file) = cluster.stream(&[2, 3])?;
    let watched = cluster.name(3);
    cluster.exchange().context("the old key")?;
    for clowder in 0..2 {
        cluster.change(clowder, ACCEPTS)?;
        cluster.exchange().with_context(|| format!("Clowder {clowder} accepts the new key"))?;
    }
    stream_file.change(&stream.process, ACCEPTS)?;

    cluster.retire(1)?;
    cluster.replace(1, AFTER)?;
    cluster.exchange().context("a Tomcat has the new key")?;
    sent_many(&mut stream, &watched)?;

    for clowder in 0..2 {
        cluster.change(clowder, SENDS)?;
        cluster.exchange().with_context(|| format!("Clowder {clowder} sends with the new key"))?;
    }
    sent_many(&mut stream, &watched)?;
    stream_file.change(&stream.process, SENDS)?;
    sent_many(&mut stream, &watched)?;

    for clowder in 0..2 {
        cluster.change(clowder, AFTER)?;
        cluster.exchange().with_context(|| format!("Clowder {clowder} is done with the old key"))?;
    }
    stream_file.change(&stream.process, AFTER)?;
    cluster.retire(0)?;
    cluster.replace(0, AFTER)?;
    cluster.exchange().context("all have the new key")?;
    sent_many(&mut stream, &watched)?;

    let sent = stream.end()?;
    cluster.clowder.into_iter().try_for_each(|clowder| nothing_is_lost_between_clowder_nodes(&sent, clowder))
}

/// As the manual has it: while Clowder turns to the new key no Tomcat runs, so that none says to have what it cannot
/// read.
#[test]
fn the_key_is_changed_while_tomcats_are_down_and_nothing_acknowledged_is_lost() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let mut cluster = Cluster::start(1, 1)?;
    let (mut stream, stream_file) = cluster.stream(&[0, 1])?;
    let tomcat = cluster.name(0);
    let failed = |line: &Value| line["member"] == tomcat.as_str() && line["outcome"] == "failed";
    sent_many(&mut stream, &tomcat)?;
    cluster.change(0, ACCEPTS)?;
    stream_file.change(&stream.process, ACCEPTS)?;
    cluster.exchange().context("Clowder accepts the new key")?;
    sent_many(&mut stream, &tomcat)?;

    let before = cluster.retire(0)?;
    stream.outcome_that(failed)?;
    cluster.change(0, SENDS)?;
    stream_file.change(&stream.process, SENDS)?;
    // Messages leave one after the other, so that the last one with the old key is over.
    (0..MANY).try_for_each(|_| stream.outcome_that(failed))?;
    cluster.replace(0, AFTER)?;
    cluster.exchange().context("Tomcat has the new key")?;
    sent_many(&mut stream, &tomcat)?;
    cluster.change(0, AFTER)?;
    stream_file.change(&stream.process, AFTER)?;
    cluster.exchange().context("all have the new key")?;
    sent_many(&mut stream, &tomcat)?;

    let sent = stream.end()?;
    let after = cluster.tomcats[0].node.bodies()?;
    let lost = sent.at(&tomcat).0.into_iter().find(|line| {
        let has = |bodies: &HashSet<String>| line["sha256"].as_str().is_some_and(|digest| bodies.contains(digest));
        line["outcome"] == "acknowledged" && !has(&before) && !has(&after)
    });
    ensure!(lost.is_none(), "acknowledged and lost: {lost:?}");
    ensure!(cluster.tomcats[0].node.unopened() == 0, "a message with the old key came to a Tomcat with the new one");
    cluster.clowder.into_iter().try_for_each(|clowder| nothing_is_lost_between_clowder_nodes(&sent, clowder))
}
