//! The tasks of a peer: one per connection that this node makes, and one that keeps the time.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use clowder_proto::link::{AckReader, Cause, ConnId};
use clowder_proto::wire::Ack;
use tokio::io::{AsyncRead, ReadBuf};

use super::linger::Linger;
use super::net::{self, ReadHalf};
use super::peer::{Peer, Route};
use super::tls;

/// One read: nearly 400 acknowledgements.
const READ_BYTES: usize = 8 << 10;

/// Makes the connection, then reads acknowledgements and writes what callers leave to it. Ends with the connection;
/// aborted when the link closes it.
pub(super) async fn run(peer: Arc<Peer>, conn: ConnId) {
    let options = peer.socket_options();
    let connected = match peer.route().await {
        Route::Unusable => return peer.lost(conn, Cause::Connect),
        Route::Forbidden => return peer.lost(conn, Cause::NoSecurePort),
        Route::Plain(addr) => net::connect(addr, options).await.map(net::split),
        Route::Secure(tls, addr) => tls.connect(peer.refusals(), addr, options).await,
    };
    let (read, write) = match connected {
        Ok(halves) => halves,
        Err(error) => {
            tracing::debug!(peer = %peer.member, %error, "cannot connect");
            return peer.lost(conn, Cause::Connect);
        }
    };
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
    read: ReadHalf,
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
                    self.complain(&error);
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

    /// With TLS 1.3 the other side refuses our certificate after the handshake is done for us.
    fn complain(&self, error: &io::Error) {
        match (tls::complaint(error), self.peer.addr()) {
            (Some((kind, reason)), Some(addr)) => self.peer.refusals().tls(addr, kind, &reason),
            _ => tracing::debug!(peer = %self.peer.member, %error, "reading failed"),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(socket) = self.read.plain()
            && let Some(length) = self.linger.read(socket, &mut self.buffer)
        {
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
