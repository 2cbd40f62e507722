//! Real Tomcats as test peers of Clowder.
//!
//! What it is: a harness that compiles a small Java peer (`interop/java`) against the Tomcat jars of the
//! distribution, starts embedded Tomcats, bare Tribes channels and `clowder node` processes, drives them over
//! HTTP and line commands, and takes everything down again. The cases are ordinary integration tests in
//! `interop/tests`, one file per topic.
//!
//! What it does not do: it never looks inside Clowder; both sides are processes that are only known by their
//! ports. It waits for conditions, never for time to pass.
//!
//! Invariants:
//! * no fixed ports: a [`Seat`] holds its port by a lock file for as long as it lives, in all test processes;
//! * no process, namespace or file outlives its owner here ([`Process`], [`netns::Network`]);
//! * a case that cannot run here (no Java, not root) says so and passes, except with `CI=true`, where it fails.
//!
//! Environment: `CLOWDER_BIN` names the binary under test (otherwise it is built with cargo), `INTEROP_JARS`
//! the directory with Tomcat's jars (default `/usr/share/java`), `INTEROP_SELFCHECK=tomcat` puts a Tomcat in
//! the place of every Clowder node, which proves the cases themselves.

pub mod browser;
pub mod chain;
pub mod dns;
pub mod java;
pub mod load;
pub mod lossy;
pub mod netcat;
pub mod netns;
pub mod node;
pub mod process;
pub mod rpc;
pub mod seats;
pub mod tribes;
pub mod wait;

pub use browser::{Browser, Reply};
pub use chain::ChainNode;
pub use java::{Generation, Peer};
pub use netcat::{Listener, Messages};
pub use node::{Kind, Node, NodeConfig};
pub use process::Process;
pub use rpc::Question;
pub use seats::{Seat, Seats};
pub use tribes::TribesNode;
pub use wait::{PATIENCE, wait_until};

/// Ends a test early, successfully and with a message, where this machine cannot run it.
///
/// `skip_unless!(interop::java::available());` needs a test that returns `anyhow::Result<()>`.
#[macro_export]
macro_rules! skip_unless {
    ($check:expr) => {
        if let Err(why) = $check {
            if std::env::var("CI").is_ok_and(|ci| ci == "true") {
                return Err(why.context("a case must not be skipped with CI=true"));
            }
            eprintln!("SKIPPED: {why:#}");
            return Ok(());
        }
    };
}
