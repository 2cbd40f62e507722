//! The tests beside real Tomcats: needs a JDK and Tomcat's jars, and the `clowder` binary built before.
//!
//! The tests find the binary through `CLOWDER_BIN`, so they also run against any other build of it.

use anyhow::{Context, Result, bail};

use crate::needs;
use crate::shell::{Counts, Program};
use crate::test::{self, lock_flag, target_folder};

/// Path of the debug binary after building it, with the features that the tests' build has.
fn build_clowder() -> Result<String> {
    let mut arguments = vec!["build", "--workspace"];
    arguments.extend(lock_flag());
    Program::cargo(&arguments).run()?;
    let binary = std::path::Path::new(&target_folder()).join("debug/clowder");
    let binary = binary.canonicalize().with_context(|| format!("no binary at {}", binary.display()))?;
    Ok(binary.to_string_lossy().into_owned())
}

/// Runs the tests whose name contains `filter`, and gives their counts and whether all passed.
pub(crate) fn tests(filter: Option<&str>) -> Result<(Counts, bool)> {
    let binary = match std::env::var("CLOWDER_BIN") {
        Ok(given) => given,
        Err(_) => build_clowder()?,
    };
    test::tests(true, filter).env("CLOWDER_BIN", binary).run_counting()
}

/// `cargo xtask interop [filter]`.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    needs::satisfy()?;
    if !needs::is_root() {
        println!("   not root: the tests in network namespaces say that they are skipped");
    }
    let (counts, ok) = tests(filter)?;
    if !ok {
        bail!("{} interop tests failed", counts.failed);
    }
    if counts.passed == 0 {
        bail!("no test is named like that");
    }
    Ok(())
}
