//! `clowder bench transfer`: how long a starting node needs until it holds all sessions of a running one.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::client::Client;
use super::sessions::fill;
use super::{mb_per_second, per_second, print, progress, rounded};
use crate::cli::{BenchTransferArgs, Replication};
use crate::process::{Plan, Process};

/// Sessions that are looked up on the new node.
const SAMPLES: usize = 200;

/// Run all rounds.
///
/// # Errors
/// A node cannot start, or lacks a session after it said READY.
pub(super) async fn run(args: BenchTransferArgs) -> Result<()> {
    let rounds = args.rounds as usize;
    let bar = progress(rounds + 2)?;
    let plan = Plan::new(rounds + 2, Replication::Sync)?;
    let node = |index| {
        let args = plan.node(index, &["--log", "warn,clowder=error"]);
        async move { Process::start(&args, false).await.map(|(node, _)| node) }
    };
    let giver = node(0).await?;
    // A start without sessions, for comparison: process, ports and joining.
    bar.set_message("start of a node without sessions");
    let start = Instant::now();
    let empty = node(1).await?;
    let empty_start = start.elapsed();
    empty.end().await;
    bar.inc(1);
    bar.set_message(format!("filling {} sessions", args.sessions));
    let ids = fill(giver.said("http")?.parse().context("a node's HTTP address")?, args.sessions, args.size).await?;
    bar.inc(1);
    for round in 0..rounds {
        bar.set_message(format!("round {} of {rounds}", round + 1));
        let start = Instant::now();
        let taker = node(round + 2).await?;
        let time = start.elapsed();
        check(taker.said("http")?.parse().context("a node's HTTP address")?, &ids).await?;
        taker.end().await;
        let result = json!({
            "case": "transfer",
            "sessions": args.sessions,
            "size": args.size,
            "ready_ms": rounded(time.as_secs_f64() * 1000.0),
            "empty_ready_ms": rounded(empty_start.as_secs_f64() * 1000.0),
            "sessions_per_s": per_second(u64::from(args.sessions), time),
            "mb_per_s": mb_per_second(u64::from(args.sessions), args.size, time),
            "errors": 0,
        });
        bar.suspend(|| print(&result))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    giver.end().await;
    Ok(())
}

/// Some of the sessions must be there, the first and the last among them.
async fn check(http: SocketAddr, ids: &[String]) -> Result<()> {
    let mut client = Client::connect(http).await?;
    let step = (ids.len() / SAMPLES).max(1);
    for id in ids.iter().step_by(step).chain(ids.last()) {
        client.session = Some(id.clone());
        let answer = client.get("/app/s?op=get").await?;
        if !String::from_utf8_lossy(&answer.body).contains(id.as_str()) {
            bail!("a node was READY without a session that existed before it started");
        }
    }
    Ok(())
}
