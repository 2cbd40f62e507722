//! `clowder bench sessions`: requests that change sessions, with two nodes; and what many sessions cost in memory.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::Client;
use super::load::{self, Operation};
use super::{per_second, print, progress, rounded};
use crate::cli::{BenchSessionsArgs, Replication};
use crate::process::{Plan, Process};

/// Clients that fill a node with sessions.
const FILLERS: usize = 16;

/// Run all cases.
///
/// # Errors
/// A node cannot start, or does not answer.
pub(super) async fn run(args: BenchSessionsArgs) -> Result<()> {
    let bar = progress(if args.sessions == 0 { 2 } else { 3 })?;
    for replication in [Replication::Sync, Replication::Async] {
        bar.set_message(format!("{} clients, replication {replication}", args.clients));
        let result = requests(&args, replication).await?;
        bar.suspend(|| print(&result))?;
        bar.inc(1);
    }
    if args.sessions > 0 {
        bar.set_message(format!("memory of {} sessions", args.sessions));
        let result = memory(&args).await?;
        bar.suspend(|| print(&result))?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Two nodes that have found each other, and where they serve.
async fn pair(replication: Replication) -> Result<(Vec<Process>, Vec<SocketAddr>)> {
    let plan = Plan::new(2, replication)?;
    let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
    for index in 0..2 {
        let (node, _) = Process::start(&plan.node(index, &["--log", "warn,clowder=error"]), false).await?;
        addresses.push(node.said("http")?.parse().context("a node's HTTP address")?);
        nodes.push(node);
    }
    Ok((nodes, addresses))
}

async fn requests(args: &BenchSessionsArgs, replication: Replication) -> Result<Value> {
    let (nodes, http) = pair(replication).await?;
    let mut workers = Vec::new();
    for _ in 0..args.clients {
        let mut client = Client::connect(http[0]).await?;
        let answer = client.get(&format!("/app/s?op=pad&bytes={}", args.size)).await?;
        if answer.status != 200 {
            bail!("a node answered {} instead of making a session", answer.status);
        }
        workers.push(Incrementing { client, counted: 0 });
    }
    let (measured, workers) = load::run(workers, args.seconds).await?;
    let lost = lost(http[1], &workers).await?;
    for node in nodes {
        node.end().await;
    }
    let count = measured.latencies.count();
    Ok(json!({
        "case": "sessions",
        "replication": replication.to_string(),
        "clients": args.clients,
        "size": args.size,
        "req_per_s": per_second(count, measured.time),
        "p50_us": measured.latencies.percentile_us(0.5),
        "p99_us": measured.latencies.percentile_us(0.99),
        "p999_us": measured.latencies.percentile_us(0.999),
        "errors": measured.errors,
        "lost": lost,
    }))
}

/// One session, changed by every request.
struct Incrementing {
    client: Client,
    counted: u64,
}

impl Operation for Incrementing {
    async fn once(&mut self) -> bool {
        let succeeded = matches!(self.client.get("/app/s?op=inc").await, Ok(answer) if answer.status == 200);
        self.counted += u64::from(succeeded);
        succeeded
    }
}

/// Changes that were answered on one node and are not on the other.
async fn lost(other: SocketAddr, workers: &[Incrementing]) -> Result<u64> {
    let mut lost = 0;
    for worker in workers {
        let mut client = Client::connect(other).await?;
        client.session = worker.client.session.clone();
        let answer = client.get("/app/s?op=get").await?;
        let body: Value = serde_json::from_slice(&answer.body).context("an answer that is no JSON")?;
        let count = body["attrs"]["count"].as_str().and_then(|text| text.strip_prefix("java.lang.Integer:"));
        let count: u64 = count.and_then(|count| count.parse().ok()).unwrap_or(0);
        lost += worker.counted.saturating_sub(count);
    }
    Ok(lost)
}

async fn memory(args: &BenchSessionsArgs) -> Result<Value> {
    let (nodes, http) = pair(Replication::Sync).await?;
    fill(http[0], args.sessions, args.size).await?;
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let resident: Result<Vec<f64>> =
        nodes.iter().map(|node| Ok(rounded(node.resident_bytes()? as f64 / 1e6))).collect();
    let resident = resident?;
    for node in nodes {
        node.end().await;
    }
    Ok(json!({
        "case": "sessions-memory",
        "sessions": args.sessions,
        "size": args.size,
        "resident_mb": resident[0],
        "replica_resident_mb": resident[1],
        "errors": 0,
    }))
}

/// Make sessions of `size` bytes on one node, all confirmed when this returns; their ids.
///
/// # Errors
/// A request failed.
pub(super) async fn fill(http: SocketAddr, sessions: u32, size: u32) -> Result<Vec<String>> {
    let path = format!("/app/s?op=pad&bytes={size}");
    let mut fillers = JoinSet::new();
    for index in 0..FILLERS {
        let path = path.clone();
        let own = (index..sessions as usize).step_by(FILLERS).count();
        fillers.spawn(async move {
            let mut client = Client::connect(http).await?;
            let mut ids = Vec::with_capacity(own);
            for _ in 0..own {
                client.session = None;
                let answer = client.get(&path).await?;
                if answer.status != 200 {
                    bail!("a node answered {} instead of making a session", answer.status);
                }
                ids.push(client.session.clone().context("an answer without a session cookie")?);
            }
            Ok(ids)
        });
    }
    let mut ids = Vec::with_capacity(sessions as usize);
    while let Some(filled) = fillers.join_next().await {
        ids.extend(filled.context("a client failed")??);
    }
    Ok(ids)
}
