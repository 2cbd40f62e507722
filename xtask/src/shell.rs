//! Running programs: shown before they run, passed through while they run, and the test counts read on the way.
//!
//! Output is copied line by line and never held back, so a long build shows its progress.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What a test runner's summary said; several summaries of one run add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// The counts in one line of output, if it is a summary of nextest or of `cargo test`.
    pub(crate) fn of_line(line: &str) -> Option<Counts> {
        // Nextest shows what a failed test's own runner said, indented: that is counted already.
        let counted = match line.strip_prefix("test result:") {
            Some(counted) => counted,
            None => line.trim_start().strip_prefix("Summary [")?.split_once("run:")?.1,
        };
        let mut counts = Counts::default();
        for part in counted.split([',', ';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => counts.passed += number,
                "failed" | "timed" | "exec" => counts.failed += number,
                "skipped" | "ignored" => counts.skipped += number,
                _ => {}
            }
        }
        Some(counts)
    }
}

/// One program to run from the root of the repository.
pub(crate) struct Program {
    command: Command,
    shown: String,
}

impl Program {
    pub(crate) fn new(name: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::null());
        let mut shown = name.to_owned();
        for argument in arguments {
            shown.push(' ');
            shown.push_str(argument);
        }
        Program { command, shown }
    }

    pub(crate) fn cargo(arguments: &[&str]) -> Program {
        Program::new("cargo", arguments)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<str>) -> Program {
        self.command.env(name, value.as_ref());
        self.shown = format!("{name}={} {}", quoted(value.as_ref()), self.shown);
        self
    }

    /// Runs it to its end; an exit code other than 0 is an error.
    pub(crate) fn run(self) -> Result<Counts> {
        let shown = self.shown.clone();
        let (counts, ok) = self.run_counting()?;
        if !ok {
            bail!("failed: {shown}");
        }
        Ok(counts)
    }

    /// Runs it to its end and gives what its summaries counted, and whether it ended with exit code 0.
    pub(crate) fn run_counting(mut self) -> Result<(Counts, bool)> {
        println!("  $ {}", self.shown);
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start: {}", self.shown))?;
        let out = child.stdout.take().context("standard output is piped")?;
        let err = child.stderr.take().context("standard error is piped")?;
        let (from_out, from_err) = std::thread::scope(|threads| {
            let err = threads.spawn(|| copy(err, std::io::stderr()));
            (copy(out, std::io::stdout()), err.join())
        });
        let mut counts = from_out?;
        counts.add(from_err.map_err(|_| anyhow::anyhow!("the copying thread panicked"))??);
        Ok((counts, child.wait()?.success()))
    }

    /// Standard output of a program that must succeed; its standard error is passed through.
    pub(crate) fn output(mut self) -> Result<String> {
        eprintln!("  $ {}", self.shown);
        let output =
            self.command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start: {}", self.shown))?;
        if !output.status.success() {
            bail!("failed: {}", self.shown);
        }
        String::from_utf8(output.stdout).context("its output is not UTF-8")
    }
}

fn copy(from: impl Read, mut to: impl Write) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(counts);
        }
        to.write_all(&line)?;
        to.flush()?;
        if let Some(found) = Counts::of_line(&String::from_utf8_lossy(&line)) {
            counts.add(found);
        }
    }
}

fn quoted(value: &str) -> String {
    if value.contains(' ') { format!("\"{value}\"") } else { value.to_owned() }
}

/// Where the shell would find a program.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// True in continuous integration: there, nothing may be skipped.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false" && v != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Option<(u64, u64, u64)>) {
        let expect = expect.map(|(passed, failed, skipped)| Counts { passed, failed, skipped });
        assert_eq!(Counts::of_line(line), expect, "{line}");
    }

    #[test]
    fn summaries_of_both_runners_are_read() {
        check("     Summary [   0.005s] 12 tests run: 12 passed, 3 skipped", Some((12, 0, 3)));
        check(
            "     Summary [  61.2s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 0 skipped",
            Some((6, 3, 0)),
        );
        check("     Summary [   1.5s] 3/7 tests run: 2 passed, 1 failed, 4 skipped", Some((2, 1, 4)));
        check(
            "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            Some((5, 0, 2)),
        );
        check(
            "test result: FAILED. 1 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            Some((1, 4, 0)),
        );
        check("    test result: FAILED. 0 passed; 1 failed; 0 ignored", None);
        check("running 5 tests", None);
        check("        PASS [   0.005s] crate summary", None);
    }

    #[test]
    fn a_failing_program_is_told_with_its_counts() {
        let script = "echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored'; exit 3";
        let (counts, ok) = Program::new("sh", &["-c", script]).run_counting().unwrap();
        assert!(!ok);
        assert_eq!((counts.passed, counts.failed), (1, 2));
        assert!(Program::new("sh", &["-c", "exit 3"]).run().is_err());
    }
}
