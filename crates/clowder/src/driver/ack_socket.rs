//! Where the acknowledgements of received messages go.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll};

use clowder_proto::wire::Ack;

use super::net::WriteHalf;

/// The other end of a connection, or of a datagram.
pub(crate) enum AckSocket {
    /// A connection with a task: it writes what the socket did not take.
    Task(WriteHalf),
    /// A connection with a thread, which may be waiting for bytes; its writes wait a moment at most.
    Thread(Arc<TcpStream>),
    /// The source of a datagram; the socket does not block.
    Datagram { socket: Arc<UdpSocket>, to: SocketAddr },
}

impl AckSocket {
    /// Write some of these acknowledgements.
    pub(super) fn write(&self, acks: &[u8]) -> io::Result<usize> {
        match self {
            AckSocket::Task(half) => half.try_write(acks),
            AckSocket::Thread(stream) => (&**stream).write(acks),
            AckSocket::Datagram { socket, to } => {
                // Tomcat: a datagram for each. One that does not leave is lost like any other.
                let one = acks.len().min(Ack::Ok.frame().len());
                let _ = socket.send_to(&acks[..one], *to);
                Ok(one)
            }
        }
    }

    /// True: nothing that was written waits for the socket.
    pub(super) fn flush(&self) -> io::Result<bool> {
        match self {
            AckSocket::Task(half) => half.try_flush(),
            AckSocket::Thread(_) | AckSocket::Datagram { .. } => Ok(true),
        }
    }

    /// The task of the connection is woken when the socket takes more. A thread looks by itself.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // An error shows again, by name, in the next write.
            AckSocket::Task(half) => half.poll_write_ready(cx).map(drop),
            AckSocket::Thread(_) => Poll::Pending,
            AckSocket::Datagram { .. } => Poll::Ready(()),
        }
    }

    /// End the connection, also for a thread that waits for bytes.
    pub(super) fn shut(self) {
        if let AckSocket::Thread(stream) = self {
            let _ = stream.shutdown(Shutdown::Both); // it was already
        }
    }
}
