//! An interceptor of one's own: it stamps every message with the tenant that it belongs to and lets no other in.
//!
//! ```text
//! cargo run -p clowder --example interceptor
//! ```
//!
//! Three channels in one process: two of the tenant "blue", one of "green".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use clowder::chain::{Above, Arrival, Below, Context, Flow, Interceptor, LayerConfig, Parcel, Refusal, Rejection};
use clowder::{Ack, Channel, SendOptions};

/// Puts the name and its length behind the body. All nodes need it at the same place of their chains.
#[derive(Debug)]
struct Tenant {
    name: &'static str,
    foreign: AtomicU64,
}

impl Interceptor for Tenant {
    fn name(&self) -> &'static str {
        "tenant"
    }

    fn outbound(&self, _: &mut Context<'_>, parcel: &mut Parcel, _: &mut Below<'_>) -> Result<Flow, Refusal> {
        let length = u8::try_from(self.name.len())
            .map_err(|_| Refusal { interceptor: "tenant", reason: "the name is longer than 255 bytes".to_owned() })?;
        parcel.draft.body.append(self.name.as_bytes());
        parcel.draft.body.append(&[length]);
        Ok(Flow::Pass)
    }

    fn inbound(&self, _: &mut Context<'_>, arrival: &mut Arrival, _: &mut Above<'_>) -> Result<Flow, Rejection> {
        let body = &arrival.message.body;
        let end = body.len().saturating_sub(1);
        let begin = end.saturating_sub(self.name.len());
        let ours = body.last().is_some_and(|length| usize::from(*length) == self.name.len());
        if !ours || &body[begin..end] != self.name.as_bytes() {
            self.foreign.fetch_add(1, Relaxed);
            // Positive: the sender learns nothing about who listens here.
            return Err(Rejection { interceptor: "tenant", kind: "foreign", answer: Ack::Ok });
        }
        arrival.message.body = body.slice(..begin);
        Ok(Flow::Pass)
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![("foreign", self.foreign.load(Relaxed))]
    }
}

async fn node(tenant: &'static str) -> Result<Channel, clowder::StartError> {
    let layer = LayerConfig::Custom(Arc::new(Tenant { name: tenant, foreign: AtomicU64::new(0) }));
    Channel::builder().listen("127.0.0.1:0").layer(layer).start().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (blue, other, green) = (node("blue").await?, node("blue").await?, node("green").await?);
    let (mut inbox, mut refusals) = (other.inbox(), green.refusals());
    blue.send([other.local(), green.local()], "hello", SendOptions::NONE).await?;
    if let Some(delivery) = inbox.recv().await {
        println!("blue got {:?}", delivery.body());
        delivery.done();
    }
    if let Some(refusal) = refusals.next().await {
        println!("green refused {refusal:?}");
    }
    Ok(())
}
