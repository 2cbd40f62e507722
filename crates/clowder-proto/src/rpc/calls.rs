//! The calls of one RPC channel that are not answered yet: who owes an answer, and when nobody is waited for any more.
//!
//! Told what was called, sent and received, and who left, it says what to send and how each call ended. It does not
//! know what payloads mean, and it does not answer anybody.
//!
//! Invariants: each call ends exactly once, with one fate for each of its targets; one target counts once, whatever it
//! sends; what replies hold is bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use java_object_stream::ReadError;

use super::{RpcContent, RpcMessage};
use crate::Now;
use crate::link::Failure;
use crate::wire::{Member, MemberId};

/// How many answers a call waits for. Does not show on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RpcMode {
    /// One.
    First,
    /// From half of those that have the RPC channel: of two, one is enough.
    Majority,
    /// From all that have the RPC channel.
    All,
    /// None: only for the fate of the request itself. Whoever has the channel answers all the same; that is left over.
    NoReply,
}

impl RpcMode {
    /// Enough answered. Tomcat: `RpcCollector.isComplete`, where nobody to wait for is enough, too.
    fn is_reached(self, answers: usize, targets: usize) -> bool {
        match self {
            RpcMode::First => answers >= 1 || targets == 0,
            RpcMode::Majority => answers * 2 >= targets,
            RpcMode::All => answers >= targets,
            RpcMode::NoReply => true,
        }
    }
}

/// Bounds of one [`Calls`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallsConfig {
    /// Calls without an end. Default 1,024.
    pub calls_max: usize,
    /// Bytes of the answers to all calls without an end. Default 64 MiB.
    pub reply_bytes_max: usize,
}

impl Default for CallsConfig {
    fn default() -> Self {
        CallsConfig { calls_max: 1_024, reply_bytes_max: 64 << 20 }
    }
}

/// Names a call: its uuid on the wire. Ordered, and nothing more is meant by the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId([u8; 16]);

impl CallId {
    /// With the marks of a random UUID, which Tomcat writes and does not check.
    fn from_random(mut bytes: [u8; 16]) -> CallId {
        bytes[6] = 0x40 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        CallId(bytes)
    }
}

/// What became of a call at one of its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RpcFate {
    /// It answered; null is an answer.
    Answered(Bytes),
    /// It has no such RPC channel.
    NoChannel,
    /// The request did not reach it.
    Failed(Failure),
    /// It stopped being a member before it answered.
    Left,
    /// It answered, and there was no room for that: see [`CallsConfig::reply_bytes_max`].
    NoRoom,
    /// It did not answer in time.
    TimedOut,
    /// The call needed no more answers. Its request is sent.
    NotAwaited,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// Every target, in the order of the call; one that was named twice is there once.
    pub fates: Vec<(Member, RpcFate)>,
    /// As many answered as the mode asks for.
    pub reached: bool,
}

/// What follows from an input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallsOut {
    /// Send this body to these members, and report each outcome with [`Calls::sent`].
    Send {
        /// Whose request.
        call: CallId,
        /// Its targets.
        to: Vec<Member>,
        /// An `RpcMessage`.
        body: Bytes,
    },
    /// A call has ended.
    Ended {
        /// Which.
        call: CallId,
        /// How.
        end: CallEnd,
    },
    /// An answer that no call waits for: too late, or nobody asked to wait. Tomcat: `RpcCallback.leftOver`.
    LeftOver {
        /// Whose answer.
        from: Member,
        /// The answer.
        payload: Bytes,
    },
}

/// Why a call cannot be made. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The caller is at fault: the payload is not a stream with exactly one value.
    #[error("the payload is not one Java object: {0}")]
    Payload(#[from] ReadError),
    /// Too many calls are without an end.
    #[error("{0} calls wait for answers, which is the limit")]
    TooMany(usize),
}

/// What a call asks.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// Whom.
    pub targets: Vec<Member>,
    /// A Java stream with exactly one value.
    pub payload: Bytes,
    /// How many answers to wait for.
    pub mode: RpcMode,
    /// For how long. Zero does not wait. Does not count for [`RpcMode::NoReply`].
    pub timeout: Duration,
}

/// Counters since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallsStats {
    /// Calls made.
    pub calls: u64,
    /// Calls whose time was over before enough had answered.
    pub timeouts: u64,
    /// Answers that no call waited for.
    pub left_overs: u64,
    /// Second answers of one member to one call.
    pub duplicates: u64,
    /// Answers without room.
    pub no_room: u64,
}

#[derive(Debug)]
enum State {
    /// An answer may come, and, if `sent`, the request is known to have left.
    Awaited {
        sent: bool,
    },
    Known(RpcFate),
}

