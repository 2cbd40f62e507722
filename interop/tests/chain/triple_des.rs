//! DESede, with both generations of Tomcat: the suite that both sides know besides AES.

use anyhow::{Context, Result, ensure};
use clowder_interop::{ChainNode, Generation, Listener, Messages, PATIENCE, netcat, skip_unless, wait_until};
use serde_json::Value;

use crate::case::{Case, Pair};
use crate::encryption::NEW_FORMAT;

/// Messages each way with keys that do not fit.
const COUNT: usize = 8;

/// Three keys of DES, each byte with the parity bit that DES ignores.
const OURS: &str = "0123456789abcdeffedcba98765432100f1e2d3c4b5a6978";
const THEIRS: &str = "1032547698badcfeefcdab89674523018796a5b4c3d2e1f0";

/// `more`: further attributes.
fn chain(key: &str, more: &str) -> String {
    format!("encrypt(encryptionKey={key},encryptionAlgorithm=DESede/CBC/PKCS5Padding,{more})")
}

fn every_size_goes_both_ways(generation: Generation, more: &str) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let chain = chain(OURS, more);
    let case = Case::new(&chain).warnings(&["is using the insecure algorithm"]);
    Pair::start(generation, &[])?.run(&[case])
}

#[test]
fn triple_des_and_tomcat_10() -> Result<()> {
    every_size_goes_both_ways(Generation::Tomcat10, NEW_FORMAT)
}

#[test]
fn triple_des_in_the_old_format_and_tomcat_9() -> Result<()> {
    every_size_goes_both_ways(Generation::Tomcat9, "generation=9.0.70")
}

/// What a side delivered of [`COUNT`] messages whose key it does not have. A wrong key finds good padding once in 256
/// messages; then the new format tells by the time inside, and in the old one garbage is delivered, as between two
/// Tomcats.
fn is_refused_or_garbage(refused: usize, delivered: usize, release: &str) -> Result<()> {
    ensure!(refused + delivered == COUNT, "{refused} refused and {delivered} delivered of {COUNT}");
    ensure!(delivered == 0 || release == "9.0.70", "{delivered} delivered in the format of {release}");
    Ok(())
}

fn a_wrong_key_opens_nothing(generation: Generation, release: &str) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let [ours, theirs] = [OURS, THEIRS].map(|key| chain(key, &format!("generation={release}")));
    let mut pair = Pair::start(generation, &[])?;
    let listener = pair.up_each(&theirs, &ours)?;
    let sent = pair.tomcat().ask(&format!("send {COUNT} 1000 6 1"))?;
    ensure!(sent["sent"] == COUNT && sent["errors"] == 0, "nobody is told: {sent}");
    let (count, tomcat) = (COUNT.to_string(), pair.tomcat().name.clone());
    let to = ["--to", &tomcat, "--to", &listener.name];
    let (sent, ok) = netcat::send(&[&to[..], &["--chain", &ours, "--size", "1000", "--count", &count]].concat())?;
    ensure!(ok && sent.0.iter().all(|line| line["outcome"] == "acknowledged"), "nobody is told: {sent:?}");
    let right = sent.at(&listener.name);
    let garbage = delivered_by_clowder(listener, &tomcat, &right).context("at Clowder")?;
    is_refused_or_garbage(COUNT - garbage, garbage, release).context("at Clowder")?;
    let (refused, garbage) = counted_by_tomcat(pair.tomcat(), &sent.at(&tomcat)).context("at Tomcat")?;
    is_refused_or_garbage(refused, garbage, release).context("at Tomcat")
}

/// How many of the Tomcat's messages, all others of which are refused and counted. What came behind them with the right
/// key is there.
fn delivered_by_clowder(mut listener: Listener, tomcat: &str, right: &Messages) -> Result<usize> {
    let mut opened = Messages(Vec::new());
    let mut garbage = 0;
    while opened.0.len() < COUNT {
        let message = listener.event("message")?;
        match message["numbered"].is_null() {
            true => garbage += 1,
            false => opened.0.push(message),
        }
    }
    ensure!(opened.digest()? == right.digest()?, "with the right key: {opened:?}");
    let mut refused = listener.passed.iter().filter(|event| event["event"] == "refused");
    let named = |refused: &Value| {
        refused["interceptor"] == "encrypt" && refused["kind"] == "unopened" && refused["from"] == tomcat
    };
    ensure!(refused.all(named), "{:?}", listener.passed);
    let summary = listener.stop()?;
    ensure!(summary["refused"] == COUNT - garbage && summary["received"] == COUNT + garbage, "{summary}");
    Ok(garbage)
}

/// How many messages it complained of and how many it delivered, none of them as it was sent.
fn counted_by_tomcat(tomcat: &mut ChainNode, sent: &Messages) -> Result<(usize, usize)> {
    let mut counted = (0, 0);
    wait_until("Tomcat's complaints", PATIENCE, || {
        counted.0 = tomcat.unopened();
        counted.1 = tomcat.ask("recv")?["received"].as_u64().context("it is counted")? as usize;
        Ok(counted.0 + counted.1 >= COUNT)
    })?;
    let bodies = tomcat.bodies()?;
    let read = sent.0.iter().any(|line| line["sha256"].as_str().is_some_and(|digest| bodies.contains(digest)));
    ensure!(!read, "it read what it has no key for");
    Ok(counted)
}

#[test]
fn with_the_wrong_key_of_triple_des_tomcat_10_and_clowder_deliver_nothing() -> Result<()> {
    a_wrong_key_opens_nothing(Generation::Tomcat10, "10.1.60")
}

#[test]
fn with_the_wrong_key_of_triple_des_tomcat_9_and_clowder_read_nothing() -> Result<()> {
    a_wrong_key_opens_nothing(Generation::Tomcat9, "9.0.70")
}
