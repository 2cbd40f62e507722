//! Accepts connections, bounds their number, and ends those that overstay.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::ack_socket::AckSocket;
use super::acks::Acks;
use super::conn;
use super::env::{Env, now};
use super::net::{self, ReadHalf, TcpListener, TcpStream, WriteHalf};
use super::threads::Threads;
use crate::transport::ReceiverKind;

/// How often connections and peers are looked at.
const SWEEP: Duration = Duration::from_millis(500);
/// A peer that is no member and had nothing to do for so long is forgotten.
const PEER_IDLE: Duration = Duration::from_secs(60);
/// Pause after a failed accept: the system has no descriptors left.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Ids with this bit are those of datagrams.
const DATAGRAM: u64 = 1 << 63;

/// The inbound connections: those that are open, and those whose messages are still being processed. Beside them, the
/// datagrams whose messages are still being processed.
#[derive(Default)]
pub(crate) struct Registry {
    next: AtomicU64,
    known: Mutex<HashMap<u64, Known>>,
    datagrams: Mutex<HashMap<u64, Weak<Acks>>>,
}

struct Known {
    acks: Weak<Acks>,
    task: Option<AbortHandle>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn datagrams(&self) -> MutexGuard<'_, HashMap<u64, Weak<Acks>>> {
        self.datagrams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_datagram(id: u64) -> bool {
        id & DATAGRAM != 0
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<Acks>> {
        if Self::is_datagram(id) {
            return self.datagrams().get(&id)?.upgrade();
        }
        self.lock().get(&id)?.acks.upgrade()
    }

    pub(crate) fn remove(&self, id: u64) {
        if Self::is_datagram(id) {
            self.datagrams().remove(&id);
        } else {
            self.lock().remove(&id);
        }
    }

    /// A connection from `peer`.
    pub(super) fn connection(&self, env: &Arc<Env>, peer: SocketAddr, socket: AckSocket) -> Arc<Acks> {
        let id = self.next.fetch_add(1, Relaxed);
        let acks = Acks::new(Arc::clone(env), id, peer, Some(socket));
        self.lock().insert(id, Known { acks: Arc::downgrade(&acks), task: None });
        acks
    }

    /// A datagram from `from`. `socket`: what it is answered through; none: it is not.
    pub(super) fn datagram(&self, env: &Arc<Env>, from: SocketAddr, socket: Option<Arc<UdpSocket>>) -> Arc<Acks> {
        let id = self.next.fetch_add(1, Relaxed) | DATAGRAM;
        let socket = socket.map(|socket| AckSocket::Datagram { socket, to: from });
        let acks = Acks::new(Arc::clone(env), id, from, socket);
        self.datagrams().insert(id, Arc::downgrade(&acks));
        acks
    }

    /// All that live. The lock is released: dropping the last share of one removes it.
    fn all(&self) -> Vec<Arc<Acks>> {
        self.lock().values().filter_map(|known| known.acks.upgrade()).collect()
    }

    /// End the connection now.
    fn close(&self, acks: &Acks) {
        let task = self.lock().get_mut(&acks.id).and_then(|known| known.task.take());
        if let Some(task) = task {
            task.abort();
        }
        acks.close();
    }

    pub(crate) fn close_all(&self) {
        for acks in self.all() {
            self.close(&acks);
        }
    }
}

/// Accepts until aborted.
pub(crate) async fn run(env: Arc<Env>, listener: TcpListener, receiver: ReceiverKind) {
    let threads = match receiver {
        ReceiverKind::Async => None,
        ReceiverKind::Threads { max_threads } => Some(Threads::new(max_threads)),
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let served = match &threads {
                    None => welcome(&env, stream, peer),
                    Some(threads) => {
                        make_room(&env);
                        threads.serve(&env, stream, peer).await
                    }
                };
                if let Err(error) = served {
                    tracing::warn!(%peer, %error, "a connection broke before it began");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn welcome(env: &Arc<Env>, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    env.sockets.accepted.apply(&stream)?;
    serve(env, net::split(stream), peer);
    Ok(())
}

/// From here on the connection is like any other.
pub(super) fn serve(env: &Arc<Env>, (read, write): (ReadHalf, WriteHalf), peer: SocketAddr) {
    make_room(env);
    let acks = env.registry.connection(env, peer, AckSocket::Task(write));
    let task = env.handle.spawn(conn::run(Arc::clone(env), Arc::clone(&acks), read)).abort_handle();
    if let Some(known) = env.registry.lock().get_mut(&acks.id) {
        known.task = Some(task);
    }
}

/// At the limit, the connection that is worth least is closed for a new one.
fn make_room(env: &Env) {
    let open: Vec<Arc<Acks>> = env.registry.all().into_iter().filter(|acks| !acks.is_closed()).collect();
    env.metrics.connections.set(open.len() as f64);
    if open.len() < env.limits.connections_max.max(1) {
        return;
    }
    if let Some(least) = open.iter().min_by_key(|acks| acks.worth()) {
        env.refusals.refused(least.peer, "too_many", "the most silent of too many connections");
        env.registry.close(least);
    }
}

/// Ends what overstays, until the channel is gone.
pub(crate) async fn sweep(env: Weak<Env>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(env) = env.upgrade() else { return };
        let time = Instant::now();
        let all = env.registry.all();
        for acks in &all {
            if acks.is_closed() {
                continue;
            }
            if let Some(kind) = acks.overdue(time) {
                env.refusals.refused(acks.peer, kind, "it waited too long");
                env.registry.close(acks);
            }
        }
        env.metrics.connections.set(all.iter().filter(|acks| !acks.is_closed()).count() as f64);
        drop(all);
        env.dedup.lock().unwrap_or_else(PoisonError::into_inner).expire(now());
        if let Some(before) = time.checked_sub(PEER_IDLE) {
            env.sweep_peers(before);
        }
    }
}
