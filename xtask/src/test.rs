//! `cargo xtask test`: what must pass before a change is kept, and what continuous integration runs.
//!
//! The cheap steps come first. Interop comes last because it is the longest.

use anyhow::{Result, bail};

use crate::report::{Done, Report};
use crate::shell::{Counts, Program, in_ci, which};
use crate::{fuzz, interop, needs, tidy};

type Step = fn(&mut Counts) -> Result<Done>;

const STEPS: [(&str, &str, Step); 9] = [
    ("fmt", "all code is formatted", fmt),
    ("tidy", "rules that no compiler checks", tidy_step),
    ("clippy", "lints, with all features and with none", clippy),
    ("doc", "the documentation builds without a warning", doc),
    ("unit", "unit, property, golden vector and driver tests", unit),
    ("doctest", "the examples in the documentation", doctest),
    ("sim", "seeded simulation with invariant checkers", sim),
    ("fuzz-smoke", "the fuzz targets over the golden vectors and mutations of them", fuzz_smoke),
    ("interop", "real Tomcats beside Clowder", interop_step),
];

/// Which program runs the tests: nextest if it is installed, else cargo itself.
pub(crate) enum Runner {
    Nextest,
    Cargo,
}

impl Runner {
    pub(crate) fn find() -> Runner {
        if which("cargo-nextest").is_some() { Runner::Nextest } else { Runner::Cargo }
    }

    /// The unit and integration tests of a selection of packages (no documentation tests).
    pub(crate) fn tests(&self, selection: &[&str]) -> Program {
        let mut arguments = match self {
            Runner::Nextest => vec!["nextest", "run", "--no-fail-fast", "--no-tests=pass"],
            Runner::Cargo => vec!["test", "--no-fail-fast", "--lib", "--bins", "--tests"],
        };
        arguments.extend(lock_flag());
        arguments.extend(selection);
        Program::cargo(&arguments)
    }
}

/// In continuous integration the lock file is part of what is tested.
pub(crate) fn lock_flag() -> Option<&'static str> {
    in_ci().then_some("--locked")
}

/// Where cargo builds: shared by the workspace and by `fuzz/`.
pub(crate) fn target_folder() -> String {
    std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned())
}

/// Prints the names of the steps.
pub(crate) fn list() {
    for (name, what, _) in STEPS {
        println!("{name:<12} {what}");
    }
}

/// Runs the named steps, or all.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|n| STEPS.iter().all(|s| s.0 != **n)) {
        bail!("no step is called {unknown}; see cargo xtask test --list");
    }
    let mut report = Report::new(in_ci());
    for (name, _, step) in STEPS {
        if names.is_empty() || names.contains(&name) {
            report.step(name, step);
        }
    }
    report.finish()
}

fn fmt(_: &mut Counts) -> Result<Done> {
    Program::cargo(&["fmt", "--all", "--check"]).run()?;
    Program::cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]).run()?;
    Ok(Done::Ran)
}

fn tidy_step(_: &mut Counts) -> Result<Done> {
    tidy::run()?;
    Ok(Done::Ran)
}

fn clippy(_: &mut Counts) -> Result<Done> {
    let lint = |selection: &[&str]| {
        let mut arguments = vec!["clippy"];
        arguments.extend(selection);
        arguments.extend(lock_flag());
        arguments.extend(["--", "-D", "warnings"]);
        Program::cargo(&arguments).run()
    };
    lint(&["--workspace", "--all-targets", "--all-features"])?;
    lint(&["--package", "clowder", "--no-default-features"])?;
    fuzz::clippy()?;
    Ok(Done::Ran)
}

fn doc(_: &mut Counts) -> Result<Done> {
    let mut arguments = vec!["doc", "--workspace", "--no-deps"];
    arguments.extend(lock_flag());
    Program::cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings").run()?;
    Ok(Done::Ran)
}

fn unit(counts: &mut Counts) -> Result<Done> {
    let others = ["--exclude", "clowder-interop", "--exclude", "clowder-sim"];
    let selection = [&["--workspace"][..], &others].concat();
    counted(counts, Runner::find().tests(&selection))
}

fn doctest(counts: &mut Counts) -> Result<Done> {
    let mut arguments = vec!["test", "--doc", "--workspace"];
    arguments.extend(lock_flag());
    counted(counts, Program::cargo(&arguments))
}

fn sim(counts: &mut Counts) -> Result<Done> {
    counted(counts, Runner::find().tests(&["--package", "clowder-sim"]))
}

fn fuzz_smoke(counts: &mut Counts) -> Result<Done> {
    counted(counts, fuzz::smoke())
}

fn interop_step(counts: &mut Counts) -> Result<Done> {
    if let Err(missing) = needs::satisfy() {
        return Ok(Done::Skipped(missing.to_string()));
    }
    if !needs::is_root() && in_ci() {
        return Ok(Done::Skipped("not root, so no network namespaces".to_owned()));
    }
    let (found, ok) = interop::tests(None)?;
    counts.add(found);
    if !ok {
        bail!("{} interop tests failed", found.failed);
    }
    Ok(Done::Ran)
}

/// Runs tests so that their counts are kept even if some failed.
fn counted(counts: &mut Counts, program: Program) -> Result<Done> {
    let (found, ok) = program.run_counting()?;
    counts.add(found);
    if !ok {
        bail!("{} tests failed", found.failed);
    }
    Ok(Done::Ran)
}
