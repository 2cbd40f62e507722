//! A manager on a channel: its messages out, received ones in, members as they come and go.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use clowder_proto::session::{self as proto, Incoming, Send as Message, SessionsConfig};
use clowder_proto::wire;

use super::builder::DriverConfig;
use super::confirmation::Confirmation;
use super::core::{self, Core};
use super::driver::keep_time;
use super::outlet::Outlet;
use super::route::Contexts;
use super::{SessionError, Sessions};
use crate::view::{ViewChange, ViewChanges};
use crate::{Channel, Delivery, Listener, SendOptions};

/// Starts a manager and waits until it holds the state of the cluster, or has given up on it.
pub(super) async fn start(
    channel: &Channel,
    config: SessionsConfig,
    driver: DriverConfig,
) -> Result<Sessions, SessionError> {
    let machine = proto::Sessions::new(config, &channel.local().id, core::now());
    let core = Core::new(machine, driver, Box::new(ToChannel { channel: channel.clone() }));
    // Messages are taken before anybody is asked for state, so that none falls between the two.
    if !contexts_of(channel).register(&core) {
        return Err(SessionError::ContextTaken { context: core.context.clone() });
    }
    // A node that believes itself alone asks nobody.
    channel.settled().await;
    let changes = channel.views();
    let members = changes.view().members().to_vec();
    core.input(|inner, now| {
        for member in members {
            inner.machine.joined(now, member);
        }
        inner.machine.started(now);
    });
    tokio::spawn(keep_time(Arc::downgrade(&core), core.nearer.clone()));
    tokio::spawn(follow_members(Arc::downgrade(&core), changes));
    // The machine has its own limit for this wait.
    Confirmation::of(vec![core.ready.clone()]).await;
    Ok(Sessions { core })
}

/// Tells the machine who joined and who left. Ends with the channel, or at the first change after the manager's end.
async fn follow_members(core: Weak<Core>, mut changes: ViewChanges) {
    while let Some(ViewChange { left, joined, updated, .. }) = changes.next().await {
        let Some(core) = core.upgrade() else { return };
        core.input(|inner, now| {
            // Who is in both lists left first and came back as another process.
            for (member, _) in &left {
                inner.machine.left(now, &member.id);
            }
            for member in joined.into_iter().chain(updated) {
                inner.machine.joined(now, member);
            }
        });
    }
}

/// The listener of this channel's session messages; made with the first context.
fn contexts_of(channel: &Channel) -> Arc<Contexts> {
    let mut made = false;
    let contexts = channel.extension(|| {
        made = true;
        Contexts::default()
    });
    if made {
        channel.listen_for(contexts.clone());
    }
    contexts
}

impl Listener for Contexts {
    fn accept(&self, message: &wire::Message) -> bool {
        message.options & wire::options::BYTE_MESSAGE == 0 && Incoming::matches(&message.body)
    }

    fn received(&self, delivery: Delivery) {
        self.received(&delivery);
        // A message that cannot be read is confirmed as well: it would be no better the second time.
        // Tomcat: DeltaManager.messageDataReceived logs and swallows, and the acknowledgement is positive.
        delivery.done();
    }
}

/// Sends a manager's messages.
struct ToChannel {
    channel: Channel,
}

impl Outlet for ToChannel {
    fn submit(&self, core: &Arc<Core>, message: Message) {
        let Message { token, to, options, key, body, .. } = message;
        let (core, targets) = (core.clone(), to.clone());
        let options = SendOptions::from_bits(options).ordered_by(key);
        self.channel.submit_then(to.iter(), body.encode(), options, move |result| match result {
            Ok(_) => core.sent(token, targets.iter().map(|member| (&member.id, true))),
            Err(error) => {
                tracing::debug!(context = %core.context, %error, "a session message failed; it will be repaired");
                let failed = |member: &wire::Member| error.failed.iter().any(|(failed, _)| failed.id == member.id);
                core.sent(token, targets.iter().map(|member| (&member.id, !failed(member))));
            }
        });
    }

    fn answer(&self, to: &wire::Member, body: Bytes) {
        // Who asked and is gone needs no answer.
        self.channel.submit_then([to], body, SendOptions::SYNC.byte_message(false), |_| {});
    }
}
