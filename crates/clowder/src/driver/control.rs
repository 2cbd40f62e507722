//! The control task: one task, one [`Group`], and the sockets that the group's decisions need.
//!
//! Everything that can happen is one [`Event`]; the loop waits for one, tells the group, and does what it asks.
//! Nothing is awaited in between, so no probe and no slow peer delays a change of the view.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::chain::{Body, Chain, Context, Control as Place, Draft};
use clowder_proto::group::{
    DetectorConfig, Group, GroupOut, Listed, Notice, ProbeId, SendFailure, ServiceMessage, Source, Verdict, ViewUpdate,
};
use clowder_proto::wire::{Limits, Member, MemberId, Message};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::drops::DropLog;
use super::mcast::{self, MulticastError};
use super::probe::{self, Probed};
use super::random;
use super::unicast::{Unicast, UnicastError};
use crate::discovery::Searches;
use crate::membership::{MembershipConfig, Multicast};
use crate::view::{View, ViewChanges, Views};

/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_536;
/// Notices that wait for one watched connection; a member gets two in its life.
const NOTICES_MAX: usize = 4;
/// Connections at a time that carry one notice each; beyond, notices are dropped and counted.
const NOTICE_CONNECTIONS_MAX: usize = 1024;
/// Messages in datagrams that wait for their reader; beyond, they are dropped, as datagrams are.
const DATAGRAM_MESSAGES_MAX: usize = 1024;
/// Time that the last notices have to leave.
const STOP_MAX: Duration = Duration::from_millis(200);
/// Failed sends in a row after which the socket is opened anew. Tomcat: `recoveryCounter`.
const SEND_ERRORS_MAX: u32 = 10;

/// Membership cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The multicast socket cannot be used.
    #[error(transparent)]
    Multicast(#[from] MulticastError),
    /// The socket for heartbeats to addresses cannot be used.
    #[error(transparent)]
    Unicast(#[from] UnicastError),
}

/// What the data plane sees of members.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// A message could not be delivered.
    SendFailed { member: MemberId, cause: SendFailure },
    /// A connection to a member ended, and this node did not end it.
    ConnectionLost { member: MemberId },
    /// A message arrived with this record as its sender. Once per connection is enough.
    Heard { member: Member },
}

/// How much of the group this node has seen since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sight {
    /// Nobody's first probe is open.
    settled: bool,
    has_members: bool,
}

enum Command {
    Report(Report),
    Notice(Member, Notice),
    Service(Member, Box<ServiceMessage>),
    Named(Member, oneshot::Sender<bool>),
    Stop,
}

/// The handle of the control task. Dropping it stops the node as [`Control::stop`] does, without waiting.
pub(crate) struct Control {
    views: Arc<Views>,
    commands: mpsc::Sender<Command>,
    detector: DetectorConfig,
    ended: watch::Receiver<bool>,
    sight: watch::Receiver<Sight>,
    /// When somebody who is there would have been heard.
    discovered_at: Instant,
    datagrams: Mutex<Option<mpsc::Receiver<Message>>>,
    membership_id: Option<Bytes>,
}

