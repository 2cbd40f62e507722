//! `cargo xtask test`: what must pass before a change is kept, and what continuous integration runs.
//!
//! The cheap steps come first. Interop comes last because it is the longest.

use anyhow::{Result, bail};

use crate::report::{Done, Report};
use crate::shell::{Counts, Program, in_ci, which};
use crate::{interop, needs, tidy};

type Step = fn(&mut Counts) -> Result<Done>;

const STEPS: [(&str, &str, Step); 7] = [
    ("fmt", "all code is formatted", fmt),
    ("tidy", "rules that no compiler checks", tidy_step),
    ("clippy", "lints of all targets", clippy),
    ("doc", "the documentation builds without a warning", doc),
    ("unit", "unit, property, golden vector, driver and simulation tests; every fuzz target over its seeds", unit),
    ("doctest", "the examples in the documentation", doctest),
    ("interop", "real Tomcats beside Clowder", interop_step),
];

/// The package whose tests need real Tomcats.
const INTEROP: &str = "clowder-interop";

/// All tests but those beside Tomcats, or only those (whose names contain `filter`); no documentation tests.
///
/// Always the whole workspace: a smaller selection has other features of its dependencies, and cargo would compile
/// them all once more for it. Nextest runs the tests if it is installed, else cargo itself.
pub(crate) fn tests(beside_tomcats: bool, filter: Option<&str>) -> Program {
    let expression = match (beside_tomcats, filter) {
        (false, _) => format!("not package({INTEROP})"),
        (true, None) => format!("package({INTEROP})"),
        (true, Some(filter)) => format!("package({INTEROP}) & test({filter})"),
    };
    let mut arguments = if which("cargo-nextest").is_some() {
        vec!["nextest", "run", "--workspace", "--no-fail-fast", "--filterset", &expression]
    } else if beside_tomcats {
        vec!["test", "--package", INTEROP, "--no-fail-fast", "--lib", "--bins", "--tests"]
    } else {
        vec!["test", "--workspace", "--exclude", INTEROP, "--no-fail-fast", "--lib", "--bins", "--tests"]
    };
    arguments.extend(lock_flag());
    if arguments[0] == "test" {
        arguments.extend(filter);
    }
    Program::cargo(&arguments)
}

/// In continuous integration the lock file is part of what is tested.
pub(crate) fn lock_flag() -> Option<&'static str> {
    in_ci().then_some("--locked")
}

/// Where cargo builds.
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
    Ok(Done::Ran)
}

fn tidy_step(_: &mut Counts) -> Result<Done> {
    tidy::run()?;
    Ok(Done::Ran)
}

fn clippy(_: &mut Counts) -> Result<Done> {
    let mut arguments = vec!["clippy", "--workspace", "--all-targets"];
    arguments.extend(lock_flag());
    arguments.extend(["--", "-D", "warnings"]);
    Program::cargo(&arguments).run()?;
    Ok(Done::Ran)
}

fn doc(_: &mut Counts) -> Result<Done> {
    let mut arguments = vec!["doc", "--workspace", "--no-deps"];
    arguments.extend(lock_flag());
    Program::cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings").run()?;
    Ok(Done::Ran)
}

fn unit(counts: &mut Counts) -> Result<Done> {
    // A name server. Tests that miss it say so, and fail in continuous integration.
    if let Err(missing) = needs::satisfy() {
        println!("   {missing}");
    }
    counted(counts, tests(false, None))
}

fn doctest(counts: &mut Counts) -> Result<Done> {
    let mut arguments = vec!["test", "--doc", "--workspace"];
    arguments.extend(lock_flag());
    counted(counts, Program::cargo(&arguments))
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
