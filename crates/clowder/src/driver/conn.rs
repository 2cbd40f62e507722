//! The task of one inbound connection.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncReadExt;

use super::acks::{Acks, Turn};
use super::env::Env;
use super::inbound::{Inbound, Violation};
use super::linger::Linger;
use super::net::ReadHalf;

/// Room for what comes while the task lingers; more of it is read as usual.
const LINGER_BYTES: usize = 4 << 10;

/// Serves the connection until it ends or breaks the protocol.
pub(super) async fn run(env: Arc<Env>, acks: Arc<Acks>, read: ReadHalf) {
    let linger = Linger::new(&env.last_heard);
    let inbound = match read.plain() {
        Some(_) => Inbound::plain(env, acks),
        None => Inbound::secure(env, acks),
    };
    let mut conn = Conn { inbound, read, linger };
    let end = std::future::poll_fn(|cx| conn.poll(cx)).await;
    let Conn { inbound, read, .. } = conn;
    if let End::Broken(violation) = &end {
        violation.tell(&inbound);
    }
    // Nothing more is read; what was asked before is still answered.
    drop(read);
    let acks = Arc::clone(&inbound.acks);
    drop(inbound);
    acks.end();
    std::future::poll_fn(|cx| match acks.turn(cx) {
        Turn::Closed => Poll::Ready(()),
        Turn::Read | Turn::Wait => Poll::Pending,
    })
    .await;
}

enum End {
    /// The peer said so, or the connection broke.
    Closed,
    Broken(Violation),
}

struct Conn {
    inbound: Inbound,
    read: ReadHalf,
    linger: Linger,
}

impl Conn {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let Inbound { env, acks, .. } = &self.inbound;
            match acks.turn(cx) {
                Turn::Read if env.budget.has_room(cx.waker()) => acks.hold_back(false),
                Turn::Read | Turn::Wait => {
                    acks.hold_back(true);
                    return Poll::Pending;
                }
                Turn::Closed => return Poll::Ready(End::Closed),
            }
            let count = match self.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(End::Closed),
                Poll::Ready(Ok(count)) => count,
            };
            let messages = match self.inbound.received(count) {
                Ok(messages) => messages,
                Err(error) => return Poll::Ready(End::Broken(error)),
            };
            if self.linger.heard(&self.inbound.env.last_heard, messages) {
                // Behind whoever processes the message.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let mut few = [0; LINGER_BYTES];
        if let Some(socket) = self.read.plain()
            && let Some(count) = self.linger.read(socket, &mut few)
        {
            self.inbound.buffer().extend_from_slice(&few[..count]);
            return Poll::Ready(Ok(count));
        }
        pin!(self.read.read_buf(self.inbound.roomy_buffer())).poll(cx)
    }
}
