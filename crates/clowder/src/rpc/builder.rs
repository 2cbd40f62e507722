//! Opens an RPC channel.

use std::future::Future;

use bytes::Bytes;
use clowder_proto::rpc::{Calls, CallsConfig};

use super::call::RpcChannel;
use super::core::Core;
use super::error::RpcError;
use super::hub::hub_of;
use super::serve::{self, Callbacks, Handler, OnLeftOver, RpcLeftOver, RpcReply, RpcRequest, rpc_options};
use crate::{Channel, SendOptions};

/// How much an RPC channel holds. Reaching a limit is counted and never fatal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcChannelLimits {
    /// Of the side that asks.
    pub calls: CallsConfig,
    /// Requests of others that are handled at a time. Default 64.
    pub concurrent_max: usize,
    /// Requests of others and left-over replies that wait for their turn; beyond, they are dropped. Default 1,024.
    pub requests_max: usize,
    /// Bytes of requests that wait or are being handled, and of left-over replies; beyond, they are dropped. Default
    /// 64 MiB.
    pub request_bytes_max: usize,
}

impl Default for RpcChannelLimits {
    fn default() -> Self {
        RpcChannelLimits {
            calls: CallsConfig::default(),
            concurrent_max: 64,
            requests_max: 1_024,
            request_bytes_max: 64 << 20,
        }
    }
}

impl Channel {
    /// Configure an RPC channel: members with one of the same id can ask each other. The id is any bytes; Tomcat's
    /// replicated maps use their names.
    pub fn rpc(&self, id: impl Into<Bytes>) -> RpcChannelBuilder {
        RpcChannelBuilder {
            channel: self.clone(),
            id: id.into(),
            handler: None,
            on_left_over: None,
            reply_options: SendOptions::from_bits(0),
            limits: RpcChannelLimits::default(),
        }
    }
}

/// An RPC channel that is not open yet.
#[must_use = "an RPC channel has to be opened"]
pub struct RpcChannelBuilder {
    channel: Channel,
    id: Bytes,
    handler: Option<Handler>,
    on_left_over: Option<OnLeftOver>,
    reply_options: SendOptions,
    limits: RpcChannelLimits,
}

impl RpcChannelBuilder {
    /// Answer the questions of others. Several run beside each other, up to [`RpcChannelLimits::concurrent_max`], on the tokio
    /// runtime; those of one member begin in the order in which they came. After an error, or a panic, nothing is sent,
    /// and who asked waits for its timeout. Tomcat: `RpcCallback.replyRequest`.
    ///
    /// Without a handler the RPC channel only asks, and who asks it is told that there is none.
    ///
    /// A handler that holds this [`RpcChannel`] keeps it open until the channel stops.
    pub fn on_request<F, A, E>(mut self, handler: F) -> Self
    where
        F: Fn(RpcRequest) -> A + Send + Sync + 'static,
        A: Future<Output = Result<RpcReply, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.handler = Some(Box::new(move |request| {
            let answering = handler(request);
            Box::pin(async move { answering.await.map_err(Into::into) })
        }));
        self
    }

    /// Be given the answers that no call waits for. Called for one after the other, between the beginnings of requests:
    /// it must not block. Without it they are counted and dropped. Tomcat: `RpcCallback.leftOver`.
    pub fn on_left_over(mut self, callback: impl Fn(RpcLeftOver) + Send + Sync + 'static) -> Self {
        self.on_left_over = Some(Box::new(callback));
        self
    }

    /// How answers are sent. Never with a wait for their processing. Default: without any acknowledgement, as in
    /// Tomcat.
    pub fn reply_options(mut self, options: SendOptions) -> Self {
        self.reply_options = options;
        self
    }

    /// The limits.
    pub fn limits(mut self, limits: RpcChannelLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Open it. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Another RPC channel of this node has the id, or it is too long. Nothing was opened.
    pub fn open(self) -> Result<RpcChannel, RpcError> {
        let RpcChannelBuilder { channel, id, handler, on_left_over, reply_options, limits } = self;
        let hub = hub_of(&channel);
        let (len, max) = (id.len(), hub.id_bytes_max());
        if len > max {
            return Err(RpcError::IdTooLong { len, max });
        }
        let made = hub.register(&id, || {
            let serves = handler.is_some();
            let handler = handler.unwrap_or_else(|| Box::new(|_| Box::pin(async { Ok(RpcReply::null()) })));
            let callbacks = Callbacks { handler, on_left_over, reply_options: rpc_options(reply_options) };
            let intake = serve::start(&channel, callbacks, &limits);
            let calls = Calls::new(limits.calls, id.clone());
            Core::new(channel, &hub, id.clone(), calls, intake, serves)
        });
        let taken = || RpcError::IdTaken { id: String::from_utf8_lossy(&id).into_owned() };
        Ok(RpcChannel { core: made.ok_or_else(taken)? })
    }
}
