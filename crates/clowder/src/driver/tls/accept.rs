//! Accepts connections on the secure port: a bounded number of handshakes, each with a bounded time. Only what came
//! out of one is a connection to the rest of the node.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::handshake::{Accepted, Tls, complaint};
use crate::driver::accept;
use crate::driver::env::Env;
use crate::driver::net::{TcpListener, TcpStream};
use crate::metrics;

/// Accepts until aborted.
pub(crate) async fn run(env: Arc<Env>, listener: TcpListener) {
    let Some(tls) = &env.tls else { return };
    let mut handshakes = Handshakes::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(oldest) = handshakes.make_room(tls.config.handshakes_max) {
                        env.refusals.tls(oldest, "too_many", "the oldest of too many handshakes");
                    }
                    handshakes.start(Arc::clone(&env), stream, peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(accept::PAUSE).await;
                }
            },
            Some(_) = handshakes.running.join_next() => {}
        }
    }
}

/// Those that are under way, and some that have ended.
#[derive(Default)]
struct Handshakes {
    running: JoinSet<()>,
    /// The oldest first.
    order: VecDeque<(AbortHandle, SocketAddr)>,
}

impl Handshakes {
    /// At the limit the oldest one ends for a new one: whoever is honest is done soon. Returns whose it was.
    fn make_room(&mut self, max: usize) -> Option<SocketAddr> {
        self.order.retain(|(task, _)| !task.is_finished());
        if self.order.len() < max {
            return None;
        }
        let (task, peer) = self.order.pop_front()?;
        task.abort();
        Some(peer)
    }

    fn start(&mut self, env: Arc<Env>, stream: TcpStream, peer: SocketAddr) {
        let task = self.running.spawn(async move {
            if let Some(tls) = &env.tls {
                handshake(&env, tls, stream, peer).await;
            }
        });
        self.order.push_back((task, peer));
    }
}

async fn handshake(env: &Arc<Env>, tls: &Tls, stream: TcpStream, peer: SocketAddr) {
    let done = async {
        env.sockets.accepted.apply(&stream)?;
        tls.accept(stream).await
    };
    match timeout(tls.config.handshake_timeout, done).await {
        Ok(Ok(Accepted { read, write, subject })) => {
            metrics::tls_accepted();
            tracing::info!(%peer, %subject, "accepted a TLS connection");
            accept::serve(env, (read, write), peer);
        }
        Ok(Err(error)) => {
            let (kind, reason) = complaint(&error).unwrap_or_else(|| ended(&error));
            env.refusals.tls(peer, kind, &reason);
        }
        Err(_) => env.refusals.tls(peer, "timeout", "the handshake took too long"),
    }
}

fn ended(error: &io::Error) -> (&'static str, String) {
    ("ended", format!("the connection ended in the handshake: {error}"))
}
