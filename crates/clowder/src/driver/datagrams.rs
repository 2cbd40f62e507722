//! Messages that leave as datagrams: one for each target, or one for the whole multicast group.
//!
//! What asks for no acknowledgement leaves on a shared socket, from the caller's thread. What asks for one has a socket
//! of its own until it is answered: an acknowledgement names no message, so that its port alone tells which one it
//! belongs to.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use clowder_proto::link::{Failure, Outcome};
use clowder_proto::wire::{Ack, FrameDecoder, Limits, Member, MemberId};
use tokio::sync::{Semaphore, watch};

use super::env::Env;
use super::mcast::{self, MulticastError};
use super::net;
use super::room::Room;
use super::waiters::Then;
use crate::membership::Multicast;
use crate::transport::DatagramOptions;

/// Bytes of a frame that one datagram takes: what is left of 65,535 by the headers of IP and UDP.
const FRAME_MAX_V4: usize = 65_507;
/// IPv6 does not count its own header.
const FRAME_MAX_V6: usize = 65_527;
/// What a waiting datagram costs beside its frame, so that many small ones are bounded too.
const WAITING_BYTES: usize = 1 << 10;
/// Room for an acknowledgement, and for what is none.
const ANSWER_BYTES: usize = 512;
/// The datagram is longer than the system takes (Linux).
const EMSGSIZE: i32 = 90;

/// A channel's outgoing datagrams.
pub(crate) struct Datagrams {
    options: DatagramOptions,
    group: Option<Shared>,
    /// For targets of IPv4 and of IPv6, opened when they are wanted.
    unacked: [OnceLock<Arc<UdpSocket>>; 2],
    /// Sockets that may wait for an acknowledgement.
    sockets: Semaphore,
    /// For bytes that wait.
    room: Room,
    closed: watch::Sender<bool>,
}

struct Shared {
    socket: Arc<UdpSocket>,
    group: SocketAddr,
}

/// Where a datagram goes, with everything checked that can be.
pub(crate) struct Destination {
    addr: SocketAddr,
    /// Whom it concerns if it fails; none for the group.
    member: Option<MemberId>,
    /// None: one of its own, on which the acknowledgement comes.
    socket: Option<Arc<UdpSocket>>,
}

impl Datagrams {
    /// # Errors
    /// There is a multicast group, and nothing can be sent to it.
    pub(crate) fn new(
        options: DatagramOptions,
        multicast: Option<&Multicast>,
        sockets_max: usize,
        room_max: usize,
    ) -> Result<Datagrams, MulticastError> {
        let group = multicast.map(|config| {
            let failed = |source| MulticastError::new(config, "send messages", source);
            let socket = mcast::open_sender(config)?;
            options.apply(&socket).map_err(failed)?;
            Ok(Shared { socket: Arc::new(socket), group: config.group })
        });
        Ok(Datagrams {
            options,
            group: group.transpose()?,
            unacked: [OnceLock::new(), OnceLock::new()],
            sockets: Semaphore::new(sockets_max.clamp(1, Semaphore::MAX_PERMITS)),
            room: Room::new(room_max),
            closed: watch::Sender::new(false),
        })
    }

    /// The way of a frame to everybody.
    pub(crate) fn to_group(&self, bytes: usize) -> Result<Destination, Failure> {
        let Shared { socket, group } = self.group.as_ref().ok_or(Failure::NoMulticast)?;
        check_size(*group, bytes)?;
        Ok(Destination { addr: *group, member: None, socket: Some(Arc::clone(socket)) })
    }

    /// The way of a frame to a member.
    pub(crate) fn to_member(&self, member: &Member, bytes: usize, acked: bool) -> Result<Destination, Failure> {
        let addr = member.udp_addr().ok_or(Failure::NoUdpPort)?;
        check_size(addr, bytes)?;
        let socket = if acked { None } else { Some(self.shared(addr).map_err(|_| Failure::Connect)?) };
        Ok(Destination { addr, member: Some(member.id.clone()), socket })
    }

    fn shared(&self, to: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let place = &self.unacked[usize::from(to.is_ipv6())];
        if let Some(socket) = place.get() {
            return Ok(Arc::clone(socket));
        }
        let socket = Arc::new(self.open(to)?);
        Ok(Arc::clone(place.get_or_init(|| socket)))
    }

    /// A socket that does not block, for targets of this family.
    fn open(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let any: SocketAddr =
            if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        self.options.apply(&socket)?;
        Ok(socket)
    }

    /// Reserve room for a frame, if there is any now; [`send`] spends it.
    pub(crate) fn try_reserve(&self, bytes: usize) -> bool {
        self.room.try_reserve(bytes + WAITING_BYTES)
    }

    /// Reserve room for a frame. False: the channel is closed.
    pub(crate) async fn reserve(&self, bytes: usize) -> bool {
        self.room.reserve(bytes + WAITING_BYTES).await
    }

