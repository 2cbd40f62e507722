//! Probes over TCP and the connections that are watched. No decisions: what they mean is the group's.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clowder_proto::group::{Probe, ProbeFailure, ProbeId, Verdict};
use clowder_proto::wire::{Ack, FRAME_OVERHEAD, FrameDecoder, Limits, MemberId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Content of the longest answer to a probe.
const ANSWER_MAX: usize = 3;
/// What a peer may write to a watched connection at a time; it is thrown away.
const WATCH_BUFFER: usize = 512;
/// Connections that one probe tries to make, as long as none of them is answered.
const CONNECTS: u32 = 4;
/// Time for a notice to be written.
const WRITE_TIMEOUT: Duration = Duration::from_millis(1000);

/// The result of one probe. An answered one brings its connection along.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) id: ProbeId,
    pub(crate) verdict: Verdict,
    pub(crate) stream: Option<TcpStream>,
}

/// Find out whether somebody lives.
///
/// Tomcat: `TcpFailureDetector.memberAlive`: connect, write the probe, perhaps wait for an answer.
/// Differs from Tomcat: the answer must be an acknowledgement; there any byte will do.
/// Test: only_an_acknowledgement_counts_as_an_answer.
pub(crate) async fn probe(probe: Probe) -> Probed {
    let (verdict, stream) = match attempt(&probe).await {
        Ok(stream) => (Verdict::Alive, Some(stream)),
        Err(verdict) => (verdict, None),
    };
    Probed { id: probe.id, verdict, stream }
}

async fn attempt(probe: &Probe) -> Result<TcpStream, Verdict> {
    let dead = Verdict::Dead;
    let addr = probe.member.id.socket_addr().ok_or(dead(ProbeFailure::Unreachable))?;
    let connected = timeout(probe.connect_timeout, connect(addr, probe.connect_timeout / CONNECTS)).await;
    let mut stream = connected.map_err(|_| dead(ProbeFailure::ConnectTimeout))?.map_err(|error| judge(&error))?;
    let _ = stream.set_nodelay(true); // only speed
    let Some(frame) = &probe.frame else { return Ok(stream) };
    let written = timeout(probe.connect_timeout, stream.write_all(frame)).await;
    written.map_err(|_| dead(ProbeFailure::NoAnswer))?.map_err(|error| judge(&error))?;
    if let Some(read_timeout) = probe.read_timeout {
        let answered = timeout(read_timeout, answer(&mut stream)).await;
        answered.map_err(|_| dead(ProbeFailure::NoAnswer))?.map_err(dead)?;
    }
    Ok(stream)
}

/// Connect; whenever nothing came back for `pause`, try once more beside the tries that are under way. The system sends
/// a lost packet of one try again only after a second, which is the time that the whole probe has.
async fn connect(addr: SocketAddr, pause: Duration) -> io::Result<TcpStream> {
    let mut tries = JoinSet::new();
    tries.spawn(TcpStream::connect(addr));
    loop {
        let more = (tries.len() as u32) < CONNECTS;
        tokio::select! {
            Some(connected) = tries.join_next() => return connected.map_err(io::Error::other)?,
            () = tokio::time::sleep(pause), if more => drop(tries.spawn(TcpStream::connect(addr))),
        }
    }
}

/// Wait for an acknowledgement; a failed one is a sign of life, too.
async fn answer(stream: &mut TcpStream) -> Result<(), ProbeFailure> {
    let limits = Limits { frame_bytes_max: ANSWER_MAX, ..Limits::default() };
    let mut decoder = FrameDecoder::new(&limits);
    loop {
        match decoder.next() {
            Ok(Some(content)) => {
                return Ack::decode(&content).map(drop).ok_or(ProbeFailure::BadAnswer);
            }
            Ok(None) => {}
            Err(_) => return Err(ProbeFailure::BadAnswer),
        }
        debug_assert!(decoder.pending() <= ANSWER_MAX + FRAME_OVERHEAD, "a longer frame is refused by its header");
        match stream.read_buf(decoder.buffer()).await {
            Ok(0) => return Err(ProbeFailure::Closed),
            Ok(_) => {}
            Err(_) => return Err(ProbeFailure::Closed),
        }
    }
}

/// Whose fault an error is. What this node lacks accuses nobody.
fn judge(error: &io::Error) -> Verdict {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Verdict::Dead(ProbeFailure::Refused),
        Kind::TimedOut => Verdict::Dead(ProbeFailure::ConnectTimeout),
        Kind::HostUnreachable | Kind::NetworkUnreachable => Verdict::Dead(ProbeFailure::Unreachable),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Verdict::Dead(ProbeFailure::Closed),
        // No port, no memory, no permission; the rest by its number: no file descriptor in the process, in the system.
        Kind::AddrNotAvailable | Kind::AddrInUse | Kind::OutOfMemory | Kind::PermissionDenied => Verdict::Inconclusive,
        _ if matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS)) => Verdict::Inconclusive,
        _ => Verdict::Dead(ProbeFailure::Failed),
    }
}

// The same numbers on every system that has them at all, but for the last (Linux).
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;

