//! The progress and the result of a run of several steps.
//!
//! A failed step does not end the run: whoever waits for it wants to know everything that is wrong. The last lines are
//! for people and for programs: what failed, what was skipped, and `N passed, N failed, N skipped`.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::shell::Counts;

/// Outcome of one step that did not fail.
pub(crate) enum Done {
    /// It ran.
    Ran,
    /// It could not run here, and why. An error in continuous integration.
    Skipped(String),
}

pub(crate) struct Report {
    started: Instant,
    in_ci: bool,
    counts: Counts,
    times: Vec<(String, Duration, &'static str)>,
    failures: Vec<String>,
    skips: Vec<String>,
}

impl Report {
    pub(crate) fn new(in_ci: bool) -> Report {
        Report {
            started: Instant::now(),
            in_ci,
            counts: Counts::default(),
            times: Vec::new(),
            failures: Vec::new(),
            skips: Vec::new(),
        }
    }

    /// Runs one step and prints how it went. The step adds the tests that it ran, also when it fails.
    pub(crate) fn step(&mut self, name: &str, step: impl FnOnce(&mut Counts) -> Result<Done>) {
        println!("\n== {name}");
        let started = Instant::now();
        let mut counts = Counts::default();
        let word = match step(&mut counts) {
            Ok(Done::Ran) => "ok",
            Ok(Done::Skipped(why)) => self.skipped(name, &why),
            Err(error) => {
                self.failures.push(format!("{name}: {error:#}"));
                println!("   {name}: {error:#}");
                "FAILED"
            }
        };
        self.counts.add(counts);
        let took = started.elapsed();
        self.times.push((name.to_owned(), took, word));
        println!("== {name}: {word} in {:.1} s", took.as_secs_f64());
    }

    fn skipped(&mut self, name: &str, why: &str) -> &'static str {
        println!("   {name} skipped: {why}");
        if self.in_ci {
            self.failures.push(format!("{name}: skipped, which CI does not allow: {why}"));
            return "FAILED";
        }
        self.skips.push(format!("{name}: {why}"));
        "skipped"
    }

    /// Prints the result; an error if any step failed.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n== result after {:.0} s", self.started.elapsed().as_secs_f64());
        for (name, took, word) in &self.times {
            println!("   {name:<12} {:>7.1} s  {word}", took.as_secs_f64());
        }
        for skip in &self.skips {
            println!("   skipped: {skip}");
        }
        for failure in &self.failures {
            println!("   FAILED: {failure}");
        }
        // A step that fails without a failed test (a lint, say) must not leave "0 failed" as the last word.
        let steps_failed = u64::try_from(self.failures.len()).unwrap_or(u64::MAX);
        let failed = self.counts.failed.max(steps_failed);
        println!("{} passed, {failed} failed, {} skipped", self.counts.passed, self.counts.skipped);
        if !self.failures.is_empty() {
            bail!("{} of {} steps failed", self.failures.len(), self.times.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_fails_in_ci_only() {
        for in_ci in [false, true] {
            let mut report = Report::new(in_ci);
            report.step("one", |_| Ok(Done::Skipped("no javac".to_owned())));
            assert_eq!(report.finish().is_err(), in_ci);
        }
    }

    #[test]
    fn a_failed_step_does_not_hide_the_next() {
        let mut report = Report::new(false);
        report.step("one", |_| bail!("broken"));
        let mut ran = false;
        report.step("two", |_| {
            ran = true;
            Ok(Done::Ran)
        });
        assert!(ran);
        assert!(report.finish().is_err());
    }
}