    /// Give back what was reserved.
    pub(crate) fn unreserve(&self, bytes: usize) {
        self.room.give_back(bytes + WAITING_BYTES);
    }

    /// Nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.room.is_unused()
    }

    /// What waits fails, now and later.
    pub(crate) fn close(&self) {
        self.room.close();
        self.closed.send_replace(true);
    }

    /// A datagram with an acknowledgement, or none if the peer gave none in time.
    async fn exchange(&self, to: SocketAddr, frame: &Bytes, env: &Env) -> Outcome {
        let Ok(_permit) = self.sockets.acquire().await else { return Outcome::Failed(Failure::Closed) };
        let exchanged = async {
            let socket = net::UdpSocket::from_std(self.open(to)?)?;
            // Nobody else is heard, and a port without a receiver is an error.
            socket.connect(to).await?;
            socket.send(frame).await?;
            answer(&socket).await
        };
        match tokio::time::timeout(env.timeouts.send, exchanged).await {
            Err(_) => Outcome::Failed(Failure::Timeout),
            Ok(Err(error)) => Outcome::Failed(failure(to, &error)),
            Ok(Ok(Ack::Failed)) if env.link.failed_ack_is_error => Outcome::Failed(Failure::RemoteProcess),
            Ok(Ok(_)) => Outcome::Delivered,
        }
    }

    /// Tomcat: `NioSender`, as over TCP: tried again after an error or a negative acknowledgement, not after silence.
    async fn attempts(&self, to: SocketAddr, frame: &Bytes, env: &Env) -> Outcome {
        let mut retries = 0;
        loop {
            let outcome = self.exchange(to, frame, env).await;
            let again = matches!(outcome, Outcome::Failed(Failure::RemoteProcess | Failure::Connect));
            if !again || retries == env.link.retries_max {
                return outcome;
            }
            retries += 1;
            env.metrics.retries.increment(1);
        }
    }
}

/// The acknowledgement; what is none is passed over.
async fn answer(socket: &net::UdpSocket) -> io::Result<Ack> {
    let mut buffer = [0; ANSWER_BYTES];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let mut decoder = FrameDecoder::new(&Limits { frame_bytes_max: ANSWER_BYTES, ..Limits::default() });
        decoder.buffer().extend_from_slice(&buffer[..length]);
        if let Ok(Some(content)) = decoder.next()
            && let Some(ack) = Ack::decode(&content)
        {
            return Ok(ack);
        }
    }
}

/// Send a frame with reserved room; `then` is told at `index`, now or later.
pub(crate) fn send(env: &Arc<Env>, to: Destination, frame: Bytes, then: Arc<Then>, index: usize) {
    let Some(socket) = &to.socket else {
        let env = Arc::clone(env);
        env.handle.clone().spawn(async move {
            let mut closed = env.datagrams.closed.subscribe();
            let outcome = tokio::select! {
                outcome = env.datagrams.attempts(to.addr, &frame, &env) => outcome,
                _ = closed.wait_for(|closed| *closed) => Outcome::Failed(Failure::Closed),
            };
            finish(&env, &to, frame.len(), outcome, &then, index);
        });
        return;
    };
    let outcome = match socket.send_to(&frame, to.addr) {
        Ok(_) => Outcome::Written,
        Err(error) => Outcome::Failed(failure(to.addr, &error)),
    };
    finish(env, &to, frame.len(), outcome, &then, index);
}

fn finish(env: &Env, to: &Destination, bytes: usize, outcome: Outcome, then: &Then, index: usize) {
    env.datagrams.unreserve(bytes);
    if let Outcome::Failed(failure) = outcome {
        match &to.member {
            Some(member) => env.count_failure(member, failure),
            None => crate::metrics::failed(failure),
        }
    } else {
        env.metrics.sent.increment(1);
        env.metrics.sent_bytes.increment(bytes as u64);
    }
    then.done(index, outcome);
}

/// Differs from Tomcat: an I/O error and a retry there, after which the connection to that member is of no use.
/// Test: what_does_not_fit_one_datagram_fails_with_the_limit.
fn check_size(to: SocketAddr, bytes: usize) -> Result<(), Failure> {
    let limit = if to.is_ipv4() { FRAME_MAX_V4 } else { FRAME_MAX_V6 };
    if bytes > limit { Err(Failure::DatagramTooLarge) } else { Ok(()) }
}

fn failure(to: SocketAddr, error: &io::Error) -> Failure {
    tracing::debug!(%to, %error, "a datagram could not be sent");
    match error.kind() {
        io::ErrorKind::WouldBlock => Failure::QueueFull,
        _ if error.raw_os_error() == Some(EMSGSIZE) => Failure::DatagramTooLarge,
        _ => Failure::Connect,
    }
}
