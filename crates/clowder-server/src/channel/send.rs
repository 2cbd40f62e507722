//! `clowder channel send`: one line for the outcome of each message at each member.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder::{Channel, Fate, Member, MemberId, Pending, Receipt, SendError, SendOptions, options};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{name, numbered, print, sha256, targets};
use crate::cli::SendArgs;
use crate::end::End;
use crate::joining;

/// Longest body from a file or standard input.
const BODY_BYTES_MAX: u64 = 1 << 30;
/// Asynchronous messages of one sender whose outcome is not known yet.
const QUEUED_MAX: usize = 256;
/// Outcomes that wait to be printed.
const UNPRINTED_MAX: usize = 1024;

/// Send everything and print every outcome. Told to end, it takes no more messages and waits for the outcomes of those
/// that are on their way.
///
/// # Errors
/// The channel cannot start, the body cannot be read, there is nobody to send to, a message failed, or not everything
/// was sent.
pub(super) async fn run(args: SendArgs) -> Result<()> {
    let mut end = End::new(args.end.end_with_stdin)?;
    let body = body(&args)?;
    let mut joining = joining::describe(&targets::joining(&args.end, &args.to), targets::CLUSTER).await?;
    if let Some(timeout) = args.timeout {
        joining.builder = joining.builder.send_timeout(timeout);
    }
    let channel = joining.start().await?;
    let targets = tokio::select! {
        targets = targets::of(&args.to, &channel) => targets,
        why = end.reached() => Err(anyhow::anyhow!("{why}: nothing was sent")),
    };
    let result = match targets {
        Ok(targets) => send(&args, &channel, targets.into(), body, &mut end).await,
        Err(error) => Err(error),
    };
    channel.stop().await;
    result
}

/// What messages carry.
enum Body {
    Fixed(Bytes),
    /// Of these sizes.
    Numbered(Vec<u32>),
}

/// All messages, by their index.
struct Batch {
    body: Body,
    options: Vec<i32>,
    /// Of each size and with each of the options.
    count: u32,
    /// How many were taken by senders.
    taken: AtomicU64,
}

impl Batch {
    fn len(&self) -> u64 {
        let sizes = match &self.body {
            Body::Fixed(_) => 1,
            Body::Numbered(sizes) => sizes.len(),
        };
        sizes as u64 * self.options.len() as u64 * u64::from(self.count)
    }

    /// There is no next message. True: there would have been one.
    fn end(&self) -> bool {
        self.taken.fetch_max(self.len(), Ordering::Relaxed) < self.len()
    }

    /// The next message: its index, its size if it is to be numbered, its options.
    fn take(&self) -> Option<(u64, Option<u32>, i32)> {
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        if index >= self.len() {
            return None;
        }
        let group = usize::try_from(index / u64::from(self.count)).ok()?;
        let size = match &self.body {
            Body::Fixed(_) => None,
            Body::Numbered(sizes) => Some(sizes[group / self.options.len()]),
        };
        Some((index, size, self.options[group % self.options.len()]))
    }
}

fn body(args: &SendArgs) -> Result<Body> {
    if !args.size.is_empty() {
        return Ok(Body::Numbered(args.size.clone()));
    }
    if let Some(text) = &args.text {
        return Ok(Body::Fixed(text.clone().into()));
    }
    let Some(file) = &args.file else {
        bail!("nothing to send: give --text S, --size BYTES, @FILE, or - for standard input");
    };
    let mut bytes = Vec::new();
    match file.strip_prefix('@') {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(BODY_BYTES_MAX + 1).read_to_end(&mut bytes))
            .with_context(|| format!("cannot read {path}"))?,
        None => std::io::stdin()
            .lock()
            .take(BODY_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?,
    };
    if bytes.len() as u64 > BODY_BYTES_MAX {
        bail!("the body has more than {BODY_BYTES_MAX} bytes");
    }
    Ok(Body::Fixed(bytes.into()))
}

