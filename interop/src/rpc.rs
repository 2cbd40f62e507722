//! Questions between RPC channels: `clowder channel rpc` as a process, and those of a [`ChainNode`].

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::chain::ChainNode;
use crate::node::clowder_binary;
use crate::process::Process;
use crate::wait::{PATIENCE, wait_until};

/// A question of Clowder's.
#[derive(Debug)]
pub struct Question<'a> {
    /// Of the RPC channel.
    pub id: &'a str,
    /// Whom: names of members.
    pub to: &'a [&'a str],
    /// The question itself.
    pub text: &'a str,
    /// How many answers are enough: `first`, `majority`, `all`, `none`.
    pub mode: &'a str,
    /// How long to wait for them.
    pub timeout: Duration,
}

impl<'a> Question<'a> {
    /// To all of these, as long as a test is patient.
    pub fn new(id: &'a str, to: &'a [&'a str]) -> Self {
        Question { id, to, text: "why?", mode: "all", timeout: PATIENCE }
    }

    /// So many answers are enough.
    pub fn mode(self, mode: &'a str) -> Self {
        Question { mode, ..self }
    }

    /// Asks and begins to wait.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn ask(&self) -> Result<Asked> {
        let mut command = Command::new(clowder_binary()?);
        command.args(["--log", "error", "channel", "rpc", "--rpc-id", self.id, "--text", self.text]);
        command.args(["--mode", self.mode, "--timeout", &self.timeout.as_secs_f64().to_string()]);
        // Left-over answers are shown until the process is told to end.
        command.args(["--left-over", &(2 * PATIENCE).as_secs().to_string()]);
        command.args(self.to.iter().flat_map(|member| ["--to", member]));
        let process = Process::spawn("rpc", &mut command)?;
        Ok(Asked { process, asked: self.to.len() })
    }

    /// Asks, and waits for the end: the fate at each member in the order of the question, and whether enough answered.
    ///
    /// # Errors
    /// The process does not say so.
    pub fn fates(&self) -> Result<(Vec<Fate>, bool)> {
        let mut asked = self.ask()?;
        Ok((asked.fates()?, asked.end()?))
    }
}

/// A question on its way.
#[derive(Debug)]
pub struct Asked {
    process: Process,
    asked: usize,
}

/// What became of a question at a member.
#[derive(Debug, PartialEq, Eq)]
pub struct Fate {
    /// Whose.
    pub member: String,
    /// As `clowder channel rpc` calls it.
    pub outcome: String,
    /// The answer, or the reason of a failure.
    pub text: Option<String>,
}

impl Fate {
    /// Without the member.
    pub fn told(&self) -> (&str, Option<&str>) {
        (&self.outcome, self.text.as_deref())
    }
}

impl Asked {
    /// One for each that was asked.
    ///
    /// # Errors
    /// The process prints no such line.
    pub fn fates(&mut self) -> Result<Vec<Fate>> {
        (0..self.asked).map(|_| self.line()).collect()
    }

    /// The next line: the fate of a question, or behind all of them an answer that was left over.
    ///
    /// # Errors
    /// The process prints no such line.
    pub fn line(&mut self) -> Result<Fate> {
        let line = self.process.line(2 * PATIENCE)?;
        let read: Value = serde_json::from_str(&line).context(line)?;
        let text = |key: &str| read[key].as_str().map(str::to_owned);
        let outcome = text("outcome").with_context(|| format!("{read} has an outcome"))?;
        Ok(Fate { member: text("member").unwrap_or_default(), outcome, text: text("text").or_else(|| text("reason")) })
    }

    /// No left-over answer is waited for. True: enough answered.
    ///
    /// # Errors
    /// The process fails in another way.
    pub fn end(mut self) -> Result<bool> {
        self.process.terminate()?;
        let status = self.process.wait_exit()?;
        ensure!(matches!(status.code(), Some(0 | 1)), "{status}: {:?}", self.process.log());
        Ok(status.success())
    }
}

/// Who answered what.
pub type Answers = Vec<(String, String)>;

fn answers(read: &Value) -> Result<Answers> {
    let pair = |answer: &Value| Some((answer["from"].as_str()?.to_owned(), answer["text"].as_str()?.to_owned()));
    let pairs = read.as_array().and_then(|answers| answers.iter().map(pair).collect());
    pairs.with_context(|| format!("{read} are answers"))
}

impl ChainNode {
    /// Asks all members "why?" and gives the answers in the order in which they came.
    ///
    /// # Errors
    /// The question cannot be sent.
    pub fn rpc(&mut self, mode: &str, timeout: Duration) -> Result<Answers> {
        answers(&self.ask(&format!("rpc {mode} {} 2 why?", timeout.as_millis()))?["answers"])
    }

    /// How it answers from now on; see `ChainNode.java`.
    ///
    /// # Errors
    /// There is no such way.
    pub fn answer(&mut self, how: &str) -> Result<()> {
        self.ask(&format!("answer {how}")).map(drop)
    }

    /// How many questions it was asked since its start.
    ///
    /// # Errors
    /// It does not say so.
    pub fn asked(&mut self) -> Result<u64> {
        self.ask("asked")?["asked"].as_u64().context("a number of questions")
    }

    /// Waits until so many answers were left over since its start, and gives all that were.
    ///
    /// # Errors
    /// There are fewer.
    pub fn left_over(&mut self, count: usize) -> Result<Answers> {
        let mut all = Answers::new();
        wait_until("answers that are left over", PATIENCE, || {
            all = answers(&self.ask("asked")?["left_over"])?;
            Ok(all.len() >= count)
        })?;
        Ok(all)
    }
}
