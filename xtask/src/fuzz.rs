//! The fuzz targets with coverage guidance, on nightly.
//!
//! Without its feature `libfuzzer`, `fuzz/` is an ordinary library of the workspace, whose tests run every target over
//! the golden vectors and over mutations of them.

use anyhow::{Context, Result, bail};

use crate::shell::{Program, which};
use crate::test::lock_flag;

const TARGETS: &[&str] = &[
    "frame",
    "message",
    "member",
    "java_stream",
    "session_message",
    "delta",
    "chain_inbound",
    "chain_fragments",
    "rpc",
    "coordination",
];
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
        let arguments =
            ["fuzz", "run", "--features", "libfuzzer", target, "--", &limit, "-max_len=65536", "-rss_limit_mb=512"];
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
    let mut arguments = vec!["run", "--package", "clowder-fuzz", "--bin", "seeds"];
    arguments.extend(lock_flag());
    Program::cargo(&arguments).run()?;
    Ok(())
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
