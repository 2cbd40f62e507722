//! A moment of waiting before a task gives its thread back.
//!
//! To sleep and to be woken takes longer than a peer on the same network takes to answer. So after a lone message the
//! task of its connection looks for the next bytes a little longer, while it lets other threads run. It does so only if
//! no other connection was heard since, and after a moment in vain it does so less and less often.

use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::net::TcpStream;

/// Longer than an answer takes on one machine, and shorter than anybody notices.
const MOMENT: Duration = Duration::from_micros(40);
/// After so many moments in vain in a row, one of 2^8 lone messages is followed by one.
const MISSES_MAX: u32 = 8;

/// Whose bytes came last, of all connections of a channel.
#[derive(Debug, Default)]
pub(crate) struct LastHeard {
    connection: AtomicU64,
    connections: AtomicU64,
}

/// One connection's habit.
#[derive(Debug)]
pub(crate) struct Linger {
    connection: u64,
    /// The next read lingers.
    ready: bool,
    misses: u32,
    skip: u32,
}

impl Linger {
    pub(crate) fn new(last: &LastHeard) -> Linger {
        Linger { connection: last.connections.fetch_add(1, Relaxed) + 1, ready: false, misses: 0, skip: 0 }
    }

    /// So many messages came. True: come back when whoever they concern has had a turn, and the read will linger.
    pub(crate) fn heard(&mut self, last: &LastHeard, messages: usize) -> bool {
        let alone = last.connection.swap(self.connection, Relaxed) == self.connection;
        if !alone || messages != 1 {
            return false;
        }
        self.ready = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        self.ready
    }

    /// The length of what comes within a moment. `None`: nothing did, or the end, which the next ordinary read shows.
    pub(crate) fn read(&mut self, socket: &TcpStream, buffer: &mut [u8]) -> Option<usize> {
        if !std::mem::take(&mut self.ready) {
            return None;
        }
        let end = Instant::now() + MOMENT;
        let socket = SockRef::from(socket);
        loop {
            match (&*socket).read(buffer) {
                Ok(length) if length > 0 => {
                    self.misses = 0;
                    return Some(length);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                    std::thread::yield_now();
                }
                _ => {
                    self.misses = (self.misses + 1).min(MISSES_MAX);
                    self.skip = 1 << self.misses;
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::driver::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, to)
    }

    #[tokio::test]
    async fn what_comes_after_a_lone_message_is_read_at_once() {
        let (here, mut there) = pair().await;
        let (last, mut buffer) = (LastHeard::default(), [0; 8]);
        let mut linger = Linger::new(&last);
        assert!(!linger.heard(&last, 1), "another one, or nobody, was heard last");
        there.write_all(b"ack").await.unwrap();
        assert_eq!(linger.read(&here, &mut buffer), None, "nothing said that it is worth it");
        assert!(linger.heard(&last, 1));
        assert_eq!(linger.read(&here, &mut buffer), Some(3));
        assert!(!linger.heard(&last, 2), "with many messages the thread has other work");
    }

    #[tokio::test]
    async fn moments_in_vain_become_rarer_and_one_that_was_not_counts_from_the_start() {
        let (here, mut there) = pair().await;
        let (last, mut buffer) = (LastHeard::default(), [0; 8]);
        let mut linger = Linger::new(&last);
        linger.heard(&last, 1);
        let mut pauses = Vec::new();
        for _ in 0..3 {
            pauses.push((0..).take_while(|_| !linger.heard(&last, 1)).count());
            assert_eq!(linger.read(&here, &mut buffer), None);
        }
        assert_eq!(pauses, [0, 2, 4]);
        there.write_all(b"ack").await.unwrap();
        while !linger.heard(&last, 1) {}
        assert_eq!(linger.read(&here, &mut buffer), Some(3));
        assert!(linger.heard(&last, 1));
    }

    #[tokio::test]
    async fn two_busy_connections_do_not_linger() {
        let last = LastHeard::default();
        let (mut one, mut other) = (Linger::new(&last), Linger::new(&last));
        for _ in 0..3 {
            assert!(!one.heard(&last, 1) && !other.heard(&last, 1));
        }
    }
}