impl Control {
    /// Start membership. The receiver of `local` must be accepting connections by now. Must be called on a tokio
    /// runtime.
    ///
    /// # Errors
    /// Heartbeats are configured and their socket cannot be used; the error names the remedy.
    pub(crate) fn start(
        config: MembershipConfig,
        chain: Chain,
        local: Member,
        limits: Limits,
        mut searches: Searches,
    ) -> Result<Control, StartError> {
        let unicast = config.unicast.clone().map(Unicast::open).transpose()?;
        let socket = config.multicast.as_ref().map(mcast::open).transpose()?;
        let group_config = config.group(&limits, fastrand::u64(..));
        let membership_id = group_config.service.as_ref().map(|service| service.membership_id.clone());
        let mut group = Group::new(group_config, local.clone(), now());
        while let Some((source, list)) = searches.take_early() {
            group.discovered(now(), source, &list);
        }
        let mut pending = Vec::new();
        while let Some(out) = group.poll() {
            match (&out, &socket, &config.multicast) {
                // The first heartbeat leaves here, so that a group without a route is an error of the start.
                (GroupOut::Multicast(datagram), Some(socket), Some(multicast)) => {
                    let sent = socket.send_to(datagram, multicast.group);
                    sent.map_err(|source| MulticastError::new(multicast, "send a heartbeat", source))?;
                    if let Some(unicast) = &unicast {
                        unicast.send(datagram.clone());
                    }
                }
                _ => pending.push(out),
            }
        }
        let open = |socket| UdpSocket::from_std(socket);
        let socket = socket.map(open).transpose().map_err(|source| {
            let multicast = config.multicast.as_ref().expect("a socket is opened for multicast only");
            MulticastError::new(multicast, "watch the socket", source)
        })?;
        let views = Arc::new(Views::new(local, config.changes_max));
        let (commands, inbox) = mpsc::channel(config.reports_max.max(1));
        let (datagrams, datagrams_inbox) = mpsc::channel(DATAGRAM_MESSAGES_MAX);
        let (ending, ended) = watch::channel(false);
        let (seen, sight) = watch::channel(Sight::default());
        let period = config.heartbeats().map(|heartbeats| heartbeats.frequency);
        let discovered_at = Instant::now() + period.map_or(Duration::ZERO, |period| period + period / 4);
        let task = Task {
            group,
            chain,
            views: Arc::clone(&views),
            multicast: config.multicast.map(|config| McastSocket { config, socket, reopen_at: None, errors: 0 }),
            unicast,
            searches,
            datagrams,
            probes: JoinSet::new(),
            flying: HashMap::new(),
            landed: None,
            watches: HashMap::new(),
            watching: JoinSet::new(),
            watch_serial: 0,
            notices: JoinSet::new(),
            contacts: JoinSet::new(),
            named: HashMap::new(),
            drops: DropLog::default(),
            seen,
            stopped: false,
        };
        tokio::spawn(async move {
            task.run(inbox, pending).await;
            let _ = ending.send(true); // nobody waits: no harm
        });
        let datagrams = Mutex::new(Some(datagrams_inbox));
        Ok(Control {
            views,
            commands,
            detector: config.detector,
            ended,
            sight,
            discovered_at,
            datagrams,
            membership_id,
        })
    }

    /// The current view. Never blocks.
    pub(crate) fn view(&self) -> Arc<View> {
        self.views.current()
    }

    /// Returns when the view is what this node can know so shortly after its start: see `Channel::settled`.
    pub(crate) async fn settled(&self) {
        let mut sight = self.sight.clone();
        loop {
            let seen = *sight.borrow_and_update();
            let discovered = seen.has_members || Instant::now() >= self.discovered_at;
            if seen.settled && discovered {
                return;
            }
            tokio::select! {
                changed = sight.changed() => if changed.is_err() { return },
                () = sleep_until(Some(self.discovered_at)), if !discovered => {}
            }
        }
    }

    /// The changes from now on.
    pub(crate) fn changes(&self) -> ViewChanges {
        self.views.subscribe()
    }

    /// Messages that came in datagrams to the membership socket. `None` from the second call on.
    pub(crate) fn datagram_messages(&self) -> Option<mpsc::Receiver<Message>> {
        self.datagrams.lock().ok()?.take()
    }

    /// Tell what the data plane noticed. Never blocks; cheap when it is nothing new.
    pub(crate) fn report(&self, report: Report) {
        let matters = self.views.peek(|view| match &report {
            Report::SendFailed { member, .. } | Report::ConnectionLost { member } => view.contains(member),
            Report::Heard { member } => is_news(view, member),
        });
        if matters {
            self.tell(Command::Report(report));
        }
    }

    /// True: the message was for the control plane and must not be delivered.
    pub(crate) fn intercept(&self, message: &Message) -> bool {
        let Some(notice) = Notice::of(message, &self.detector) else { return false };
        let matters = match notice {
            Notice::Start | Notice::Stop => true,
            // Members probe each other all the time; only one that we do not have as a member yet is news.
            _ => self.views.peek(|view| is_news(view, &message.from)),
        };
        if matters {
            self.tell(Command::Notice(message.from.clone(), notice));
        }
        true
    }

    /// The message is for the control plane.
    pub(crate) fn is_notice(&self, message: &Message) -> bool {
        Notice::of(message, &self.detector).is_some()
    }

    /// The id of the static membership service, if it runs.
    pub(crate) fn membership_id(&self) -> Option<&Bytes> {
        self.membership_id.as_ref()
    }

    /// A message of the static membership service arrived, with its id.
    pub(crate) fn service_received(&self, from: Member, message: ServiceMessage) {
        self.tell(Command::Service(from, Box::new(message)));
    }

    /// Somebody whom others name: if it lives, it becomes a member, and the answer is true.
    pub(crate) fn meet(&self, member: Member) -> oneshot::Receiver<bool> {
        let (answer, verdict) = oneshot::channel();
        self.tell(Command::Named(member, answer));
        verdict
    }

