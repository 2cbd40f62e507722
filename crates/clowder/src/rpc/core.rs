//! One RPC channel: its calls behind a lock, and who waits for them.
//!
//! The lock is held for one input and the draining of its outputs; neither the channel nor a callback is called under
//! it. There is no task for time: who waits for a call brings the time of its deadline.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::link::Failure;
use clowder_proto::rpc::{CallEnd, CallError, CallId, Calls, CallsOut, NewCall, RpcContent, RpcMessage};
use clowder_proto::wire::Member;
use metrics::counter;
use tokio::sync::oneshot;

use super::hub::Hub;
use super::serve::Intake;
use crate::driver::env::now;
use crate::driver::random;
use crate::{Channel, SendOptions};

pub(super) struct Core {
    pub(super) channel: Channel,
    pub(super) rpc_id: Bytes,
    hub: Weak<Hub>,
    inner: Mutex<Inner>,
    intake: Intake,
    /// Requests are answered; else this RPC channel only asks.
    pub(super) serves: bool,
}

struct Inner {
    calls: Calls,
    waiting: HashMap<CallId, oneshot::Sender<CallEnd>>,
}

/// What is to be done outside of the lock.
#[derive(Default)]
struct Outside {
    requests: Vec<(CallId, Vec<Member>, Bytes)>,
    ended: Vec<(Option<oneshot::Sender<CallEnd>>, CallEnd)>,
    left_over: Vec<(Member, Bytes)>,
}

impl Core {
    pub(super) fn new(
        channel: Channel,
        hub: &Arc<Hub>,
        rpc_id: Bytes,
        calls: Calls,
        intake: Intake,
        serves: bool,
    ) -> Arc<Core> {
        let inner = Mutex::new(Inner { calls, waiting: HashMap::new() });
        Arc::new(Core { channel, rpc_id, hub: Arc::downgrade(hub), inner, intake, serves })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One input of the machine, and what follows from it but for requests, which only a new call has.
    fn input<R>(&self, input: impl FnOnce(&mut Inner, Now) -> R) -> (R, Outside) {
        let now = now();
        let mut inner = self.lock();
        let before = inner.calls.stats();
        let result = input(&mut inner, now);
        let mut outside = Outside::default();
        while let Some(out) = inner.calls.poll() {
            match out {
                CallsOut::Send { call, to, body } => outside.requests.push((call, to, body)),
                CallsOut::Ended { call, end } => outside.ended.push((inner.waiting.remove(&call), end)),
                CallsOut::LeftOver { from, payload } => outside.left_over.push((from, payload)),
                _ => {} // what this driver does not know, nobody waits for
            }
        }
        let after = inner.calls.stats();
        drop(inner);
        counter!("clowder_rpc_calls_total").increment(after.calls - before.calls);
        counter!("clowder_rpc_timeouts_total").increment(after.timeouts - before.timeouts);
        counter!("clowder_rpc_left_overs_total").increment(after.left_overs - before.left_overs);
        counter!("clowder_rpc_duplicates_total").increment(after.duplicates - before.duplicates);
        counter!("clowder_rpc_no_room_total").increment(after.no_room - before.no_room);
        (result, outside)
    }

    fn perform(&self, outside: Outside) {
        for (waiting, end) in outside.ended {
            let _ = waiting.map(|waiting| waiting.send(end)); // nobody waits: so be it
        }
        for (from, payload) in outside.left_over {
            self.intake.left_over(from, payload);
        }
    }

    /// Makes a call and sends its request. The receiver gets its end.
    pub(super) fn call(
        self: &Arc<Self>,
        new: NewCall,
        options: SendOptions,
    ) -> Result<(CallId, oneshot::Receiver<CallEnd>), CallError> {
        let mut uuid = [0; 16];
        random::with(|random| random(&mut uuid));
        let (tell, told) = oneshot::channel();
        let (called, mut outside) = self.input(|inner, now| {
            let call = inner.calls.called(now, uuid, new)?;
            inner.waiting.insert(call, tell);
            Ok::<_, CallError>(call)
        });
        let requests = std::mem::take(&mut outside.requests);
        self.perform(outside);
        for (call, to, body) in requests {
            let core = Arc::downgrade(self);
            let targets = to.clone();
            self.channel.submit_then(to, body, options, move |sent| {
                let Some(core) = core.upgrade() else { return };
                let failed = sent.err().map(|error| error.failed).unwrap_or_default();
                core.sent(call, &targets, &failed);
            });
        }
        Ok((called?, told))
    }

    fn sent(&self, call: CallId, targets: &[Member], failed: &[(Member, Failure)]) {
        let ((), outside) = self.input(|inner, _| {
            for target in targets {
                let failure = failed.iter().find(|(member, _)| member.id == target.id).map(|(_, failure)| *failure);
                inner.calls.sent(call, &target.id, failure.map_or(Ok(()), Err));
            }
        });
        self.perform(outside);
    }

    /// A message with this channel's id. False: a request for which there is no room.
    pub(super) fn received(&self, from: &Member, message: &RpcMessage) -> bool {
        if let RpcContent::Request(payload) = &message.content {
            return self.intake.request(from, message, payload);
        }
        let ((), outside) = self.input(|inner, _| inner.calls.received(from, message));
        self.perform(outside);
        true
    }

    pub(super) fn left(&self, member: &Member) {
        let ((), outside) = self.input(|inner, _| inner.calls.left(&member.id));
        self.perform(outside);
    }

    /// The time of somebody's deadline has come.
    pub(super) fn handle_deadline(&self) {
        let ((), outside) = self.input(|inner, now| inner.calls.handle_deadline(now));
        self.perform(outside);
    }

    pub(super) fn abandoned(&self, call: CallId) {
        let mut inner = self.lock();
        inner.waiting.remove(&call);
        inner.calls.abandoned(call);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.unregister(&self.rpc_id);
        }
    }
}
