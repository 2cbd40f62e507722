//! The fuzz targets: with coverage guidance on nightly, and as a smoke test on stable.
//!
//! `fuzz/` is a workspace of its own, because its default features need libFuzzer. Without them it is an ordinary
//! library whose tests run every target over the golden vectors and over mutations of them.

use anyhow::{Context, Result, bail};

use crate::shell::{Program, which};
use crate::test::{lock_flag, target_folder};

const MANIFEST: &str = "fuzz/Cargo.toml";
const TARGETS: [&str; 3] = ["frame", "message", "member"];
const SECONDS: u64 = 120;

/// `cargo xtask fuzz [TARGET] [--seconds N]`.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (targets, seconds) = parse(arguments)?;
    if which("cargo-fuzz").is_none() {
        bail!("cargo-fuzz is missing: cargo install cargo-fuzz --locked (and rustup toolchain install nightly)");
    }
    seeds()?;
    for target in targets {
        println!("\n== fuzz {target} for {seconds} s");
        let limit = format!("-max_total_time={seconds}");
        // 64 KiB is beyond every length that a decoder looks at twice; 512 MiB is far beyond its limits.
        let arguments = ["fuzz", "run", target, "--", &limit, "-max_len=65536", "-rss_limit_mb=512"];
        Program::cargo(&arguments)
            .env("RUSTUP_TOOLCHAIN", "nightly")
            .run()
            .with_context(|| format!("target {target} found something; see fuzz/artifacts/{target}"))?;
    }
    Ok(())
}

fn parse<'a>(arguments: &[&'a str]) -> Result<(Vec<&'a str>, u64)> {
    let mut targets = Vec::new();
    let mut seconds = SECONDS;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if *word == "--seconds" {
            let number = words.next().context("--seconds needs a number")?;
            seconds = number.parse().with_context(|| format!("not a number of seconds: {number}"))?;
        } else if TARGETS.contains(word) {
            targets.push(*word);
        } else {
            bail!("no target {word}; there are {}", TARGETS.join(", "));
        }
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    Ok((targets, seconds))
}

/// `cargo xtask fuzz-seeds`: what the golden vectors hold, one file each, as the corpus to start from.
pub(crate) fn seeds() -> Result<()> {
    stable("run", &["--bin", "seeds"]).run()?;
    Ok(())
}

/// Every target over all seeds and a fixed number of mutations of each.
pub(crate) fn smoke() -> Program {
    stable("test", &["--lib", "--tests"])
}

pub(crate) fn clippy() -> Result<()> {
    let mut arguments = vec!["clippy", "--manifest-path", MANIFEST, "--no-default-features"];
    arguments.extend(["--lib", "--tests", "--bin", "seeds"]);
    let folder = target_folder();
    arguments.extend(["--target-dir", &folder]);
    arguments.extend(lock_flag());
    arguments.extend(["--", "-D", "warnings"]);
    Program::cargo(&arguments).run()?;
    Ok(())
}

/// A cargo command on the crate without libFuzzer; its dependencies are shared with the workspace's build.
fn stable(command: &str, rest: &[&str]) -> Program {
    let folder = target_folder();
    let mut arguments = vec![command, "--manifest-path", MANIFEST, "--no-default-features"];
    arguments.extend(["--target-dir", &folder]);
    arguments.extend(lock_flag());
    arguments.extend(rest);
    Program::cargo(&arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_understood_or_refused() {
        assert_eq!(parse(&[]).unwrap(), (TARGETS.to_vec(), SECONDS));
        assert_eq!(parse(&["--seconds", "5", "message"]).unwrap(), (vec!["message"], 5));
        assert!(parse(&["messages"]).is_err());
        assert!(parse(&["message", "--seconds"]).is_err());
        assert!(parse(&["--seconds", "ten"]).is_err());
    }
}
