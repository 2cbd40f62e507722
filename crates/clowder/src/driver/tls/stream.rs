//! The bytes of one TLS connection after its handshake, as two halves that never wait inside of a call.
//!
//! Invariant: nothing new is encrypted while something encrypted waits for the socket, so what is held is bounded by
//! one write. Whoever is told that the socket is full comes back when it is not; the reading half sends what TLS itself
//! has to say.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::task::coop::poll_proceed;
use tokio_rustls::rustls::Connection;

use crate::driver::net::{self, TcpStream};

struct Shared {
    socket: TcpStream,
    tls: Mutex<Connection>,
}

/// What comes, decrypted.
pub(crate) struct ReadHalf(Arc<Shared>);

/// What goes. Dropping it says so to the other side.
pub(crate) struct WriteHalf(Arc<Shared>);

/// Both directions of a connection whose handshake is done.
pub(super) fn split(socket: TcpStream, tls: Connection) -> (net::ReadHalf, net::WriteHalf) {
    let shared = Arc::new(Shared { socket, tls: Mutex::new(tls) });
    (net::ReadHalf::Tls(ReadHalf(Arc::clone(&shared))), net::WriteHalf::Tls(WriteHalf(shared)))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True: the system has everything.
    fn flush(&self, tls: &mut Connection) -> io::Result<bool> {
        while tls.wants_write() {
            match tls.write_tls(&mut Socket(&self.socket)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Read and decrypt what there is. The reader of the connection has it, or the end, or needs more.
    fn receive(&self, tls: &mut Connection) -> io::Result<()> {
        tls.read_tls(&mut Socket(&self.socket))?;
        let processed = tls.process_new_packets();
        // An alert says why, a key update wants its answer. If the socket is full, the next write sends it.
        let flushed = self.flush(tls);
        processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        flushed.map(drop)
    }
}

impl ReadHalf {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let turn = ready!(poll_proceed(cx));
        let mut tls = self.0.lock();
        loop {
            match tls.reader().read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    turn.made_progress();
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            match self.0.receive(&mut tls) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.0.socket.poll_read_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl WriteHalf {
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut tls = self.0.lock();
        if !self.0.flush(&mut tls)? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = tls.writer().write_vectored(slices)?;
        self.0.flush(&mut tls)?;
        Ok(count)
    }

    pub(crate) fn try_flush(&self) -> io::Result<bool> {
        self.0.flush(&mut self.0.lock())
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.socket.poll_write_ready(cx)
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        let mut tls = self.0.lock();
        tls.send_close_notify();
        // If they fail, the other side sees an end without goodbye.
        let _ = self.0.flush(&mut tls);
        let _ = SockRef::from(&self.0.socket).shutdown(Shutdown::Write);
    }
}

/// The socket as rustls wants it: errors instead of waiting.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
