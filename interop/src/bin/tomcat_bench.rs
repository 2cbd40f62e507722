//! The Tomcat side of Clowder's benchmarks, with the same JSON lines as `clowder bench` and `"peer":"tomcat"`.
//!
//! ```text
//! tomcat_bench channel  [SECONDS]            two bare Tribes channels, 1 KB; with CLOWDER_BIN also Clowder to Tribes
//! tomcat_bench chains   [SECONDS] CHAIN…     the same with each of these chains, 64 senders; with CLOWDER_BIN also
//!                                            Clowder to Clowder, 256 senders
//! tomcat_bench sessions [SECONDS] [PEER]     HTTP requests per second under wrk: alone, two nodes async and sync
//! tomcat_bench transfer [SESSIONS] [PEER]    memory of the sessions, and their transfer to a starting node
//! ```
//!
//! `PEER` is `tomcat` (default) or `clowder` (`CLOWDER_BIN`, a release build), so that both are measured with the
//! same load in one sitting. JVMs run with all optimizations. Needs `wrk` for `sessions`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clowder_interop::load::in_parallel;
use clowder_interop::{Browser, Kind, Node, NodeConfig, Seats, TribesNode, wait_until};
use serde_json::{Value, json};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = |index: usize| args.get(index).map(String::as_str);
    let number = |otherwise: u64| word(1).map_or(Ok(otherwise), str::parse).context("the second word is a number");
    let kind = || match word(2).unwrap_or("tomcat") {
        "tomcat" => Ok(Kind::Tomcat),
        "clowder" => Ok(Kind::Clowder),
        other => bail!("peer {other}: tomcat or clowder"),
    };
    match word(0) {
        Some("channel") => channel(number(10)?),
        Some("chains") => chains(number(10)?, args.get(2..).unwrap_or_default()),
        Some("sessions") => sessions(number(10)?, kind()?),
        Some("transfer") => transfer(usize::try_from(number(50_000)?)?, kind()?),
        _ => bail!("channel, chains, sessions or transfer"),
    }
}

/// Tomcat to Tomcat; options 6 is "acknowledged after processing", 8 asynchronous.
fn channel(seconds: u64) -> Result<()> {
    let seats = Seats::reserve(2)?;
    let mut sender = TribesNode::start_fast(&seats, 0, &[])?;
    let receiver = TribesNode::start_fast(&seats, 1, &[])?;
    wait_until("the receiver as member", clowder_interop::PATIENCE, || Ok(sender.members()? == 1))?;
    for (ack, options, senders) in
        [("processed", 6, 1), ("processed", 6, 8), ("processed", 6, 24), ("processed", 6, 64), ("none", 8, 1)]
    {
        eprintln!("channel: {senders} senders, ack {ack}, {seconds} s");
        let bound = Duration::from_secs(seconds * 2 + 60);
        let result = sender.ask_within(&format!("bench {seconds} 1024 {options} {senders}"), bound)?;
        let mut line = json!({"case": "channel", "peer": "tomcat", "size": 1024, "senders": senders, "ack": ack});
        for key in ["msgs_per_s", "mb_per_s", "p50_us", "p99_us", "p999_us", "errors"] {
            line[key] = result[key].clone();
        }
        println!("{line}");
    }
    drop(sender);
    match std::env::var("CLOWDER_BIN") {
        Ok(clowder) => clowder_to_tomcat(&clowder, &receiver, seconds),
        Err(_) => Ok(()),
    }
}