/// Hold a connection until it ends or `notices` is dropped; write what comes through it. True: the peer ended it.
pub(crate) async fn watch(mut stream: TcpStream, mut notices: mpsc::Receiver<Bytes>) -> bool {
    let mut waste = [0; WATCH_BUFFER];
    loop {
        tokio::select! {
            biased;
            notice = notices.recv() => {
                let Some(frame) = notice else {
                    let _ = stream.shutdown().await; // the peer sees the end either way
                    return false;
                };
                if !matches!(timeout(WRITE_TIMEOUT, stream.write_all(&frame)).await, Ok(Ok(()))) {
                    return true;
                }
            }
            read = stream.read(&mut waste) => {
                if !matches!(read, Ok(read) if read > 0) {
                    return true;
                }
            }
        }
    }
}

/// Write one frame on a connection of its own.
///
/// Tomcat delivers what arrived before the end of a connection, so nothing needs to be awaited.
pub(crate) async fn send_once(member: MemberId, frame: Bytes) {
    let Some(addr) = member.socket_addr() else { return };
    let sent = timeout(WRITE_TIMEOUT, async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(&frame).await?;
        stream.shutdown().await
    });
    if let Ok(Err(error)) = sent.await {
        tracing::debug!(%member, %error, "a notice could not be sent");
    }
}

/// Write these frames on a connection of its own, to somebody of whom only the address is known. False: there was no
/// connection, or nothing to write.
pub(crate) async fn contact(to: MemberId, frames: Vec<Bytes>, connect_timeout: Duration) -> (MemberId, bool) {
    let Some(addr) = to.socket_addr().filter(|_| !frames.is_empty()) else { return (to, false) };
    let Ok(Ok(mut stream)) = timeout(connect_timeout, TcpStream::connect(addr)).await else { return (to, false) };
    let sent = timeout(WRITE_TIMEOUT, async {
        for frame in &frames {
            stream.write_all(frame).await?;
        }
        stream.shutdown().await
    });
    let reached = matches!(sent.await, Ok(Ok(())));
    (to, reached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clowder_proto::wire::Member;
    use tokio::net::TcpListener;

    fn asking(addr: std::net::SocketAddr, read_timeout: Option<Duration>) -> Probe {
        Probe {
            id: ProbeId(7),
            member: Member::new(addr, [1; 16]),
            frame: Some(Bytes::from_static(b"probe")),
            connect_timeout: Duration::from_secs(5),
            read_timeout,
        }
    }

    /// A peer that reads the probe, writes `answer` and closes.
    async fn verdict_for(answer: &'static [u8]) -> Verdict {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut probe = [0; 5];
            stream.read_exact(&mut probe).await.unwrap();
            stream.write_all(answer).await.unwrap();
        });
        let probed = probe(asking(addr, Some(Duration::from_secs(30)))).await;
        peer.await.unwrap();
        assert_eq!(probed.stream.is_some(), probed.verdict == Verdict::Alive);
        probed.verdict
    }

    #[tokio::test]
    async fn only_an_acknowledgement_counts_as_an_answer() {
        assert_eq!(verdict_for(Ack::Ok.frame()).await, Verdict::Alive);
        assert_eq!(verdict_for(Ack::Failed.frame()).await, Verdict::Alive);
        assert_eq!(verdict_for(b"\0").await, Verdict::Dead(ProbeFailure::BadAnswer));
        assert_eq!(verdict_for(b"").await, Verdict::Dead(ProbeFailure::Closed));
        assert_eq!(verdict_for(b"FLT2002\0\0\0\x03\x01\x02\x03TLF2003").await, Verdict::Dead(ProbeFailure::BadAnswer));
        assert_eq!(verdict_for(b"FLT2002\x7f\xff\xff\xff").await, Verdict::Dead(ProbeFailure::BadAnswer));
    }

    #[tokio::test]
    async fn silence_after_the_probe_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        // Nobody accepts; the kernel does, as for a process that hangs.
        let probed = probe(asking(addr, Some(Duration::from_millis(20)))).await;
        assert_eq!(probed.verdict, Verdict::Dead(ProbeFailure::NoAnswer));
        // Without the read test, the same peer is alive.
        assert_eq!(probe(asking(addr, None)).await.verdict, Verdict::Alive);
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(probe(asking(addr, None)).await.verdict, Verdict::Dead(ProbeFailure::Refused));
    }

    #[test]
    fn what_this_node_lacks_accuses_nobody() {
        for number in [EMFILE, ENFILE, ENOBUFS] {
            assert_eq!(judge(&io::Error::from_raw_os_error(number)), Verdict::Inconclusive);
        }
        assert_eq!(judge(&io::ErrorKind::AddrNotAvailable.into()), Verdict::Inconclusive);
        assert_eq!(judge(&io::ErrorKind::HostUnreachable.into()), Verdict::Dead(ProbeFailure::Unreachable));
    }

    #[tokio::test]
    async fn a_watched_connection_carries_notices_and_reports_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let (notices, receiver) = mpsc::channel(1);
        let watching = tokio::spawn(watch(stream, receiver));
        peer.write_all(b"late acknowledgements are ignored").await.unwrap();
        notices.send(Bytes::from_static(b"notice")).await.unwrap();
        let mut read = [0; 6];
        peer.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"notice");
        drop(peer);
        assert!(watching.await.unwrap(), "the peer ended it");
    }

    #[tokio::test]
    async fn a_watch_that_is_given_up_ends_in_silence() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let (notices, receiver) = mpsc::channel::<Bytes>(1);
        let watching = tokio::spawn(watch(stream, receiver));
        drop(notices);
        assert!(!watching.await.unwrap());
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }
}
