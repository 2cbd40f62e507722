//! A network that remembers what went over it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where it ends, which may be decided after others know where it begins.
pub(super) struct Recorder {
    listener: TcpListener,
    recorded: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    pub(super) async fn new() -> Recorder {
        Recorder { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), recorded: Arc::default() }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Forwards from now on. Returns what both directions carry.
    pub(super) fn forward(self, to: SocketAddr) -> Arc<Mutex<Vec<u8>>> {
        let recorded = Arc::clone(&self.recorded);
        tokio::spawn(async move {
            while let Ok((near, _)) = self.listener.accept().await {
                let far = TcpStream::connect(to).await.unwrap();
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                tokio::spawn(copy(near_read, far_write, Arc::clone(&self.recorded)));
                tokio::spawn(copy(far_read, near_write, Arc::clone(&self.recorded)));
            }
        });
        recorded
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, recorded: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        recorded.lock().unwrap().extend_from_slice(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

pub(super) fn contains(recorded: &Mutex<Vec<u8>>, needle: &[u8]) -> bool {
    recorded.lock().unwrap().windows(needle.len()).any(|window| window == needle)
}
