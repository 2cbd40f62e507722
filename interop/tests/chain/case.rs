//! One chain between a Tomcat channel and Clowder, in both directions.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clowder_interop::{ChainNode, Generation, Listener, Messages, PATIENCE, Seats, netcat, wait_until};

/// Every combination of bits 1, 2 and 4, and asynchronous ones. Bit 1 is always set for a body of bytes.
const OPTIONS: [u32; 6] = [0, 2, 4, 6, 8, 10];
const SIZES: [u32; 4] = [0, 1, 1_000, 100_000];
/// Messages of each size with each of the options.
const COUNT: u32 = 4;
const SENDERS: u32 = 3;

/// The size of one more message.
const LARGE: u32 = 10_000_000;
/// How long Tomcat waits for an acknowledgement, and Clowder for that of a large message. The default is 3 s; a debug build
/// of Clowder takes 2 s to decrypt one.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What Tomcat says in good cases.
pub(crate) const EXPECTED: [&str; 2] = [
    "There is no TcpFailureDetector",
    // Tomcat's channel goes down between two chains while a worker still looks at a connection.
    "Keep alive socket closed[null]",
];

/// What a chain is tried with.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) chain: &'a str,
    /// Bits that each message carries besides those that vary.
    pub(crate) flags: u32,
    pub(crate) options: &'a [u32],
    /// The size of one message at the end; none if 0.
    pub(crate) large: u32,
    /// The chain keeps the order of each sender, also of those who wait for nothing.
    pub(crate) ordered: bool,
    /// Parts of warnings that Tomcat gives for this chain.
    pub(crate) warnings: &'a [&'a str],
}

impl<'a> Case<'a> {
    /// With every size, also a large one.
    pub(crate) const fn new(chain: &'a str) -> Self {
        Case { chain, flags: 0, options: &OPTIONS, large: LARGE, ordered: false, warnings: &[] }
    }

    pub(crate) const fn flags(self, flags: u32) -> Self {
        Case { flags, ..self }
    }

    /// Only messages whose processing is acknowledged.
    pub(crate) const fn synchronous(self) -> Self {
        Case { options: &[6], ..self }
    }

    /// The large message has this size.
    pub(crate) const fn large(self, bytes: u32) -> Self {
        Case { large: bytes, ..self }
    }

    pub(crate) const fn ordered(self) -> Self {
        Case { ordered: true, ..self }
    }

    pub(crate) const fn warnings(self, warnings: &'a [&'a str]) -> Self {
        Case { warnings, ..self }
    }

    fn options(&self) -> impl Iterator<Item = u32> {
        self.options.iter().map(|options| options | self.flags)
    }

    /// Sizes with the number of messages of each and the options.
    pub(crate) fn groups(&self) -> Vec<(u32, u32, u32)> {
        let sizes = SIZES.into_iter().flat_map(|size| self.options().map(move |options| (size, COUNT, options)));
        let large = (self.large > 0).then_some((self.large, 1, 6 | self.flags));
        sizes.chain(large).collect()
    }
}

/// Tomcat handles the pieces of one message at a time, and sometimes joins them a second time, without a body. That no
/// message is lost or repeated by it is checked by the account of messages.
pub(crate) const JOINED_TWICE: &str = "GroupChannel messageReceived: Error receiving message";

/// A Tomcat channel and a place for Clowder's.
pub(crate) struct Pair {
    seats: Seats,
    tomcat: ChainNode,
    extra: Vec<&'static str>,
}

