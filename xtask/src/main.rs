//! `cargo xtask`: every task of development that is more than one cargo command.
//!
//! Nothing here is needed to build or to use Clowder. A task prints what it runs, so that each part can be repeated
//! alone; it ends with exit code 1 if anything failed. Its only dependency is `anyhow`, so that the first
//! `cargo xtask` in a fresh clone starts within seconds.

mod fuzz;
mod interop;
mod needs;
mod report;
mod shell;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "Development tasks of Clowder

cargo xtask test [STEP]...             everything that must pass, or only these steps
cargo xtask test --list                the steps
cargo xtask interop [FILTER]           tests beside real Tomcats; FILTER is a part of a test's name
cargo xtask tidy                       rules of the code base that no compiler checks
cargo xtask fuzz [TARGET] [--seconds N]  one fuzz target, or all, 120 s each (needs nightly and cargo-fuzz)
cargo xtask fuzz-seeds                 write the seeds, taken from the golden vectors, to fuzz/corpus
";

/// The root of the repository, wherever the command was called from.
fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask stands in the root of the repository")?.to_path_buf())
}

fn main() -> ExitCode {
    // Not `fn main() -> Result`: the last line of a test run is its summary, and a backtrace would only hide it.
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    std::env::set_current_dir(root()?).context("cannot enter the root of the repository")?;
    match words[..] {
        [] | ["help" | "--help" | "-h", ..] | [_, "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        ["test", "--list"] => {
            test::list();
            Ok(())
        }
        ["test", ref steps @ ..] => test::run(steps),
        ["interop"] => interop::run(None),
        ["interop", filter] => interop::run(Some(filter)),
        ["tidy"] => tidy::run(),
        ["fuzz", ref arguments @ ..] => fuzz::run(arguments),
        ["fuzz-seeds"] => fuzz::seeds(),
        _ => bail!("cannot understand: {}\n\n{USAGE}", words.join(" ")),
    }
}
