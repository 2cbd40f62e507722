//! Heartbeats to and from addresses: a socket and a task, which also resolves the names again now and then.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, sleep_until};

use crate::membership::UnicastHeartbeats;

/// Heartbeats that wait to be sent. They are made slowly; the first ones wait for the names.
const OUTBOX_MAX: usize = 16;
/// Heartbeats that wait for the control task; beyond, they are dropped, as datagrams are.
const INBOX_MAX: usize = 1024;
/// Addresses that one heartbeat goes to.
const TARGETS_MAX: usize = 1024;
/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_536;
/// Pause before a name is tried again, and after an error of the socket.
const RETRY: Duration = Duration::from_secs(5);

/// Heartbeats cannot be received as configured. The configuration or this machine is at fault; nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("cannot take heartbeats at {bind}: another program has the port, or the address is not one of this machine")]
pub struct UnicastError {
    /// The configured address.
    pub bind: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// The control task's end. Dropping it ends the task.
pub(super) struct Unicast {
    outbox: mpsc::Sender<Bytes>,
    inbox: mpsc::Receiver<(SocketAddr, Bytes)>,
    task: JoinHandle<()>,
    _end: EndOnDrop,
}

struct EndOnDrop(AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Unicast {
    /// Must be called on a tokio runtime.
    pub(super) fn open(config: UnicastHeartbeats) -> Result<Self, UnicastError> {
        let bind = config.bind;
        let socket = socket(bind).map_err(|source| UnicastError { bind, source })?;
        let (outbox, to_send) = mpsc::channel(OUTBOX_MAX);
        let (received, inbox) = mpsc::channel(INBOX_MAX);
        let task = tokio::spawn(Task { config, socket, targets: BTreeMap::new() }.run(to_send, received));
        let end = EndOnDrop(task.abort_handle());
        Ok(Unicast { outbox, inbox, task, _end: end })
    }

    pub(super) fn send(&self, datagram: Bytes) {
        if self.outbox.try_send(datagram).is_err() {
            count_send_error();
        }
    }

    pub(super) async fn received(&mut self) -> (SocketAddr, Bytes) {
        match self.inbox.recv().await {
            Some(received) => received,
            None => std::future::pending().await,
        }
    }

    /// Returns when everything has left.
    pub(super) async fn flushed(self) {
        let Unicast { outbox, inbox: _inbox, task, _end } = self;
        drop(outbox);
        let _ = task.await; // it broke: nothing is left to send
    }
}

fn socket(bind: SocketAddr) -> io::Result<UdpSocket> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(bind), Type::DGRAM, Some(Protocol::UDP))?;
    // The multicast socket of this node may have the same port.
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&bind.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

fn count_send_error() {
    metrics::counter!("clowder_membership_send_errors_total").increment(1);
}

struct Task {
    config: UnicastHeartbeats,
    socket: UdpSocket,
    /// By the name that leads there. Names that were never resolved are missing.
    targets: BTreeMap<String, Vec<SocketAddr>>,
}

impl Task {
    async fn run(mut self, mut to_send: mpsc::Receiver<Bytes>, received: mpsc::Sender<(SocketAddr, Bytes)>) {
        // The names of numbers and hosts nearby are there at once; the first heartbeat waits for them.
        let mut resolved = Box::pin(resolve(self.config.to.clone()));
        let mut resolving = true;
        let mut next = Instant::now();
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            tokio::select! {
                found = &mut resolved, if resolving => {
                    resolving = false;
                    next = Instant::now() + self.learn(found);
                }
                () = sleep_until(next), if !resolving => {
                    resolved = Box::pin(resolve(self.config.to.clone()));
                    resolving = true;
                }
                datagram = to_send.recv(), if !(resolving && self.targets.is_empty()) => match datagram {
                    Some(datagram) => self.send(&datagram).await,
                    None => return,
                },
                arrived = self.socket.recv_from(&mut buffer) => match arrived {
                    Ok((length, from)) => {
                        let datagram = Bytes::copy_from_slice(&buffer[..length]);
                        // The control task has more than it can look at: the next heartbeat comes soon.
                        let _ = received.try_send((from, datagram));
                    }
                    Err(error) => {
                        tracing::warn!(%error, bind = %self.config.bind, "the socket of unicast heartbeats failed");
                        metrics::counter!("clowder_membership_socket_errors_total").increment(1);
                        sleep(RETRY).await;
                    }
                },
            }
        }
    }

    /// Returns the pause until the names are resolved again.
    fn learn(&mut self, found: Vec<(String, io::Result<Vec<SocketAddr>>)>) -> Duration {
        let mut pause = self.config.resolve_interval;
        for (name, found) in found {
            let family = |addr: &SocketAddr| addr.is_ipv4() == self.config.bind.is_ipv4();
            let found = found.map(|found| found.into_iter().filter(family).collect::<Vec<_>>());
            match found {
                Ok(addresses) if !addresses.is_empty() => {
                    self.targets.insert(name, addresses);
                }
                found => {
                    let error = found.err().map_or_else(|| "no address of the family".to_owned(), |it| it.to_string());
                    // Once when it begins to matter; those that were resolved once stay as they are.
                    if let Entry::Vacant(target) = self.targets.entry(name) {
                        tracing::warn!(name = target.key(), error, "heartbeats cannot go there; it is tried again");
                        target.insert(Vec::new());
                    }
                    pause = pause.min(RETRY);
                }
            }
        }
        pause
    }

    async fn send(&self, datagram: &Bytes) {
        for target in self.targets.values().flatten().take(TARGETS_MAX) {
            // No way there, or nobody: the next one comes soon.
            if self.socket.send_to(datagram, *target).await.is_err() {
                count_send_error();
            }
        }
    }
}

async fn resolve(names: Vec<String>) -> Vec<(String, io::Result<Vec<SocketAddr>>)> {
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let found = tokio::net::lookup_host(&name).await.map(Iterator::collect);
        all.push((name, found));
    }
    all
}

#[cfg(test)]
mod tests;
