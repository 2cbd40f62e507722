//! `clowder node`: one member of the cluster with an HTTP server for the sample application.
//!
//! Order of a start: the HTTP port is taken, the cluster joined, its sessions fetched; only then is a request answered,
//! so that none is told that a session does not exist which merely had not arrived. Order of an end: running requests
//! first, as they need the cluster, then the goodbye.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::serve::ListenerExt;
use clowder::{Channel, Replication, SessionLayer, Sessions};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::cli::{self, Manager, NodeArgs, Peer, UniqueId};
use crate::end::End;
use crate::{discovery, joining, sample};

/// How long after the start a peer may be missing without a word: the nodes of a cluster are started together.
const PEERS_PATIENCE: Duration = Duration::from_secs(2);

/// Run the node until it is told to end.
///
/// # Errors
/// It cannot start, or standard output is closed.
pub(crate) async fn run(args: NodeArgs) -> Result<()> {
    let end = End::new(args.end.end_with_stdin)?;
    let listener = listen(args.http).await?;
    let http = listener.local_addr().context("cannot tell the HTTP port")?;
    let mut joining = joining::describe(&args.end, joining::CLUSTER).await?;
    joining.builder = discovery::discover(&args, joining.builder, &joining.listen)?;
    let known = Known { others: joining.finds_others || discovery::looks_for_others(&args), id: joining.has_id };
    let channel = joining.start().await?;
    let sessions = sessions(&args, &channel).await?;
    let local = channel.local();
    let cluster = local.id.socket_addr().map_or_else(|| local.id.to_string(), |address| address.to_string());
    explain(&args, &known, &channel);
    let member = &args.end.member;
    let missing = tokio::spawn(warn_of_missing(member.peers.clone(), member.id, channel.clone()));
    ready(http, &cluster)?;
    serve(&args, listener, &sessions, end).await?;
    missing.abort();
    sessions.stop().await;
    channel.stop().await;
    tracing::info!("left the cluster");
    Ok(())
}

/// What the user has said of the cluster.
struct Known {
    /// Who else there is, or where to look.
    others: bool,
    /// This node's own id.
    id: bool,
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AddrInUse => "another program has this port: choose another one with --http, or port 0 for any",
            ErrorKind::AddrNotAvailable => "this machine does not have the address: give one of its own, or 0.0.0.0",
            ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose a higher one with --http",
            _ => "give another address with --http",
        };
        anyhow::Error::new(error).context(format!("cannot serve HTTP on {address}; {remedy}"))
    })
}

async fn sessions(args: &NodeArgs, channel: &Channel) -> Result<Sessions> {
    // Tomcat: ClusterManagerBase.getName — with the cluster at the engine the name of the host stands in front.
    let context = if args.virtual_host.is_empty() {
        args.context.clone()
    } else {
        format!("{}#{}", args.virtual_host, args.context)
    };
    let replication = match args.replication {
        cli::Replication::Sync => Replication::Synchronous,
        cli::Replication::Async => Replication::Asynchronous,
    };
    let mut builder = match args.manager {
        Manager::Delta => Sessions::delta(channel, &context),
    };
    builder = builder.replication(replication);
    if let Some(route) = &args.route {
        builder = builder.route(route);
    }
    builder.await.context("cannot start the session manager")
}

/// What an operator wants to know about a node that has just started.
fn explain(args: &NodeArgs, known: &Known, channel: &Channel) {
    let local = channel.local();
    tracing::info!("member {} serves {}/s, replication {}", local.id, args.context, args.replication);
    if !known.others {
        tracing::warn!(
            "this node is alone, its sessions die with it: name the others with --peer HOST:PORT/HEX32, or find them \
             with --multicast 228.0.0.4:45564, --kubernetes or --dns NAME; they name this node with --peer {}",
            local.id
        );
    }
    if !args.end.member.peers.is_empty() && !known.id {
        tracing::warn!(
            "without --id this node has another name at every start, and the others' --peer cannot name it; \
             give it one, for example --id {}",
            hex::encode(local.id.unique_id)
        );
    }
}

/// The peers that are no members a while after the start, each with what to do about it.
async fn warn_of_missing(peers: Vec<Peer>, own: Option<UniqueId>, channel: Channel) {
    tokio::time::sleep(PEERS_PATIENCE).await;
    let view = channel.view();
    for peer in peers {
        let is_member = view.members().iter().any(|member| member.id.unique_id == peer.unique_id.0);
        if !is_member && Some(peer.unique_id) != own {
            tracing::warn!(
                "peer {peer} cannot be reached: it joins when it runs; if it does run, compare its address and id with \
                 its own --cluster and --id (Tomcat: host, port and uniqueId of its receiver)"
            );
        }
    }
}

fn ready(http: SocketAddr, cluster: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "READY http={http} cluster={cluster}")
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

async fn serve(args: &NodeArgs, listener: TcpListener, sessions: &Sessions, mut end: End) -> Result<()> {
    let path = if args.context.is_empty() { "/" } else { args.context.as_str() };
    let layer = SessionLayer::new(sessions.clone()).path(path).context("the context path cannot be in a cookie")?;
    let app = sample::router().layer(layer);
    let app = if args.context.is_empty() { app } else { Router::new().nest(&args.context, app) };
    let listener = listener.tap_io(|connection| {
        // Answers are written in one piece; waiting for more only delays them.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!("a connection without TCP_NODELAY: {error}");
        }
    });
    let (ended, end_seen) = oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        let why = end.reached().await;
        tracing::info!("{why}: finishing running requests");
        let _ = ended.send(());
    });
    let bounded = async {
        // An error means that the server itself has ended, which the other branch reports.
        if end_seen.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(args.drain).await;
    };
    tokio::select! {
        served = server => served.context("the HTTP server failed"),
        () = bounded => {
            tracing::warn!("requests still run after {:?} (--drain) and are cut off", args.drain);
            Ok(())
        }
    }
}
