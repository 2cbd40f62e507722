//! The side that asks.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clowder_proto::rpc::{CallEnd, CallId, NewCall, RpcMode};
use clowder_proto::wire::Member;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::core::Core;
use super::error::{RpcError, RpcFate};
use super::serve::rpc_options;
use crate::{Channel, SendOptions};

/// An RPC channel on a [`Channel`], opened with [`Channel::rpc`]. Clones are handles of the same one; with the last
/// handle it is gone, and who asks it then is told that there is none. It keeps its node running.
#[derive(Clone)]
pub struct RpcChannel {
    pub(super) core: Arc<Core>,
}

impl RpcChannel {
    /// Its id.
    pub fn id(&self) -> &Bytes {
        &self.core.rpc_id
    }

    /// The channel that it stands on.
    pub fn channel(&self) -> &Channel {
        &self.core.channel
    }

    /// Ask these members and wait for as many answers as `mode` says, at most for `timeout` (zero: not at all).
    /// `payload` is a Java object stream with exactly one value.
    ///
    /// That some do not answer is no error: the result says so of each. The request is sent with `options`, without
    /// the wait for its processing ([`SendOptions::SYNC`] becomes [`SendOptions::USE_ACK`]). Dropping the future gives
    /// the call up; answers that come later are left over.
    ///
    /// # Errors
    /// The payload is no such stream, or too many calls are without an end. Nothing was sent.
    pub async fn call<T: Borrow<Member>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        payload: impl Into<Bytes>,
        mode: RpcMode,
        options: SendOptions,
        timeout: Duration,
    ) -> Result<RpcResult, RpcError> {
        let targets = targets.into_iter().map(|target| target.borrow().clone()).collect();
        self.run(NewCall { targets, payload: payload.into(), mode, timeout }, options).await
    }

    /// As [`RpcChannel::call`], with Rust values for question and answers.
    ///
    /// # Errors
    /// The question has no Java form, or too many calls are without an end. Nothing was sent.
    pub async fn call_typed<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        targets: impl IntoIterator<Item = impl Borrow<Member>>,
        question: &Q,
        mode: RpcMode,
        options: SendOptions,
        timeout: Duration,
    ) -> Result<RpcResult<A>, RpcError> {
        let payload = java_object_stream::to_bytes(question).map_err(RpcError::Unwritable)?;
        Ok(self.call(targets, payload, mode, options, timeout).await?.typed())
    }

    async fn run(&self, new: NewCall, options: SendOptions) -> Result<RpcResult, RpcError> {
        let waits = (new.mode != RpcMode::NoReply).then_some(new.timeout);
        let (call, mut told) = self.core.call(new, rpc_options(options))?;
        // Not before the machine's own, which was set in the call: an early deadline changes nothing.
        let deadline = waits.and_then(|timeout| Instant::now().checked_add(timeout));
        let _abandoned_when_dropped = Guard { core: &self.core, call };
        let end = tokio::select! {
            biased;
            end = &mut told => end,
            () = sleep_until(deadline) => {
                self.core.handle_deadline();
                told.await
            }
        };
        Ok(RpcResult::new(end.expect("a call that is not abandoned has an end")))
    }
}

impl fmt::Debug for RpcChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcChannel").field("id", self.id()).field("channel", self.channel()).finish()
    }
}

/// The caller may give the call up at any time.
struct Guard<'a> {
    core: &'a Core,
    call: CallId,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.core.abandoned(self.call);
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// How a call ended: the fate of each of its targets, in the order of the call.
#[derive(Debug)]
pub struct RpcResult<T = Bytes> {
    fates: Vec<(Member, RpcFate<T>)>,
    reached: bool,
}

impl RpcResult {
    fn new(end: CallEnd) -> RpcResult {
        let fates = end.fates.into_iter().map(|(member, fate)| (member, RpcFate::of(fate)));
        RpcResult { fates: fates.collect(), reached: end.reached }
    }

    /// The answers as Rust values.
    pub fn typed<T: DeserializeOwned>(self) -> RpcResult<T> {
        let fates = self.fates.into_iter().map(|(member, fate)| (member, fate.typed()));
        RpcResult { fates: fates.collect(), reached: self.reached }
    }
}

impl<T> RpcResult<T> {
    /// As many answered as the mode asks for, of those that have the RPC channel. With nobody to ask it is so, too.
    pub fn is_reached(&self) -> bool {
        self.reached
    }

    /// Every target and what became of the call there.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Member, &RpcFate<T>)> {
        self.fates.iter().map(|(member, fate)| (member, fate))
    }

    /// The answers.
    pub fn answers(&self) -> impl Iterator<Item = (&Member, &T)> {
        self.iter().filter_map(|(member, fate)| match fate {
            RpcFate::Answered(answer) => Some((member, answer)),
            _ => None,
        })
    }
}

impl<T> IntoIterator for RpcResult<T> {
    type Item = (Member, RpcFate<T>);
    type IntoIter = std::vec::IntoIter<(Member, RpcFate<T>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fates.into_iter()
    }
}
