//! The side that answers: requests wait in a bounded queue and are handled beside each other, none of them on the task
//! of a connection.
//!
//! Differs from Tomcat: there a request is handled by the thread that reads the connection, so that a handler which
//! asks back can block the answer that it waits for.
//! Test: a_handler_may_ask_back_while_it_answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use clowder_proto::rpc::{NULL, RpcContent, RpcMessage};
use clowder_proto::wire::{Member, options};
use metrics::counter;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::builder::RpcChannelLimits;
use super::error::{self, RpcError};
use crate::SendOptions;
use crate::channel::{Channel, WeakChannel};
use crate::driver::env::compact;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answering = Pin<Box<dyn Future<Output = Result<RpcReply, BoxError>> + Send>>;
pub(super) type Handler = Box<dyn Fn(RpcRequest) -> Answering + Send + Sync>;
pub(super) type OnLeftOver = Box<dyn Fn(RpcLeftOver) + Send + Sync>;

/// A question of another member.
#[derive(Clone, Debug)]
pub struct RpcRequest {
    from: Member,
    payload: Bytes,
}

impl RpcRequest {
    /// Who asks, as the message says; nothing vouches for it.
    pub fn from(&self) -> &Member {
        &self.from
    }

    /// The question: a Java object stream with exactly one value.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The question as a Rust value.
    ///
    /// # Errors
    /// It does not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        error::read(&self.payload)
    }
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub struct RpcReply(Bytes);

impl RpcReply {
    /// A Rust value as a Java object.
    ///
    /// # Errors
    /// It has no Java form.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<RpcReply, RpcError> {
        java_object_stream::to_bytes(value).map(RpcReply).map_err(RpcError::Unwritable)
    }

    /// A Java object stream with exactly one value; anything else is not sent and counts as a failure.
    pub fn object(stream: impl Into<Bytes>) -> RpcReply {
        RpcReply(stream.into())
    }

    /// Null, which is an answer, too.
    pub fn null() -> RpcReply {
        RpcReply(Bytes::from_static(NULL))
    }
}

/// An answer that no call waits for: it came too late, or the call asked for none.
#[derive(Clone, Debug)]
pub struct RpcLeftOver {
    from: Member,
    payload: Bytes,
}

impl RpcLeftOver {
    /// Whose answer.
    pub fn from(&self) -> &Member {
        &self.from
    }

    /// The answer: a Java object stream with exactly one value.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The answer as a Rust value.
    ///
    /// # Errors
    /// It does not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        error::read(&self.payload)
    }
}

enum Work {
    Request(RpcRequest, RpcMessage),
    LeftOver(RpcLeftOver),
}

/// Where requests and left-over replies wait.
pub(super) struct Intake {
    queue: mpsc::Sender<(Work, OwnedSemaphorePermit)>,
    bytes: Arc<Semaphore>,
}

impl Intake {
    /// A request, with the payload that it holds. False: there is no room, and it gets no answer.
    pub(super) fn request(&self, from: &Member, message: &RpcMessage, payload: &Bytes) -> bool {
        let head = message.reply(RpcContent::NoChannel);
        let request = RpcRequest { from: compact(from), payload: payload.clone() };
        let taken = self.put(payload.len(), Work::Request(request, head));
        let name = if taken { "clowder_rpc_requests_total" } else { "clowder_rpc_requests_refused_total" };
        counter!(name).increment(1);
        taken
    }

    pub(super) fn left_over(&self, from: Member, payload: Bytes) {
        let bytes = payload.len();
        // Without room it is dropped; it is counted already.
        self.put(bytes, Work::LeftOver(RpcLeftOver { from, payload }));
    }

    fn put(&self, bytes: usize, work: Work) -> bool {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.bytes).try_acquire_many_owned(permits) else { return false };
        match self.queue.try_send((work, room)) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => false,
        }
    }
}

/// What a [`Server`] does with what comes.
pub(super) struct Callbacks {
    pub(super) handler: Handler,
    pub(super) on_left_over: Option<OnLeftOver>,
    pub(super) reply_options: SendOptions,
}

/// Starts the task of an RPC channel. It ends when the intake is dropped, or the channel stops.
pub(super) fn start(channel: &Channel, callbacks: Callbacks, limits: &RpcChannelLimits) -> Intake {
    let (queue, waiting) = mpsc::channel(limits.requests_max.max(1));
    let server = Server {
        channel: channel.downgrade(),
        callbacks: Arc::new(callbacks),
        beside: Arc::new(Semaphore::new(limits.concurrent_max.clamp(1, Semaphore::MAX_PERMITS))),
    };
    let (serving, stopped) = (server.run(waiting), channel.until_stopped());
    tokio::spawn(async move {
        tokio::select! {
            () = serving => {}
            () = stopped => {}
        }
    });
    let bytes = limits.request_bytes_max.min(Semaphore::MAX_PERMITS);
    Intake { queue, bytes: Arc::new(Semaphore::new(bytes)) }
}

struct Server {
    channel: WeakChannel,
    callbacks: Arc<Callbacks>,
    /// As many requests are handled beside each other.
    beside: Arc<Semaphore>,
}

impl Server {
    async fn run(self, mut waiting: mpsc::Receiver<(Work, OwnedSemaphorePermit)>) {
        while let Some((work, room)) = waiting.recv().await {
            let (request, head) = match work {
                Work::Request(request, head) => (request, head),
                Work::LeftOver(left_over) => {
                    self.callbacks.on_left_over.iter().for_each(|callback| callback(left_over.clone()));
                    continue;
                }
            };
            let Ok(turn) = Arc::clone(&self.beside).acquire_owned().await else { return };
            let (channel, callbacks) = (self.channel.clone(), Arc::clone(&self.callbacks));
            tokio::spawn(async move {
                let failed = CountUnlessDisarmed(true);
                let from = request.from.clone();
                let answer = (callbacks.handler)(request).await;
                drop((turn, room));
                reply(&channel, from, &head, answer, callbacks.reply_options, failed);
            });
        }
    }
}

/// Send an answer, or count that there is none: the one who asks waits for its timeout then.
fn reply(
    channel: &WeakChannel,
    to: Member,
    head: &RpcMessage,
    answer: Result<RpcReply, BoxError>,
    send: SendOptions,
    mut failed: CountUnlessDisarmed,
) {
    let body = answer.and_then(|RpcReply(payload)| Ok(head.reply(RpcContent::Reply(payload)).encode()?));
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            tracing::debug!(%to, %error, "a request gets no answer");
            return;
        }
    };
    let Some(channel) = channel.upgrade() else { return };
    failed.0 = false;
    channel.submit_then([to], body, send, |sent| {
        if let Err(error) = sent {
            tracing::debug!(%error, "an answer could not be sent");
            counter!("clowder_rpc_replies_failed_total").increment(1);
        }
    });
}

/// A handler that panics is one that did not answer.
struct CountUnlessDisarmed(bool);

impl Drop for CountUnlessDisarmed {
    fn drop(&mut self) {
        if self.0 {
            counter!("clowder_rpc_replies_failed_total").increment(1);
        }
    }
}

/// As a request or reply is sent: a Java object, and never acknowledged after processing. Tomcat removes that bit, too:
/// the processing of a request ends with its reply, whose acknowledgement might wait for that of the request.
pub(super) fn rpc_options(options: SendOptions) -> SendOptions {
    options.without(options::SYNCHRONIZED_ACK).byte_message(false)
}
