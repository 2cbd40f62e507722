//! One message to several targets at a time: two Tomcats and a Clowder node. What a layer keeps for each target, such as
//! numbers, pieces and confirmations, must be right for every one of them.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use clowder_interop::{ChainNode, Generation, Listener, Messages, PATIENCE, Seats, netcat, skip_unless, wait_until};
use serde_json::Value;

use crate::case::{Case, EXPECTED, JOINED_TWICE};

const KEY: &str = "encrypt(encryptionKey=cafedeadbeefbeefcafecafedeadbeef)";
/// The seat of the Clowder node; the others are those of Tomcats.
const CLOWDER: usize = 2;

struct Targets {
    seats: Seats,
    tomcats: Vec<ChainNode>,
}

impl Targets {
    fn start() -> Result<Self> {
        let seats = Seats::reserve(CLOWDER + 1)?;
        let seated = seats.0.iter().take(CLOWDER);
        let launch = |seat| ChainNode::launch_alone(Generation::Tomcat10, seat, &[]);
        let starting: Vec<_> = seated.map(launch).collect::<Result<_>>()?;
        let tomcats = starting.into_iter().map(|starting| starting.ready()).collect::<Result<_>>()?;
        Ok(Targets { seats, tomcats })
    }

    fn case(&mut self, case: &Case<'_>) -> Result<()> {
        let mut clowder = Listener::start(&self.seats, CLOWDER, &["--chain", case.chain])?;
        self.tomcats.iter_mut().try_for_each(|tomcat| tomcat.up(case.chain))?;
        let (sent, ok) = netcat::send(&self.arguments(case).iter().map(String::as_str).collect::<Vec<_>>())?;
        let messages: u32 = case.groups().iter().map(|(_, count, _)| count).sum();
        ensure!(ok && sent.0.len() == messages as usize * self.seats.0.len(), "{messages} messages: {sent:?}");
        let outcomes: HashSet<(String, String)> =
            sent.0.iter().map(|line| (line["message"].to_string(), line["member"].to_string())).collect();
        ensure!(outcomes.len() == sent.0.len(), "one outcome of each message at each target: {sent:?}");
        let fits = |line: &Value| match line["options"].as_u64().unwrap_or_default() & 2 {
            0 => line["outcome"] == "written",
            _ => line["outcome"] == "acknowledged",
        };
        ensure!(sent.0.iter().all(fits), "{sent:?}");

        for tomcat in &mut self.tomcats {
            let expected = sent.at(&tomcat.name);
            arrived(tomcat, &expected, case).with_context(|| tomcat.name.clone())?;
        }
        let received = clowder.messages(messages as usize)?;
        ensure!(received.digest()? == sent.at(&clowder.name).digest()?, "{received:?}, {sent:?}");
        ensure!(!case.ordered || received.disorder() == 0, "{received:?}");
        self.tomcats.iter_mut().try_for_each(ChainNode::down)?;
        let summary = clowder.stop()?;
        ensure!(summary["received"] == messages, "{summary}");
        for trouble in ["refused", "lost", "repeated", "damaged"] {
            ensure!(summary[trouble] == 0, "{summary}");
        }
        Ok(())
    }

    fn arguments(&self, case: &Case<'_>) -> Vec<String> {
        let mut words = vec!["--chain".to_owned(), case.chain.to_owned(), "--parallel".to_owned(), "3".to_owned()];
        let mut option = |name: &str, values: &mut dyn Iterator<Item = String>| {
            values.for_each(|value| words.extend([name.to_owned(), value]));
        };
        option("--to", &mut self.seats.0.iter().map(ToString::to_string));
        let groups = case.groups();
        // In the order of the groups, each once.
        let mut seen = HashSet::new();
        option(
            "--size",
            &mut groups.iter().map(|(size, ..)| *size).filter(|size| seen.insert(*size)).map(|size| size.to_string()),
        );
        let mut seen = HashSet::new();
        let options = groups.iter().map(|(.., options)| *options).filter(|options| seen.insert(*options));
        option("--options", &mut options.map(|options| options.to_string()));
        option("--count", &mut groups.iter().take(1).map(|(_, count, _)| count.to_string()));
        words
    }
}

/// All of it, once.
fn arrived(tomcat: &mut ChainNode, sent: &Messages, case: &Case<'_>) -> Result<()> {
    let mut last = Value::Null;
    let waited = wait_until("all messages", PATIENCE, || {
        last = tomcat.ask("recv")?;
        Ok(last["received"].as_u64() >= Some(sent.0.len() as u64))
    });
    waited.with_context(|| last.to_string())?;
    ensure!(last["received"] == sent.0.len() && last["digest"] == sent.digest()?.as_str(), "{last}, {sent:?}");
    ensure!(last["damaged"] == 0, "{last}");
    // A Tomcat that handles pieces at the same time may join them twice; it is alone with that.
    ensure!(last["repeated"] == 0 || case.chain.contains("fragment") && case.options != [6], "{last}");
    ensure!(!case.ordered || last["disorder"].as_object().is_some_and(|disorder| disorder.is_empty()), "{last}");
    Ok(())
}

#[test]
fn every_target_gets_everything_once_and_has_an_outcome() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let encrypted = format!("order,{KEY}");
    let cases = [
        Case::new("order").ordered(),
        Case::new("fragment(maxSize=10000)"),
        Case::new("fragment(maxSize=10000)").synchronous(),
        Case::new("two-phase").synchronous(),
        Case::new(KEY),
        Case::new(&encrypted).ordered(),
        Case::new("fragment(maxSize=10000),order"),
    ];
    let mut targets = Targets::start()?;
    for case in cases.map(|case| case.large(0)) {
        targets.case(&case).with_context(|| format!("chain {:?}", case.chain))?;
    }
    let expected = [&EXPECTED[..], &[JOINED_TWICE]].concat();
    targets.tomcats.iter().try_for_each(|tomcat| tomcat.assert_clean_log(&expected))
}
