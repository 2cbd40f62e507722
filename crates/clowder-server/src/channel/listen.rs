//! `clowder channel listen`: one line for each event.

use anyhow::{Context, Result};
use clowder::view::{Left, ViewChange};
use clowder::{Channel, Delivery, Leadership, Member, Refusal};
use clowder_proto::group::LeftReason;
use serde_json::{Map, Value, json};

use super::numbered::{Account, Numbered};
use super::{name, print, rpc, sha256};
use crate::cli::ListenArgs;
use crate::end::End;
use crate::joining;

/// Longest text that is shown without `--body`.
const TEXT_MAX: usize = 256;

/// Be a member until told to end, or until nobody reads.
///
/// # Errors
/// The channel cannot start, or standard output cannot be written.
pub(super) async fn run(args: ListenArgs) -> Result<()> {
    let mut end = End::new(args.end.end_with_stdin)?;
    let joining = joining::describe(&args.end, joining::CLUSTER).await?;
    let layers = joining.layers();
    let channel = joining.start().await?;
    let mut inbox = channel.inbox();
    let (mut views, mut leaders, mut refusals) = (channel.views(), channel.leaders(), channel.refusals());
    let ids = args.rpc_ids.iter();
    let _answering: Vec<_> =
        ids.map(|id| rpc::answer(&channel, id, args.reply)).collect::<Result<_, _>>().context("--rpc-id")?;
    let mut listener = Listener { args, totals: Totals::default() };
    let mut reads = print(&ready(&channel, &layers))?;
    for member in views.view().members() {
        reads &= print(&joined(member))?;
    }
    if let Some(leadership) = leaders.current() {
        reads &= print(&leader(&leadership, &channel))?;
    }
    while reads {
        // Members first: who sends has joined.
        tokio::select! {
            biased;
            why = end.reached() => {
                tracing::info!("{why}: leaving");
                break;
            }
            Some(change) = views.next() => reads = listener.members(&change)?,
            Some(leadership) = leaders.next() => reads = print(&leader(&leadership, &channel))?,
            Some(refusal) = refusals.next() => reads = listener.refused(&refusal)?,
            Some(delivery) = inbox.recv() => reads = listener.received(delivery)?,
            else => break,
        }
    }
    let stopping = async {
        channel.stop().await;
        std::future::pending::<()>().await; // the inbox ends then
    };
    tokio::pin!(stopping);
    while reads {
        // What comes while the others are told is answered like everything before it.
        tokio::select! {
            delivery = inbox.recv() => match delivery {
                Some(delivery) => reads = listener.received(delivery)?,
                None => break,
            },
            () = &mut stopping => {}
        }
    }
    channel.stop().await;
    if reads {
        print(&listener.totals.summary())?;
    }
    Ok(())
}

fn ready(channel: &Channel, layers: &[&str]) -> Value {
    let local = channel.local();
    json!({
        "event": "ready",
        "member": name(&local.id),
        "cluster": local.id.socket_addr().map(|address| address.to_string()),
        "id": hex::encode(local.id.unique_id),
        "chain": layers,
    })
}

fn joined(member: &Member) -> Value {
    let mut event = Map::new();
    event.insert("event".into(), json!("joined"));
    event.insert("member".into(), json!(name(&member.id)));
    if !member.domain.is_empty() {
        event.insert("domain".into(), json!(String::from_utf8_lossy(&member.domain)));
    }
    Value::Object(event)
}

fn leader(leadership: &Leadership, channel: &Channel) -> Value {
    let names: Vec<String> = leadership.members.iter().map(|member| name(&member.id)).collect();
    json!({
        "event": "leader",
        "member": name(&leadership.leader.id),
        "self": leadership.leader.id == channel.local().id,
        "address": leadership.leader.id.socket_addr().map(|addr| addr.to_string()),
        "members": names,
        "view_id": leadership.view_id.map(|id| id.to_string()),
    })
}

struct Listener {
    args: ListenArgs,
    totals: Totals,
}