/// Each chain at both ends, acknowledged after processing. Tomcat is at its best with about 64 senders, Clowder with
/// more.
fn chains(seconds: u64, chains: &[String]) -> Result<()> {
    for chain in chains {
        let seats = Seats::reserve(2)?;
        let mut extra = vec!["--chain", chain];
        if chain.is_empty() {
            extra.clear();
        }
        let mut sender = TribesNode::start_fast(&seats, 0, &extra)?;
        let _receiver = TribesNode::start_fast(&seats, 1, &extra)?;
        wait_until("the receiver as member", clowder_interop::PATIENCE, || Ok(sender.members()? == 1))?;
        let mut best = Value::Null;
        for senders in [24, 64] {
            let bound = Duration::from_secs(seconds * 2 + 60);
            let result = sender.ask_within(&format!("bench {seconds} 1024 6 {senders}"), bound)?;
            if best["msgs_per_s"].as_f64() < result["msgs_per_s"].as_f64() {
                best = result;
            }
        }
        best["case"] = json!("chain");
        (best["peer"], best["chain"]) = (json!("tomcat"), json!(chain));
        println!("{best}");
    }
    let Ok(clowder) = std::env::var("CLOWDER_BIN") else { return Ok(()) };
    let mut command = Command::new(&clowder);
    command.args(["bench", "channel", "--ack", "processed", "--senders", "256", "--seconds", &seconds.to_string()]);
    for chain in chains {
        command.args(["--chain", chain]);
    }
    let output = command.output().context(clowder.clone())?;
    ensure!(output.status.success(), "{clowder}: {}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8(output.stdout)?);
    Ok(())
}

/// The same cases with Clowder as the sender.
fn clowder_to_tomcat(clowder: &str, receiver: &TribesNode, seconds: u64) -> Result<()> {
    let mut command = Command::new(clowder);
    command.args(["bench", "channel", "--target", &format!("{}/{}", receiver.cluster, receiver.id)]);
    command.args(["--ack", "processed", "--seconds", &seconds.to_string()]);
    for senders in ["1", "8", "24", "64"] {
        command.args(["--senders", senders]);
    }
    let output = command.output().context(clowder.to_owned())?;
    ensure!(output.status.success(), "{clowder}: {}", String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8(output.stdout)?.lines() {
        let mut line: Value = serde_json::from_str(line)?;
        line["receiver"] = json!("tomcat");
        println!("{line}");
    }
    Ok(())
}

/// 1,000 sessions of 1 KB, each request replaces the kilobyte of the next one.
fn sessions(seconds: u64, kind: Kind) -> Result<()> {
    for (mode, nodes, options) in [("alone", 1, 8), ("async", 2, 8), ("sync", 2, 6)] {
        let seats = Seats::reserve(nodes)?;
        let mut running = Vec::new();
        for index in 0..nodes {
            let config = NodeConfig::at(kind, &seats, index).options(options).joining(index);
            running.push(config.launch_fast("512m")?.ready()?);
        }
        running[0].await_members(nodes - 1)?;
        let ids = padded_sessions(&running[0], 1_000)?;
        let script = std::env::temp_dir().join(format!("clowder-wrk-{}.lua", std::process::id()));
        std::fs::write(&script, wrk_script(&ids))?;
        let url = format!("http://{}/app/s?op=pad&bytes=1024", running[0].http);
        let mut result = Value::Null;
        for part in [(seconds / 2).max(1), seconds] {
            eprintln!("sessions: {mode}, {part} s");
            result = wrk(&script, &url, part)?;
        }
        std::fs::remove_file(&script)?;
        let mut line = json!({"case": "sessions", "peer": name(kind), "mode": mode, "size": 1024, "connections": 16});
        for key in ["requests_per_s", "p50_us", "p99_us", "errors"] {
            line[key] = result[key].clone();
        }
        println!("{line}");
    }
    Ok(())
}

fn wrk_script(ids: &[String]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    format!(
        "local ids = {{{}}}\nlocal at = 0\n\
         request = function()\n  at = at % #ids + 1\n  wrk.headers['Cookie'] = 'JSESSIONID=' .. ids[at]\n  \
         return wrk.format()\nend\n\
         done = function(s, latency)\n  local e = s.errors\n  io.write(string.format(\n    \
         '{{\"requests_per_s\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"errors\":%d}}\\n',\n    \
         s.requests / s.duration * 1e6, latency:percentile(50), latency:percentile(99),\n    \
         e.connect + e.read + e.write + e.status + e.timeout))\nend\n",
        quoted.join(",")
    )
}

fn wrk(script: &std::path::Path, url: &str, seconds: u64) -> Result<Value> {
    let output = Command::new("wrk")
        .args(["-t1", "-c16", &format!("-d{seconds}s"), "-s"])
        .arg(script)
        .arg(url)
        .output()
        .context("wrk is missing: apt-get install wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find(|line| line.starts_with('{')).context("wrk printed no result")?;
    Ok(serde_json::from_str(line)?)
}

/// What the sessions weigh at their first node, and how long a second one takes from its start until it serves
/// them, compared with its start at a node without sessions.
fn transfer(count: usize, kind: Kind) -> Result<()> {
    let seats = Seats::reserve(2)?;
    let mut first = NodeConfig::at(kind, &seats, 0).launch_fast("1g")?.ready()?;
    let rss_empty = resident(&first)?;
    let start_empty = timed_start(kind, &seats)?;
    eprintln!("transfer: {count} sessions");
    padded_sessions(&first, count)?;
    let rss = resident(&first)?;
    let heap = if kind == Kind::Tomcat { json!(first.stat("heap_bytes")?) } else { Value::Null };
    let start_full = timed_start(kind, &seats)?;
    let line = json!({
        "case": "transfer", "peer": name(kind), "size": 1024, "sessions": count,
        "resident_bytes_empty": rss_empty, "resident_bytes": rss, "heap_bytes": heap,
        "start_empty_ms": start_empty, "start_full_ms": start_full,
        "transfer_ms": start_full.saturating_sub(start_empty),
    });
    println!("{line}");
    Ok(())
}

fn timed_start(kind: Kind, seats: &Seats) -> Result<u64> {
    let begin = Instant::now();
    let node = NodeConfig::at(kind, seats, 1).joining(1).launch_fast("1g")?.ready()?;
    let elapsed = begin.elapsed();
    node.stop()?;
    Ok(u64::try_from(elapsed.as_millis())?)
}

fn padded_sessions(node: &Node, count: usize) -> Result<Vec<String>> {
    let ids = std::sync::Mutex::new(Vec::with_capacity(count));
    let (connections, http) = (Browser::new(), &node.http);
    in_parallel(4, count, |_| {
        let reply = connections.without_session().get_at(http, "op=pad&bytes=1024")?;
        let id = reply.session.context("pad creates a session")?;
        ids.lock().expect("no holder panics").push(id);
        Ok(())
    })?;
    Ok(ids.into_inner().expect("no holder panics"))
}

/// Resident bytes of a node's process.
fn resident(node: &Node) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tomcat => "tomcat",
        Kind::Clowder => "clowder",
    }
}