    fn tell(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            metrics::counter!("clowder_membership_reports_dropped_total").increment(1);
        }
    }

    /// Say goodbye to everybody and end the task. Returns when the goodbyes have left, within a fraction of a second.
    pub(crate) async fn stop(&self) {
        let _ = self.commands.send(Command::Stop).await; // the task has ended already: so be it
        let mut ended = self.ended.clone();
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

/// Somebody whom the view lacks, or whose capabilities it does not know. A record without any says nothing: messages to
/// Tomcats have none.
fn is_news(view: &View, member: &Member) -> bool {
    let says_more = |known: &Member| !member.extension.is_empty() && known.extension != member.extension;
    view.get(&member.id).is_none_or(says_more)
}

fn now() -> Now {
    Now { mono: Instant::now(), wall: SystemTime::now() }
}

struct McastSocket {
    config: Multicast,
    /// `None` while it is broken.
    socket: Option<UdpSocket>,
    reopen_at: Option<Instant>,
    errors: u32,
}

struct WatchHandle {
    serial: u64,
    notices: mpsc::Sender<Bytes>,
}

enum Event {
    Command(Command),
    Datagram(io::Result<SocketAddr>),
    Heartbeat(SocketAddr, Bytes),
    Discovered(Source, Vec<Listed>),
    Probed(Probed),
    WatchEnded { member: MemberId, serial: u64, by_peer: bool },
    Contacted { to: MemberId, reached: bool },
    Deadline,
    Reopen,
    Nothing,
}

struct Task {
    group: Group,
    chain: Chain,
    views: Arc<Views>,
    multicast: Option<McastSocket>,
    unicast: Option<Unicast>,
    searches: Searches,
    datagrams: mpsc::Sender<Message>,
    probes: JoinSet<Probed>,
    /// Which probe a task is, should it fail to say so itself.
    flying: HashMap<tokio::task::Id, ProbeId>,
    /// The connection of the probe that is being handled.
    landed: Option<(ProbeId, TcpStream)>,
    watches: HashMap<MemberId, WatchHandle>,
    watching: JoinSet<(MemberId, u64, bool)>,
    watch_serial: u64,
    notices: JoinSet<()>,
    contacts: JoinSet<(MemberId, bool)>,
    /// Who waits to hear of members that others named.
    named: HashMap<MemberId, Vec<oneshot::Sender<bool>>>,
    drops: DropLog,
    seen: watch::Sender<Sight>,
    stopped: bool,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, pending: Vec<GroupOut>) {
        for out in pending {
            self.perform(out);
        }
        self.look();
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut length = 0;
        while !self.stopped {
            let event = self.next_event(&mut commands, &mut buffer, &mut length).await;
            self.apply(event, &buffer[..length]);
            while let Some(out) = self.group.poll() {
                self.perform(out);
            }
            self.landed = None;
            self.look();
        }
        self.part().await;
    }

    fn look(&self) {
        let has_members = self.views.peek(|view| !view.members().is_empty());
        let sight = Sight { settled: self.group.is_settled(), has_members };
        self.seen.send_if_modified(|last| std::mem::replace(last, sight) != sight);
    }

    async fn next_event(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        buffer: &mut [u8],
        length: &mut usize,
    ) -> Event {
        let deadline = self.group.deadline();
        let reopen = self.multicast.as_ref().and_then(|multicast| multicast.reopen_at);
        let socket = self.multicast.as_ref().and_then(|multicast| multicast.socket.as_ref());
        tokio::select! {
            command = commands.recv() => Event::Command(command.unwrap_or(Command::Stop)),
            received = receive(socket, buffer) => {
                *length = received.as_ref().map_or(0, |(length, _)| *length);
                Event::Datagram(received.map(|(_, from)| from))
            }
            (from, heartbeat) = heard(self.unicast.as_mut()) => Event::Heartbeat(from, heartbeat),
            (source, list) = self.searches.next() => Event::Discovered(source, list),
            Some(probed) = self.probes.join_next_with_id() => match probed {
                Ok((task, probed)) => {
                    self.flying.remove(&task);
                    Event::Probed(probed)
                }
                // A probe that broke says nothing about its member.
                Err(error) => self.flying.remove(&error.id()).map_or(Event::Nothing, |id| {
                    Event::Probed(Probed { id, verdict: Verdict::Inconclusive, stream: None })
                }),
            },
            Some(ended) = self.watching.join_next() => match ended {
                Ok((member, serial, by_peer)) => Event::WatchEnded { member, serial, by_peer },
                Err(_) => Event::Nothing,
            },
            Some(_) = self.notices.join_next() => Event::Nothing,
            Some(contacted) = self.contacts.join_next() => match contacted {
                Ok((to, reached)) => Event::Contacted { to, reached },
                Err(_) => Event::Nothing,
            },
            () = sleep_until(deadline) => Event::Deadline,
            () = sleep_until(reopen) => Event::Reopen,
        }
    }

    fn apply(&mut self, event: Event, datagram: &[u8]) {
        let now = now();
        match event {
            Event::Command(Command::Report(report)) => match report {
                Report::SendFailed { member, cause } => self.group.send_failed(now, &member, cause),
                Report::ConnectionLost { member } => self.group.connection_lost(now, &member),
                Report::Heard { member } => self.group.heard(now, &member),
            },
            Event::Command(Command::Notice(from, notice)) => self.group.notice_received(now, &from, notice),
            Event::Command(Command::Service(from, message)) => self.group.service_received(now, &from, *message),
            Event::Command(Command::Named(member, answer)) => {
                self.named.entry(member.id.clone()).or_default().push(answer);
                self.group.named(now, &member);
            }
            Event::Command(Command::Stop) => self.group.stopping(now),
            Event::Datagram(Ok(from)) => {
                self.group.datagram_received(now, from, &Bytes::copy_from_slice(datagram));
            }
            Event::Heartbeat(from, heartbeat) => self.group.datagram_received(now, from, &heartbeat),
            Event::Discovered(source, list) => self.group.discovered(now, source, &list),
            Event::Datagram(Err(error)) => self.socket_failed(now.mono, &error),
            Event::Probed(Probed { id, verdict, stream }) => {
                self.landed = stream.map(|stream| (id, stream));
                self.group.probed(now, id, verdict);
            }
            Event::WatchEnded { member, serial, by_peer } => {
                if by_peer && self.watches.get(&member).is_some_and(|watch| watch.serial == serial) {
                    self.watches.remove(&member);
                    self.group.watch_lost(now, &member);
                }
            }
            Event::Contacted { to, reached } => self.group.contacted(now, &to, reached),
            Event::Deadline => self.group.handle_deadline(now),
            Event::Reopen => self.reopen(now.mono),
            Event::Nothing => {}
        }
    }

    fn perform(&mut self, out: GroupOut) {
        match out {
            GroupOut::Multicast(datagram) => self.multicast(&datagram),
            GroupOut::Probe(probe) => {
                let id = probe.id;
                let task = self.probes.spawn(probe::probe(probe)).id();
                self.flying.insert(task, id);
            }
            GroupOut::Watch { probe, member } => self.watch(probe, member),
            GroupOut::Unwatch(member) => drop(self.watches.remove(&member)),
            GroupOut::Notice { to, notice, message } => {
                let place = if notice == Notice::Ping { Place::Ping } else { Place::Static };
                for frame in self.frames(Some(place), message, &to.id) {
                    self.notify(&to.id, frame);
                }
            }
            GroupOut::Service { to, message } => {
                for frame in self.frames(None, message, &to.id) {
                    self.notify(&to.id, frame);
                }
            }
            GroupOut::Contact { to, message, connect_timeout } => {
                let frames = self.frames(None, message, &to.id);
                self.contacts.spawn(probe::contact(to.id, frames, connect_timeout));
            }
            GroupOut::Met { member, alive } => {
                for answer in self.named.remove(&member).into_iter().flatten() {
                    let _ = answer.send(alive); // it does not wait any more: so be it
                }
            }
            GroupOut::View(update) => self.publish(update),
            GroupOut::DatagramMessage(message) => {
                if self.datagrams.try_send(message).is_err() {
                    metrics::counter!("clowder_membership_datagram_messages_dropped_total").increment(1);
                }
            }
            GroupOut::Dropped { from, cause } => self.drops.dropped(Instant::now(), from, &cause),
            GroupOut::Stopped => self.stopped = true,
            other => debug_assert!(false, "an output that nobody performs: {other:?}"),
        }
    }

    fn watch(&mut self, probe: ProbeId, member: MemberId) {
        let Some((_, stream)) = self.landed.take_if(|(id, _)| *id == probe) else { return };
        let (notices, inbox) = mpsc::channel(NOTICES_MAX);
        self.watch_serial += 1;
        let serial = self.watch_serial;
        let watched = member.clone();
        self.watching.spawn(async move { (watched, serial, probe::watch(stream, inbox).await) });
        self.watches.insert(member, WatchHandle { serial, notices });
    }

    /// What the layers of the chain make of a message that enters it at this place; without one, at its top.
    fn frames(&self, place: Option<Place>, message: Message, to: &MemberId) -> Vec<Bytes> {
        let Message { options, timestamp, id, mut from, body } = message;
        // A start notice is how another Clowder node learns what this one is; a Tomcat's chain takes it out at its
        // bottom. What climbs higher there must have no more than Tomcat's fields.
        if place != Some(Place::Static) && !self.views.peek(|view| view.get(to).is_some_and(Member::is_clowder)) {
            from.extension = Bytes::new();
        }
        let id = id.0[..].try_into().expect("the group makes ids of 16 bytes");
        let draft = Draft { options, timestamp, id, body: Body::from(body) };
        let plan = random::with(|random| {
            let mut cx = Context { now: now(), random };
            self.chain.outbound(place, &mut cx, draft, std::slice::from_ref(to))
        });
        match plan {
            Ok(plan) => plan.parcels.into_iter().map(|it| it.draft.into_message(from.clone()).encode_frame()).collect(),
            Err(refusal) => {
                tracing::warn!(%refusal, "a message of the membership cannot be sent");
                Vec::new()
            }
        }
    }

    /// Over the watched connection, which is open, else over one of its own.
    fn notify(&mut self, to: &MemberId, frame: Bytes) {
        let watch = self.watches.get(to);
        if watch.is_some_and(|watch| watch.notices.try_send(frame.clone()).is_ok()) {
            return;
        }
        if self.notices.len() >= NOTICE_CONNECTIONS_MAX {
            metrics::counter!("clowder_membership_notices_dropped_total").increment(1);
            return;
        }
        self.notices.spawn(probe::send_once(to.clone(), frame));
    }

    fn publish(&mut self, update: ViewUpdate) {
        let members = update.members.len() + 1;
        for member in &update.joined {
            tracing::info!(%member, members, "joined");
            metrics::counter!("clowder_members_joined_total").increment(1);
        }
        for (member, reason) in &update.left {
            tracing::info!(%member, ?reason, members, "left");
            metrics::counter!("clowder_members_left_total").increment(1);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; there are few members")]
        metrics::gauge!("clowder_members").set(update.members.len() as f64);
        self.views.publish(self.group.local(now()), update);
    }

    fn multicast(&mut self, datagram: &Bytes) {
        if let Some(unicast) = &self.unicast {
            unicast.send(datagram.clone());
        }
        let Some(McastSocket { config, socket: Some(socket), errors, .. }) = &mut self.multicast else { return };
        match socket.try_send_to(datagram, config.group) {
            Ok(_) => *errors = 0,
            Err(error) => {
                *errors += 1;
                metrics::counter!("clowder_membership_send_errors_total").increment(1);
                if *errors >= SEND_ERRORS_MAX {
                    self.socket_failed(Instant::now(), &error);
                }
            }
        }
    }

    /// Tomcat: `RecoveryThread`: a new socket after `recoverySleepTime`, and again; the members stay as they are.
    fn socket_failed(&mut self, now: Instant, error: &io::Error) {
        if let Some(multicast) = &mut self.multicast {
            let pause = multicast.config.recovery_sleep_time;
            tracing::warn!(%error, ?pause, "the membership socket failed and is opened anew");
            metrics::counter!("clowder_membership_socket_errors_total").increment(1);
            (multicast.socket, multicast.errors) = (None, 0);
            multicast.reopen_at = Some(now + pause);
        }
    }

    fn reopen(&mut self, now: Instant) {
        let Some(multicast) = &mut self.multicast else { return };
        let opened = mcast::open(&multicast.config).map_err(|error| (error.to_string(), error.source));
        match opened.and_then(|socket| UdpSocket::from_std(socket).map_err(|error| (error.to_string(), error))) {
            Ok(socket) => {
                tracing::info!(group = %multicast.config.group, "the membership socket works again");
                (multicast.socket, multicast.reopen_at) = (Some(socket), None);
            }
            Err((_, error)) => self.socket_failed(now, &error),
        }
    }

    /// Let the last notices leave, close every connection.
    async fn part(mut self) {
        self.watches.clear();
        let flushed = async {
            while self.watching.join_next().await.is_some() {}
            while self.notices.join_next().await.is_some() {}
            if let Some(unicast) = self.unicast.take() {
                unicast.flushed().await;
            }
        };
        let _ = tokio::time::timeout(STOP_MAX, flushed).await; // the rest is aborted with its set
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

async fn heard(unicast: Option<&mut Unicast>) -> (SocketAddr, Bytes) {
    match unicast {
        Some(unicast) => unicast.received().await,
        None => std::future::pending().await,
    }
}

pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(all(test, clowder_measure))]
mod measure_tests;
#[cfg(test)]
mod tests;