/// What is said at the end.
#[derive(Default)]
struct Totals {
    received: u64,
    bytes: u64,
    refused: u64,
    numbered: Account,
}

impl Totals {
    fn summary(&self) -> Value {
        json!({
            "event": "summary",
            "received": self.received,
            "bytes": self.bytes,
            "refused": self.refused,
            "lost": self.numbered.lost(),
            "repeated": self.numbered.repeated,
            "overtaken": self.numbered.overtaken,
            "damaged": self.numbered.damaged,
        })
    }
}

impl Listener {
    /// Each of these is false if nobody reads any more.
    fn members(&self, change: &ViewChange) -> Result<bool> {
        let mut reads = true;
        for (member, left) in &change.left {
            reads &= print(&json!({ "event": "left", "member": name(&member.id), "reason": reason(left) }))?;
        }
        for member in &change.joined {
            reads &= print(&joined(member))?;
        }
        Ok(reads)
    }

    fn refused(&mut self, refusal: &Refusal) -> Result<bool> {
        self.totals.refused += 1;
        print(&match refusal {
            Refusal::Connection { peer, kind } => json!({ "event": "refused", "peer": peer, "kind": kind }),
            Refusal::Tls { peer, kind, reason } => {
                json!({ "event": "refused", "peer": peer, "kind": kind, "reason": reason })
            }
            Refusal::Message { peer, from, interceptor, kind } => json!({
                "event": "refused",
                "peer": peer,
                "from": name(from),
                "interceptor": interceptor,
                "kind": kind,
            }),
            other => json!({ "event": "refused", "kind": format!("{other:?}") }),
        })
    }

    fn received(&mut self, delivery: Delivery) -> Result<bool> {
        let reads = print(&self.message(&delivery))?;
        if self.args.fail || !reads {
            delivery.fail();
        } else {
            delivery.done();
        }
        Ok(reads)
    }

    fn message(&mut self, delivery: &Delivery) -> Value {
        let body = delivery.body();
        self.totals.received += 1;
        self.totals.bytes += body.len() as u64;
        let mut event = Map::new();
        event.insert("event".into(), json!("message"));
        event.insert("from".into(), json!(name(&delivery.from().id)));
        event.insert("options".into(), json!(delivery.options()));
        event.insert("id".into(), json!(hex::encode(&delivery.id().0)));
        event.insert("size".into(), json!(body.len()));
        event.insert("sha256".into(), json!(sha256(body)));
        if let Some(numbered) = Numbered::read(body) {
            self.totals.numbered.add(numbered);
            event.insert("numbered".into(), view(numbered));
        }
        match text(body) {
            Some(text) if self.args.body || body.len() <= TEXT_MAX => {
                event.insert("text".into(), json!(text));
            }
            None if self.args.body => {
                event.insert("hex".into(), json!(hex::encode(body)));
            }
            _ => {}
        }
        Value::Object(event)
    }
}

fn view(numbered: Numbered) -> Value {
    let Numbered { sender, lane, number, intact } = numbered;
    let (sender, lane) = (format!("{sender:08x}"), format!("{lane:08x}"));
    json!({ "sender": sender, "lane": lane, "number": number, "intact": intact })
}

/// A body that can be shown as it is.
fn text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    text.chars().all(|c| !c.is_control() || "\n\r\t".contains(c)).then_some(text)
}

fn reason(left: &Left) -> String {
    match left {
        Left::Reason(LeftReason::Goodbye) => "said goodbye".to_owned(),
        Left::Reason(LeftReason::Dead(probe)) => format!("dead: {probe}"),
        Left::Reason(LeftReason::Expired(probe)) => format!("silent: {probe}"),
        Left::Reason(LeftReason::Replaced) => "replaced by a newer process at its address".to_owned(),
        Left::Missed => "unknown: too many changes at once".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_and_bytes_are_not() {
        assert_eq!(text("hellö\n".as_bytes()), Some("hellö\n"));
        assert_eq!(text(b""), Some(""));
        assert_eq!([&b"\x00"[..], b"\xff", b"a\x1b[1m"].map(text), [None, None, None]);
    }
}