async fn send(args: &SendArgs, channel: &Channel, targets: Arc<[Member]>, body: Body, end: &mut End) -> Result<()> {
    let batch = Arc::new(Batch { body, options: args.options.clone(), count: args.count, taken: AtomicU64::new(0) });
    let (outcomes, mut printed) = mpsc::channel(UNPRINTED_MAX);
    let mut senders = JoinSet::new();
    for _ in 0..u64::from(args.parallel).min(batch.len()) {
        senders.spawn(Sender::new(channel, &targets, &batch, &outcomes).run());
    }
    drop(outcomes);
    let (mut all, mut failed) = (0_u64, 0_u64);
    let (mut is_ending, mut cut_short) = (false, None);
    loop {
        let lines = tokio::select! {
            lines = printed.recv() => lines,
            why = end.reached(), if !is_ending => {
                is_ending = true;
                cut_short = batch.end().then_some(why);
                continue;
            }
        };
        let Some(lines) = lines else { break };
        for line in lines {
            all += 1;
            failed += u64::from(line["outcome"] == "failed");
            if !print(&line)? {
                return Ok(()); // nobody wants to know
            }
        }
    }
    while let Some(ended) = senders.join_next().await {
        ended.context("a sender failed")?;
    }
    if let Some(why) = cut_short {
        bail!("{why}: not everything was sent; {failed} of {all} outcomes are failures");
    }
    if failed > 0 {
        bail!("{failed} of {all} outcomes are failures; each line with \"outcome\":\"failed\" has its reason");
    }
    Ok(())
}

/// Sends one message after the other.
struct Sender {
    channel: Channel,
    targets: Arc<[Member]>,
    batch: Arc<Batch>,
    lane: u32,
    outcomes: mpsc::Sender<Vec<Value>>,
}

/// What is said of a message besides its outcome.
struct Sent {
    index: u64,
    options: i32,
    size: usize,
    sha256: String,
}

impl Sender {
    fn new(
        channel: &Channel,
        targets: &Arc<[Member]>,
        batch: &Arc<Batch>,
        outcomes: &mpsc::Sender<Vec<Value>>,
    ) -> Sender {
        let (channel, targets, batch) = (channel.clone(), Arc::clone(targets), Arc::clone(batch));
        Sender { channel, targets, batch, lane: fastrand::u32(..), outcomes: outcomes.clone() }
    }

    async fn run(self) {
        let mut queued: VecDeque<(Sent, Pending)> = VecDeque::new();
        let mut number = 0;
        while let Some((index, size, options)) = self.batch.take() {
            let body = match (&self.batch.body, size) {
                (Body::Fixed(body), _) => body.clone(),
                (Body::Numbered(_), size) => {
                    let size = size.unwrap_or_default() as usize;
                    numbered::make(&self.channel.local().id.unique_id, self.lane, number, size)
                }
            };
            number += u32::from(numbered::has_number(body.len()));
            let sent = Sent { index, options, size: body.len(), sha256: sha256(&body) };
            if options & options::ASYNCHRONOUS != 0 {
                let pending = self.channel.submit(self.targets.iter(), body, SendOptions::from_bits(options));
                queued.push_back((sent, pending));
                self.tell_queued(&mut queued, QUEUED_MAX).await;
            } else {
                let outcome = self.channel.send(self.targets.iter(), body, SendOptions::from_bits(options)).await;
                self.tell(&sent, outcome).await;
            }
        }
        self.tell_queued(&mut queued, 0).await;
    }

    /// Wait for the first of them until at most `max` are left.
    async fn tell_queued(&self, queued: &mut VecDeque<(Sent, Pending)>, max: usize) {
        while queued.len() > max
            && let Some((sent, pending)) = queued.pop_front()
        {
            self.tell(&sent, pending.await).await;
        }
    }

    async fn tell(&self, sent: &Sent, outcome: Result<Receipt, SendError>) {
        let lines = match &outcome {
            Ok(receipt) => receipt.iter().map(|(member, fate)| line(sent, &member.id, Ok(fate))).collect(),
            Err(error) => {
                // What an error tells of those who have the message is not how they said so.
                let fate = if sent.options & options::USE_ACK == 0 { Fate::Written } else { Fate::Acknowledged };
                let failed = error.failed.iter();
                let failed = failed.map(|(member, failure)| line(sent, &member.id, Err(failure.to_string())));
                let delivered = error.delivered.iter().map(|member| line(sent, &member.id, Ok(fate)));
                failed.chain(delivered).collect()
            }
        };
        let _ = self.outcomes.send(lines).await; // an error: nobody reads any more
    }
}

fn line(sent: &Sent, member: &MemberId, fate: Result<Fate, String>) -> Value {
    let mut line = Map::new();
    line.insert("message".into(), json!(sent.index));
    line.insert("member".into(), json!(name(member)));
    line.insert("options".into(), json!(sent.options));
    line.insert("size".into(), json!(sent.size));
    line.insert("sha256".into(), json!(sent.sha256));
    let outcome = match &fate {
        Ok(Fate::Acknowledged) => "acknowledged",
        Ok(Fate::Written) => "written",
        Ok(_) => "queued",
        Err(_) => "failed",
    };
    line.insert("outcome".into(), json!(outcome));
    if let Err(reason) = fate {
        line.insert("reason".into(), json!(reason));
    }
    Value::Object(line)
}
