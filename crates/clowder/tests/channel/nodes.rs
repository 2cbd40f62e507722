//! Nodes for tests, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clowder::{
    Channel, ChannelBuilder, Delivery, Inbox, Listener, Member, Message, Receipt, ReceiverKind, SendError, SendFailure,
};
use tokio::net::TcpListener;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node at a free port of loopback that knows nobody. In `threads.rs`, which repeats tests of others, it receives with
/// threads.
pub(crate) fn builder() -> ChannelBuilder {
    let threads = module_path!().starts_with("threads::");
    let kind = if threads { ReceiverKind::Threads { max_threads: 1_000 } } else { ReceiverKind::Async };
    Channel::builder().listen("127.0.0.1:0").receiver(kind)
}

pub(crate) async fn node() -> Channel {
    builder().start().await.unwrap()
}

/// A sender and a receiver with its inbox.
pub(crate) async fn pair() -> (Channel, Channel, Inbox) {
    let (from, to) = (node().await, node().await);
    let inbox = to.inbox();
    (from, to, inbox)
}

/// Fails the test instead of hanging.
pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Lets the other tasks run until it is so.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    patiently(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) async fn next(inbox: &mut Inbox) -> Delivery {
    patiently(inbox.recv()).await.expect("the node runs")
}

/// A member at an address where nobody listens any more.
pub(crate) async fn nobody() -> Member {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Member::new(listener.local_addr().unwrap(), [9; 16])
}

/// The failures of a send, without the members.
pub(crate) fn failures(result: Result<Receipt, SendError>) -> Vec<SendFailure> {
    result.err().map_or(Vec::new(), |error| error.failed.into_iter().map(|(_, failure)| failure).collect())
}

/// A number as the body of a message, and back.
pub(crate) fn body(n: u32) -> Bytes {
    Bytes::copy_from_slice(&n.to_be_bytes())
}

pub(crate) fn number(body: &Bytes) -> u32 {
    u32::from_be_bytes(body[..4].try_into().unwrap())
}

/// A listener that takes what begins with `prefix`.
struct Takes<F>(&'static [u8], F);

impl<F: Fn(Delivery) + Send + Sync> Listener for Takes<F> {
    fn accept(&self, message: &Message) -> bool {
        message.body.starts_with(self.0)
    }

    fn received(&self, delivery: Delivery) {
        self.1(delivery);
    }
}

/// From now on `received` gets what begins with `prefix`. What is returned can be removed again.
pub(crate) fn listen(
    channel: &Channel,
    prefix: &'static [u8],
    received: impl Fn(Delivery) + Send + Sync + 'static,
) -> Arc<dyn Listener> {
    let listener: Arc<dyn Listener> = Arc::new(Takes(prefix, received));
    channel.listen_for(Arc::clone(&listener));
    listener
}
