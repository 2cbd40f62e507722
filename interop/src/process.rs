//! A child process that speaks lines: commands in, answers out, logs on standard error.
//!
//! It is killed and reaped when it is dropped, by its own id. If the test is failing at that moment, the end of
//! its log is printed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::wait::{PATIENCE, wait_until};

/// Lines of log that are shown of each process of a failed case.
const SHOWN_MAX: usize = 60;

/// See the module.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
    log: Arc<Mutex<Vec<String>>>,
    exited: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; `name` appears in messages.
    pub fn spawn(name: impl Into<String>, command: &mut Command) -> Result<Self> {
        let name = name.into();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {name}: {command:?}"))?;
        let (send, answers) = channel();
        let stdout = child.stdout.take().context("standard output is piped")?;
        each_line(stdout, move |line| send.send(line).is_ok());
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let stderr = child.stderr.take().context("standard error is piped")?;
        each_line(stderr, move |line| {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            true
        });
        let stdin = child.stdin.take();
        Ok(Self { name, child, stdin, answers, log, exited: None })
    }

    /// The name given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The operating system's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output.
    pub fn line(&mut self, timeout: Duration) -> Result<String> {
        match self.answers.recv_timeout(timeout) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} printed nothing for {timeout:?}", self.name)
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait()?;
                bail!("{} ended with {status}:\n{}", self.name, self.tail())
            }
        }
    }

    /// What it printed before its end and nobody has read.
    pub fn rest(&self) -> Vec<String> {
        self.answers.iter().collect()
    }

    /// The values of the `READY key=value …` line, in the order of `keys`. Other lines before it are passed over.
    pub fn ready<const N: usize>(&mut self, keys: [&str; N]) -> Result<[String; N]> {
        let begin = Instant::now();
        loop {
            let line = self.line(PATIENCE.saturating_sub(begin.elapsed()))?;
            let Some(rest) = line.strip_prefix("READY ") else {
                continue;
            };
            let mut values = [const { String::new() }; N];
            for (value, key) in values.iter_mut().zip(keys) {
                let word = rest.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
                *value = word.with_context(|| format!("no {key}= in {line:?} of {}", self.name))?.to_owned();
            }
            return Ok(values);
        }
    }

    /// Sends one command line and gives the one line that answers it.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        self.ask_within(command, PATIENCE)
    }

    /// As [`Process::ask`], for commands that work for a time of their own.
    pub fn ask_within(&mut self, command: &str, timeout: Duration) -> Result<String> {
        let stdin = self.stdin.as_mut().context("standard input is still open")?;
        writeln!(stdin, "{command}").with_context(|| format!("{command} to {}", self.name))?;
        stdin.flush()?;
        let answer = self.line(timeout)?;
        match answer.strip_prefix("ERROR ") {
            Some(error) => bail!("{command} at {}: {error}", self.name),
            None => Ok(answer),
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.exited = Some(self.child.wait()?);
        Ok(())
    }

    /// SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        self.signal("-TERM")
    }

    /// SIGHUP.
    pub fn hang_up(&self) -> Result<()> {
        self.signal("-HUP")
    }

    /// SIGSTOP: it stands still, and what comes to it waits.
    pub fn pause(&self) -> Result<()> {
        self.signal("-STOP")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").arg(signal).arg(self.id().to_string()).status()?;
        anyhow::ensure!(status.success(), "kill {signal} {} ({})", self.id(), self.name);
        Ok(())
    }

    /// Waits for the end of a process that has been told to stop.
    pub fn wait_exit(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.exited {
            return Ok(status);
        }
        let (child, exited) = (&mut self.child, &mut self.exited);
        wait_until("the end of a process", PATIENCE, || {
            *exited = child.try_wait()?;
            Ok(exited.is_some())
        })
        .with_context(|| self.name.clone())?;
        self.exited.context("the wait succeeded")
    }

    /// All lines of the log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tail(&self) -> String {
        let log = self.log();
        log[log.len().saturating_sub(SHOWN_MAX)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exited.is_none() {
            // An error here means that it has ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() || std::env::var_os("INTEROP_LOGS").is_some() {
            eprintln!("--- end of the log of {} ---\n{}", self.name, self.tail());
        }
    }
}

fn each_line(from: impl Read + Send + 'static, mut take: impl FnMut(String) -> bool + Send + 'static) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if !take(line) {
                break;
            }
        }
    });
}