impl Pair {
    /// `extra`: options of both sides.
    pub(crate) fn start(generation: Generation, extra: &[&'static str]) -> Result<Self> {
        let seats = Seats::reserve(2)?;
        let timeout = TIMEOUT.as_millis().to_string();
        let tomcat = ChainNode::start(generation, &seats, 0, &[extra, &["--sender-timeout", &timeout]].concat())?;
        Ok(Pair { seats, tomcat, extra: extra.to_vec() })
    }

    /// All cases, one after the other.
    pub(crate) fn run(mut self, cases: &[Case<'_>]) -> Result<()> {
        let mut warnings = EXPECTED.to_vec();
        for case in cases {
            let begin = std::time::Instant::now();
            self.case(case).with_context(|| format!("chain {:?}", case.chain))?;
            println!("{:>5} ms  {}", begin.elapsed().as_millis(), case.chain);
            warnings.extend(case.warnings);
            if case.chain.contains("fragment") {
                warnings.push(JOINED_TWICE);
            }
        }
        self.tomcat.assert_clean_log(&warnings)
    }

    /// A listener with this chain, and the Tomcat channel as well; both know each other.
    pub(crate) fn up(&mut self, chain: &str) -> Result<Listener> {
        self.up_each(chain, chain)
    }

    /// As [`Pair::up`], with a chain for each side.
    pub(crate) fn up_each(&mut self, tomcat: &str, clowder: &str) -> Result<Listener> {
        let mut extra = vec!["--chain", clowder];
        extra.extend(&self.extra);
        let mut listener = Listener::start(&self.seats, 1, &extra)?;
        self.tomcat.up(tomcat)?;
        wait_until("Clowder as a member", PATIENCE, || Ok(self.tomcat.members()?.contains(&listener.name)))?;
        listener.joined(&self.tomcat.name)?;
        Ok(listener)
    }

    pub(crate) fn tomcat(&mut self) -> &mut ChainNode {
        &mut self.tomcat
    }

    fn case(&mut self, case: &Case<'_>) -> Result<()> {
        let mut listener = self.up(case.chain)?;
        self.tomcat_sends(case, &mut listener).context("Tomcat to Clowder")?;
        self.clowder_sends(case).context("Clowder to Tomcat")?;
        self.tomcat.down()?;
        let summary = listener.stop()?;
        let count: u32 = case.groups().iter().map(|(_, count, _)| count).sum();
        ensure!(summary["received"] == count, "{count} messages were sent: {summary}");
        for trouble in ["refused", "lost", "repeated", "damaged"] {
            ensure!(summary[trouble] == 0, "{summary}");
        }
        Ok(())
    }

    fn tomcat_sends(&mut self, case: &Case<'_>, listener: &mut Listener) -> Result<()> {
        for (size, count, options) in case.groups() {
            let sent = self.tomcat.ask(&format!("send {count} {size} {options} {SENDERS}"))?;
            ensure!(sent["sent"] == count && sent["errors"] == 0, "{size} bytes, options {options}: {sent}");
            let received = listener.messages(count as usize)?;
            let equal = received.digest()? == sent["digest"].as_str().unwrap_or_default();
            ensure!(equal, "{size} bytes, options {options}: {sent}, {received:?}");
            let as_sent = |message: &serde_json::Value| {
                let travelled = message["options"].as_u64().unwrap_or_default() as u32;
                travelled & !GZIP == (options | 1) & !GZIP && message["size"] == size
            };
            ensure!(received.0.iter().all(as_sent), "options {options}: {received:?}");
            if case.ordered || options & 6 == 6 {
                ensure!(received.disorder() == 0, "{size} bytes, options {options}: {received:?}");
            }
        }
        Ok(())
    }

    fn clowder_sends(&mut self, case: &Case<'_>) -> Result<()> {
        let (count, senders) = (COUNT.to_string(), SENDERS.to_string());
        let mut arguments = vec!["--to", &self.tomcat.name, "--chain", case.chain];
        arguments.extend(&self.extra);
        let mut words = Vec::new();
        SIZES.iter().for_each(|size| words.extend(["--size".to_owned(), size.to_string()]));
        case.options().for_each(|options| words.extend(["--options".to_owned(), options.to_string()]));
        let mut all = arguments.clone();
        all.extend(words.iter().map(String::as_str));
        all.extend(["--count", &count, "--parallel", &senders]);
        let (mut sent, ok) = netcat::send(&all)?;
        ensure!(ok, "{sent:?}");
        if case.large > 0 {
            let (size, options) = (case.large.to_string(), (6 | case.flags).to_string());
            let timeout = TIMEOUT.as_secs().to_string();
            arguments.extend(["--size", &size, "--options", &options, "--timeout", &timeout]);
            let (large, ok) = netcat::send(&arguments)?;
            ensure!(ok, "{large:?}");
            sent.0.extend(large.0);
        }
        self.arrived(&sent, case.ordered)
    }

    /// Every message that was sent is at the Tomcat.
    fn arrived(&mut self, sent: &Messages, ordered: bool) -> Result<()> {
        let mut last = serde_json::Value::Null;
        let tomcat = &mut self.tomcat;
        let waited = wait_until("all messages at Tomcat", PATIENCE, || {
            last = tomcat.ask("recv")?;
            Ok(last["received"].as_u64() >= Some(sent.0.len() as u64))
        });
        waited.with_context(|| format!("{} were sent: {last}", sent.0.len()))?;
        ensure!(last["received"] == sent.0.len() && last["digest"] == sent.digest()?.as_str(), "{last}, {sent:?}");
        ensure!(last["damaged"] == 0, "{last}");
        if ordered {
            ensure!(last["disorder"].as_object().is_some_and(|disorder| disorder.is_empty()), "{last}");
        }
        Ok(())
    }
}

/// The interceptor sets one of them when it compresses.
const GZIP: u32 = 256 | 1024 | 2048;