#[derive(Debug)]
struct Call {
    targets: Vec<(Member, State)>,
    mode: RpcMode,
    /// `None`: it waits for no answer.
    deadline: Option<Instant>,
}

impl Call {
    fn target(&mut self, member: &MemberId) -> Option<&mut State> {
        self.targets.iter_mut().find(|(target, _)| target.id == *member).map(|(_, state)| state)
    }

    fn count(&self, wanted: impl Fn(&State) -> bool) -> usize {
        self.targets.iter().filter(|(_, state)| wanted(state)).count()
    }

    /// Tomcat: a `NoRpcChannelReply` lowers the number of those asked.
    fn is_reached(&self) -> bool {
        let answers = self.count(|state| matches!(state, State::Known(RpcFate::Answered(_))));
        let without = self.count(|state| matches!(state, State::Known(RpcFate::NoChannel)));
        self.mode.is_reached(answers, self.targets.len() - without)
    }

    /// Nothing that may come matters.
    ///
    /// Differs from Tomcat: a request that did not reach somebody does not throw away the answers of the others, and
    /// whoever it did not reach is not waited for.
    /// Test: a_target_that_was_not_reached_fails_alone_and_is_not_waited_for.
    fn is_complete(&self) -> bool {
        if self.mode == RpcMode::NoReply {
            return self.count(|state| matches!(state, State::Awaited { sent: false })) == 0;
        }
        self.is_reached() || self.count(|state| matches!(state, State::Awaited { .. })) == 0
    }

    fn bytes(&self) -> usize {
        let bytes = |state: &State| match state {
            State::Known(RpcFate::Answered(payload)) => payload.len(),
            _ => 0,
        };
        self.targets.iter().map(|(_, state)| bytes(state)).sum()
    }
}

/// The machine: told what was called, sent and received, it says what to send and how each call ended.
#[derive(Debug)]
pub struct Calls {
    config: CallsConfig,
    rpc_id: Bytes,
    calls: BTreeMap<CallId, Call>,
    deadlines: BTreeSet<(Instant, CallId)>,
    reply_bytes: usize,
    out: VecDeque<CallsOut>,
    stats: CallsStats,
}

impl Calls {
    /// No calls yet. `rpc_id` names the RPC channel.
    pub fn new(config: CallsConfig, rpc_id: Bytes) -> Calls {
        Calls {
            config,
            rpc_id,
            calls: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            reply_bytes: 0,
            out: VecDeque::new(),
            stats: CallsStats::default(),
        }
    }

    /// The application asks. `random` must be so: whoever guesses it can answer for others.
    ///
    /// # Errors
    /// See [`CallError`]; nothing is sent then.
    pub fn called(&mut self, now: Now, random: [u8; 16], new: NewCall) -> Result<CallId, CallError> {
        let id = CallId::from_random(random);
        if self.calls.len() >= self.config.calls_max {
            return Err(CallError::TooMany(self.config.calls_max));
        }
        let content = RpcContent::Request(new.payload);
        let uuid = Bytes::copy_from_slice(&id.0);
        let body = RpcMessage { uuid, rpc_id: self.rpc_id.clone(), content }.encode()?;
        let mut targets: Vec<(Member, State)> = Vec::with_capacity(new.targets.len());
        let mut seen = BTreeSet::new();
        for member in new.targets {
            if seen.insert(member.id.clone()) {
                targets.push((member, State::Awaited { sent: false }));
            }
        }
        let to: Vec<Member> = targets.iter().map(|(member, _)| member.clone()).collect();
        let waits = new.mode != RpcMode::NoReply;
        let deadline = waits.then(|| now.mono.checked_add(new.timeout)).flatten();
        self.deadlines.extend(deadline.map(|deadline| (deadline, id)));
        self.calls.insert(id, Call { targets, mode: new.mode, deadline });
        self.stats.calls += 1;
        if !to.is_empty() {
            self.out.push_back(CallsOut::Send { call: id, to, body });
        }
        self.finish(id);
        self.handle_deadline(now); // one without time ends here, whatever would come at once
        Ok(id)
    }

    /// The fate of a request at one of its targets is known.
    pub fn sent(&mut self, call: CallId, to: &MemberId, outcome: Result<(), Failure>) {
        let Some(State::Awaited { sent }) = self.calls.get_mut(&call).and_then(|call| call.target(to)) else { return };
        match outcome {
            Ok(()) => *sent = true,
            Err(failure) => self.settle(call, to, RpcFate::Failed(failure)),
        }
        self.finish(call);
    }

