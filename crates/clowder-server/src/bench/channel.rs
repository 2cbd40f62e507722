//! `clowder bench channel`: messages from this process to a receiver in another one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clowder::{Channel, Member, SendOptions};
use serde_json::{Value, json};

use super::cost::{Figures, Rounds};
use super::cpu;
use super::load::{self, Measured, Operation};
use super::{mb_per_second, per_second, pingpong, print, progress};
use crate::cli::{AckMode, BenchChannelArgs, Peer};
use crate::cluster;
use crate::joining::chain_text;
use crate::process::Process;

const SENDERS: [u32; 6] = [1, 8, 24, 64, 256, 2000];
const ACKS: [AckMode; 3] = [AckMode::None, AckMode::Received, AckMode::Processed];
/// Longest wait for the receiver to become a member.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Run all cases.
///
/// # Errors
/// The receiver cannot be started or does not become a member.
pub(super) async fn run(args: BenchChannelArgs) -> Result<()> {
    let senders = if args.senders.is_empty() { SENDERS.to_vec() } else { args.senders.clone() };
    let acks = if args.ack.is_empty() { ACKS.to_vec() } else { args.ack.clone() };
    let chains = if args.chain.is_empty() { vec![String::new()] } else { args.chain.clone() };
    let rounds = args.rounds as usize;
    let bar = progress(senders.len() * acks.len() * chains.len() * rounds + 1)?;
    let mut pairs = Vec::new();
    for chain in &chains {
        pairs.push(Pair::start(&args, chain).await?);
    }
    bar.set_message("raw ping-pong");
    if let Some(receiver) = &pairs[0].receiver {
        let echo = receiver.said("echo")?.parse().context("the receiver's echo address")?;
        let measured = pingpong::run(echo, args.size as usize, args.seconds).await?;
        print(&result("raw-pingpong", &args, "", 1, "echo", &measured))?;
    }
    bar.inc(1);
    let body = Bytes::from(std::iter::repeat_with(|| fastrand::u8(..)).take(args.size as usize).collect::<Vec<u8>>());
    let names: Vec<&str> = chains.iter().map(String::as_str).collect();
    for ack in acks {
        for &count in &senders {
            let mut costs = Rounds::default();
            for round in 0..rounds {
                let mut figures = vec![Figures::default(); pairs.len()];
                // Each round begins with another chain, so that none always has the same neighbour.
                for index in (0..pairs.len()).map(|step| (step + round) % pairs.len()) {
                    let pair = &pairs[index];
                    bar.set_message(format!("{count} senders, ack {ack}, chain {:?}", pair.chain));
                    let workers = (0..count).map(|_| pair.sender(&body, ack)).collect();
                    let (measured, _) = load::run_metered(workers, args.seconds, || pair.cpu()).await?;
                    figures[index] = Figures {
                        throughput: per_second(measured.latencies.count(), measured.time),
                        cpu_us: cpu_us(&measured),
                    };
                    let line = result("channel", &args, &pair.chain, count, &ack.to_string(), &measured);
                    bar.suspend(|| print(&line))?;
                    bar.inc(1);
                }
                costs.push(figures);
            }
            for line in costs.lines(&names, count, &ack.to_string()) {
                bar.suspend(|| print(&line))?;
            }
        }
    }
    bar.finish_and_clear();
    for pair in pairs {
        pair.end().await;
    }
    Ok(())
}

/// A channel and the receiver that it sends to.
struct Pair {
    chain: String,
    channel: Channel,
    member: Member,
    receiver: Option<Process>,
}

impl Pair {
    async fn start(args: &BenchChannelArgs, chain: &str) -> Result<Pair> {
        let (receiver, target) = match &args.target {
            Some(target) => (None, target.clone()),
            None => {
                let words = ["bench-receiver", "--chain", chain, "--receiver", args.receiver.name()].map(str::to_owned);
                let (receiver, _) = Process::start(&words, false).await?;
                let target: Peer = receiver.said("cluster")?.parse().map_err(anyhow::Error::msg)?;
                (Some(receiver), target)
            }
        };
        let (channel, member) = join(&target, chain).await?;
        Ok(Pair { chain: chain.to_owned(), channel, member, receiver })
    }

    fn sender(&self, body: &Bytes, ack: AckMode) -> Sender {
        Sender { channel: self.channel.clone(), to: self.member.clone(), body: body.clone(), options: options(ack) }
    }

    /// What this process and the receiver have spent.
    fn cpu(&self) -> Option<Duration> {
        let receiver = self.receiver.as_ref()?.pid()?;
        cpu::used(&[std::process::id(), receiver])
    }

    async fn end(self) {
        self.channel.stop().await;
        if let Some(receiver) = self.receiver {
            receiver.end().await;
        }
    }
}

fn options(ack: AckMode) -> SendOptions {
    let options = match ack {
        AckMode::None => SendOptions::NONE,
        AckMode::Received => SendOptions::USE_ACK,
        AckMode::Processed => SendOptions::SYNC,
    };
    options.byte_message(true)
}

/// A channel that has the target as its only member.
async fn join(target: &Peer, chain: &str) -> Result<(Channel, Member)> {
    let member = cluster::member(target).await?;
    let builder = Channel::builder().listen("127.0.0.1:0").member(member).chain(chain_text::parse(chain)?);
    let channel = builder.start().await.context("cannot start a channel")?;
    let deadline = Instant::now() + JOIN_TIMEOUT;
    let mut changes = channel.views();
    loop {
        let others = channel.view().others();
        if let Some(member) = others.into_iter().find(|member| member.id.unique_id == target.unique_id.0) {
            return Ok((channel, member));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, changes.next()).await {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => bail!(
                "{target} did not become a member within {JOIN_TIMEOUT:?}: does it run, and is that its address and id?"
            ),
        }
    }
}

struct Sender {
    channel: Channel,
    to: Member,
    body: Bytes,
    options: SendOptions,
}

impl Operation for Sender {
    async fn once(&mut self) -> bool {
        self.channel.send([self.to.clone()], self.body.clone(), self.options).await.is_ok()
    }
}

/// Time on processors at both ends, for each message.
#[allow(clippy::cast_precision_loss)] // counts far below 2^52
fn cpu_us(measured: &Measured) -> Option<f64> {
    let count = Some(measured.latencies.count()).filter(|count| *count > 0)?;
    Some((measured.cpu?.as_secs_f64() * 1e9 / count as f64).round() / 1e3)
}

fn result(case: &str, args: &BenchChannelArgs, chain: &str, senders: u32, ack: &str, measured: &Measured) -> Value {
    let (latencies, count) = (&measured.latencies, measured.latencies.count());
    json!({
        "case": case,
        "size": args.size,
        "chain": chain,
        "receiver": args.receiver.name(),
        "senders": senders,
        "ack": ack,
        "msgs_per_s": per_second(count, measured.time),
        "mb_per_s": mb_per_second(count, args.size, measured.time),
        "cpu_us": cpu_us(measured),
        "p50_us": latencies.percentile_us(0.5),
        "p99_us": latencies.percentile_us(0.99),
        "p999_us": latencies.percentile_us(0.999),
        "errors": measured.errors,
    })
}
