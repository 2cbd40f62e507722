//! The receiver with a thread for each connection: the same as with tasks, but that reading blocks. Tomcat had it as
//! `BioReceiver` up to its release 8.5.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ack_socket::AckSocket;
use super::acks::Turn;
use super::env::Env;
use super::inbound::Inbound;
use super::net;

/// How often a thread that waits for bytes or for room looks whether there is something else to do: acknowledgements
/// that its peer did not read before.
const LOOK: Duration = Duration::from_millis(500);
/// How long whoever processed a message waits for its peer to read the acknowledgement; beyond, it is left to the
/// thread.
const WRITE_MAX: Duration = Duration::from_millis(1);
/// Room for one read.
const READ_BYTES: usize = 64 << 10;

/// So many threads at most.
pub(super) struct Threads {
    free: Arc<Semaphore>,
}

impl Threads {
    pub(super) fn new(max: usize) -> Threads {
        Threads { free: Arc::new(Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// Waits for a thread: until the one that was closed for this connection has finished its messages.
    pub(super) async fn serve(&self, env: &Arc<Env>, stream: net::TcpStream, peer: SocketAddr) -> io::Result<()> {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(io::Error::other)?;
        env.sockets.accepted.apply(&stream)?;
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(WRITE_MAX))?;
        let stream = Arc::new(stream);
        let acks = env.registry.connection(env, peer, AckSocket::Thread(Arc::clone(&stream)));
        let inbound = Inbound::plain(Arc::clone(env), acks);
        let handle = env.handle.clone();
        thread::Builder::new().name(format!("clowder {peer}")).spawn(move || {
            // What the application starts from here runs on the runtime, as it does from a task.
            let _on_the_runtime = handle.enter();
            run(inbound, &stream, permit);
        })?;
        Ok(())
    }
}

/// Serves the connection until it ends or breaks the protocol.
fn run(mut inbound: Inbound, stream: &TcpStream, _permit: OwnedSemaphorePermit) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match inbound.acks.turn(&mut cx) {
            Turn::Read if inbound.env.budget.has_room(&waker) => inbound.acks.hold_back(false),
            Turn::Read | Turn::Wait => {
                inbound.acks.hold_back(true);
                thread::park_timeout(LOOK);
                continue;
            }
            Turn::Closed => break,
        }
        let count = match (&*stream).read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if is_no_end(&error) => continue,
            Err(_) => break,
        };
        inbound.buffer().extend_from_slice(&buffer[..count]);
        if let Err(error) = inbound.received(count) {
            error.tell(&inbound);
            break;
        }
    }
    // Nothing more is read; what was asked before is still answered.
    let acks = Arc::clone(&inbound.acks);
    drop(inbound);
    acks.end();
    while !matches!(acks.turn(&mut cx), Turn::Closed) {
        thread::park_timeout(LOOK);
    }
}

/// Nothing came yet.
fn is_no_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Wakes a thread that waits for room or for answers to write.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
