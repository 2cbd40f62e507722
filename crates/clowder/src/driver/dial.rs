//! The tasks of a peer: one per connection that this node makes, and one that keeps the time.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use clowder_proto::link::{AckReader, Cause, ConnId};
use clowder_proto::wire::Ack;
use tokio::io::{AsyncRead, ReadBuf};

use super::linger::Linger;
use super::net::{self, OwnedReadHalf};
use super::peer::Peer;

/// One read: nearly 400 acknowledgements.
const READ_BYTES: usize = 8 << 10;

/// Makes the connection, then reads acknowledgements and writes what callers leave to it. Ends with the connection;
/// aborted when the link closes it.
pub(super) async fn run(peer: Arc<Peer>, conn: ConnId, addr: Option<SocketAddr>) {
    let Some(addr) = addr else { return peer.lost(conn, Cause::Connect) };
    let stream = match net::connect(addr, peer.socket_options()).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(peer = %peer.member, %error, "cannot connect");
            return peer.lost(conn, Cause::Connect);
        }
    };
    let (read, write) = stream.into_split();
    if !peer.connected(conn, write) {
        return;
    }
    let linger = Linger::new(peer.last_heard());
    let (reader, acks, buffer) = (AckReader::new(), Vec::new(), vec![0; READ_BYTES]);
    let mut task = Task { peer, conn, read, reader, acks, buffer, linger };
    let cause = std::future::poll_fn(|cx| task.poll(cx)).await;
    task.peer.lost(conn, cause);
}

struct Task {
    peer: Arc<Peer>,
    conn: ConnId,
    read: OwnedReadHalf,
    reader: AckReader,
    acks: Vec<Ack>,
    buffer: Vec<u8>,
    linger: Linger,
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Cause> {
        loop {
            // First, so that what callers queued since the last turn leaves before the next batch is read.
            let _: Poll<()> = self.peer.poll_write(self.conn, cx);
            let length = match self.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => {
                    tracing::debug!(peer = %self.peer.member, %error, "reading failed");
                    return Poll::Ready(Cause::Lost);
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Cause::Lost),
                Poll::Ready(Ok(length)) => length,
            };
            let result = self.reader.received(&self.buffer[..length], &mut self.acks);
            let lingers = self.linger.heard(self.peer.last_heard(), self.acks.len());
            let woke_many = !self.acks.is_empty() && self.peer.acked(self.conn, &self.acks);
            self.acks.clear();
            if let Err(error) = result {
                tracing::warn!(peer = %self.peer.member, %error, "closed a connection: no acknowledgement");
                return Poll::Ready(Cause::Protocol);
            }
            if woke_many || lingers {
                // Behind the callers that were just woken: their next messages leave together.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(length) = self.linger.read(self.read.as_ref(), &mut self.buffer) {
            return Poll::Ready(Ok(length));
        }
        let mut buffer = ReadBuf::new(&mut self.buffer);
        Pin::new(&mut self.read).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
    }
}

/// Tells the link that time passes. One timer for a peer, not one for each message: nothing that is queued later is
/// due before the next look.
pub(super) async fn keep_time(peer: Weak<Peer>) {
    while let Some(alive) = peer.upgrade().filter(|peer| !peer.is_closed()) {
        let next = alive.next_look();
        drop(alive);
        tokio::time::sleep_until(next.into()).await;
        match peer.upgrade() {
            Some(peer) => peer.time_passed(),
            None => return,
        }
    }
}
