//! `clowder demo`: three nodes on this machine, and a tour through what they are good for.
//!
//! The nodes know each other as static members, which works on every machine; multicast on loopback does not.

use std::io::Write;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::DemoArgs;
use crate::process::{Plan, Process};

const NODES: usize = 3;
/// Lines of events that wait for a slow terminal.
const EVENTS_MAX: usize = 256;

/// Run the demonstration until Ctrl-C.
///
/// # Errors
/// A node cannot start.
pub(crate) async fn run(args: DemoArgs) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let plan = Plan::new(NODES, args.replication)?;
    let (events, mut seen) = mpsc::channel(EVENTS_MAX);
    let mut nodes = Vec::new();
    let mut shown = Vec::new();
    for index in 0..NODES {
        eprintln!("starting node {} of {NODES} …", index + 1);
        let (node, logs) = Process::start(&plan.node(index, &["--log", "info"]), true).await?;
        if let Some(logs) = logs {
            tokio::spawn(follow(index + 1, logs, events.clone()));
        }
        shown.push(Shown {
            http: node.said("http")?.to_owned(),
            cluster: node.said("cluster")?.to_owned(),
            pid: node.pid().unwrap_or(0),
        });
        nodes.push(node);
    }
    print(&tour(&shown))?;
    let mut ends: Vec<_> =
        nodes.into_iter().enumerate().map(|(index, node)| Watched::new(index + 1, node, events.clone())).collect();
    drop(events);
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            event = seen.recv() => match event {
                Some(event) => print(&event)?,
                None => {
                    print("all nodes have ended\n")?;
                    break;
                }
            },
        }
    }
    print("ending all nodes …\n")?;
    for node in &mut ends {
        node.end().await;
    }
    Ok(())
}

/// What the tour names of a node.
struct Shown {
    http: String,
    cluster: String,
    pid: u32,
}

/// A node whose end is an event.
struct Watched {
    end: Option<tokio::sync::oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Watched {
    fn new(number: usize, mut node: Process, events: mpsc::Sender<String>) -> Self {
        let (end, asked) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            tokio::select! {
                status = node.ended() => {
                    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                    // Nobody listens any more when the demonstration itself ends.
                    let _ = events.send(format!("[node {number}] ended ({how})\n")).await;
                }
                _ = asked => node.end().await,
            }
        });
        Watched { end: Some(end), task }
    }

    async fn end(&mut self) {
        self.end.take();
        if let Err(error) = (&mut self.task).await {
            tracing::warn!("a node was not ended orderly: {error}");
        }
    }
}

/// A node's log, line by line.
async fn follow(number: usize, logs: impl AsyncRead + Unpin, events: mpsc::Sender<String>) {
    let mut lines = BufReader::new(logs).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if events.send(format!("[node {number}] {line}\n")).await.is_err() {
            break;
        }
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}

fn tour(nodes: &[Shown]) -> String {
    let mut text = String::from("\nThree nodes share their sessions:\n\n");
    for (index, node) in nodes.iter().enumerate() {
        text += &format!(
            "  node {}   http://{}/app/s   cluster {}   pid {}\n",
            index + 1,
            node.http,
            node.cluster,
            node.pid
        );
    }
    let [one, two, three] = nodes else { return text };
    text += &format!(
        "\nA tour for a second terminal:\n\n  \
         # log in on node 1 (the jar keeps the cookie, as a browser would)\n  \
         curl -s -c jar -b jar 'http://{}/app/s?op=set&name=user&value=alice'; echo\n  \
         # node 2 knows it\n  \
         curl -s -c jar -b jar 'http://{}/app/s?op=get'; echo\n  \
         # node 1 dies without a goodbye\n  \
         kill -9 {}\n  \
         # alice is still logged in, and goes on working\n  \
         curl -s -c jar -b jar 'http://{}/app/s?op=inc'; echo\n  \
         curl -s -c jar -b jar 'http://{}/app/s?op=get'; echo\n\n\
         What the cluster notices appears below. Ctrl-C ends all of it.\n\n",
        one.http, two.http, one.pid, two.http, three.http
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tour_names_every_node() {
        let node = |number: u32| Shown { http: format!("h{number}"), cluster: format!("c{number}"), pid: number };
        let tour = tour(&[node(1), node(2), node(3)]);
        for part in
            ["http://h1/app/s?op=set&name=user&value=alice", "kill -9 1\n", "http://h3/app/s?op=get", "cluster c2"]
        {
            assert!(tour.contains(part), "{part} in {tour}");
        }
    }
}