    /// A reply came, for this RPC channel by its id. Requests are no business of calls.
    pub fn received(&mut self, from: &Member, message: &RpcMessage) {
        let fate = match &message.content {
            RpcContent::Request(_) => return,
            RpcContent::Reply(payload) => RpcFate::Answered(payload.clone()),
            RpcContent::NoChannel => RpcFate::NoChannel,
        };
        let id = <[u8; 16]>::try_from(&message.uuid[..]).ok().map(CallId);
        let waits = |call: &Call| call.mode != RpcMode::NoReply;
        let call = id.and_then(|id| Some((id, self.calls.get_mut(&id).filter(|call| waits(call))?)));
        let Some((id, state)) = call.and_then(|(id, call)| Some((id, call.target(&from.id)?))) else {
            return self.left_over(from, fate);
        };
        // What reached the other side and was answered did not fail, whatever became of its acknowledgement.
        let answers_late = matches!(state, State::Known(RpcFate::Failed(_) | RpcFate::Left));
        if !answers_late && !matches!(state, State::Awaited { .. }) {
            // Differs from Tomcat: two replies of one member count twice there.
            // Test: a_member_that_answers_twice_counts_once.
            self.stats.duplicates += 1;
            return;
        }
        let room = self.config.reply_bytes_max - self.reply_bytes;
        match fate {
            RpcFate::Answered(payload) if payload.len() > room => {
                self.stats.no_room += 1;
                self.settle(id, &from.id, RpcFate::NoRoom);
            }
            fate => self.settle(id, &from.id, fate),
        }
        self.finish(id);
    }

    fn left_over(&mut self, from: &Member, fate: RpcFate) {
        // Tomcat: a left-over `NoRpcChannelReply` is dropped silently.
        if let RpcFate::Answered(payload) = fate {
            self.stats.left_overs += 1;
            self.out.push_back(CallsOut::LeftOver { from: from.clone(), payload });
        }
    }

    /// A member is none any more: nothing comes from it.
    ///
    /// Differs from Tomcat: there its answer is waited for until the time is over.
    /// Test: a_member_that_leaves_is_not_waited_for.
    pub fn left(&mut self, member: &MemberId) {
        let owes = |call: &mut Call| matches!(call.target(member), Some(State::Awaited { .. }));
        let ids: Vec<CallId> = self.calls.iter_mut().filter_map(|(id, call)| owes(call).then_some(*id)).collect();
        for id in ids {
            self.settle(id, member, RpcFate::Left);
            self.finish(id);
        }
    }

    /// Nobody waits for this call any more: it ends without a word, and answers to it are left over.
    pub fn abandoned(&mut self, call: CallId) {
        self.remove(call);
        self.check_invariants();
    }

    /// The next thing to do. Drain until `None` after every input.
    pub fn poll(&mut self) -> Option<CallsOut> {
        self.out.pop_front()
    }

    /// When [`Calls::handle_deadline`] is wanted; may change with every input.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Time has passed. Early is harmless.
    pub fn handle_deadline(&mut self, now: Now) {
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= now.mono
        {
            self.stats.timeouts += 1;
            self.end(id, &RpcFate::TimedOut);
        }
        self.check_invariants();
    }

    /// Calls without an end.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// No call is without an end.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The counters.
    pub fn stats(&self) -> CallsStats {
        self.stats
    }

    fn settle(&mut self, call: CallId, member: &MemberId, fate: RpcFate) {
        let Some(state) = self.calls.get_mut(&call).and_then(|call| call.target(member)) else { return };
        if let RpcFate::Answered(payload) = &fate {
            self.reply_bytes += payload.len();
        }
        *state = State::Known(fate);
    }

    /// Every input about one call ends here.
    fn finish(&mut self, id: CallId) {
        if self.calls.get(&id).is_some_and(Call::is_complete) {
            self.end(id, &RpcFate::NotAwaited);
        }
        self.check_invariants();
    }

    fn end(&mut self, id: CallId, of_the_silent: &RpcFate) {
        let Some(call) = self.remove(id) else { return };
        let reached = call.is_reached();
        let fate = |state| match state {
            State::Awaited { .. } => of_the_silent.clone(),
            State::Known(fate) => fate,
        };
        let fates = call.targets.into_iter().map(|(member, state)| (member, fate(state))).collect();
        self.out.push_back(CallsOut::Ended { call: id, end: CallEnd { fates, reached } });
    }

    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        self.reply_bytes -= call.bytes();
        Some(call)
    }

    fn check_invariants(&self) {
        debug_assert!(self.calls.len() <= self.config.calls_max, "more calls than calls_max");
        debug_assert!(self.reply_bytes <= self.config.reply_bytes_max, "more bytes than reply_bytes_max");
        debug_assert_eq!(self.reply_bytes, self.calls.values().map(Call::bytes).sum::<usize>(), "bytes are counted");
        debug_assert!(self.calls.values().all(|call| !call.is_complete()), "a call that is complete has ended");
    }
}
