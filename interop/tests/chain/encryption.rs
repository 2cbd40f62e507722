//! Encryption in every suite, with every size of key, and with the wrong one.

use anyhow::{Result, ensure};
use clowder_interop::{Generation, PATIENCE, skip_unless, wait_until};

use crate::case::{Case, Pair};
use clowder_interop::netcat;

const SUITES: [&str; 4] = ["AES/GCM/NoPadding", "AES/CBC/PKCS5Padding", "AES/CFB/PKCS5Padding", "AES/OFB/PKCS5Padding"];
/// Keys of 128, 192 and 256 bits.
const KEY_BYTES: [usize; 3] = [16, 24, 32];

/// The format with time stamps. On a busy machine a debug build needs more than the default of 10 s for a large message.
pub(crate) const NEW_FORMAT: &str = "generation=10.1.60,replayWindowTime=120000";

fn key(bytes: usize) -> String {
    (0..bytes).map(|byte| format!("{:02x}", byte * 7 + 1)).collect()
}

/// `more`: further attributes.
fn chains(suites: &[&str], more: &str) -> Vec<String> {
    let chain =
        |suite: &&str, bytes| format!("encrypt(encryptionKey={},encryptionAlgorithm={suite},{more})", key(bytes));
    suites.iter().flat_map(|suite| KEY_BYTES.map(|bytes| chain(suite, bytes))).collect()
}

#[test]
fn every_suite_and_size_of_key() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let chains = chains(&SUITES, NEW_FORMAT);
    let cases: Vec<Case<'_>> =
        chains.iter().map(|chain| Case::new(chain).warnings(&["is using the insecure algorithm"])).collect();
    Pair::start(Generation::Tomcat10, &[])?.run(&cases)
}

#[test]
fn the_format_of_older_releases() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let chains = chains(&SUITES[1..2], "generation=9.0.70");
    let cases: Vec<Case<'_>> = chains.iter().map(|chain| Case::new(chain)).collect();
    Pair::start(Generation::Tomcat9, &[])?.run(&cases)
}

/// Nobody is told, as between two Tomcats; but here it is counted and seen.
#[test]
fn with_the_wrong_key_nothing_is_delivered() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let mut pair = Pair::start(Generation::Tomcat10, &[])?;
    let [ours, theirs] = [16, 32].map(|bytes| format!("encrypt(encryptionKey={})", key(bytes)));
    let mut listener = pair.up_each(&theirs, &ours)?;
    let sent = pair.tomcat().ask("send 3 1000 6 1")?;
    ensure!(sent["sent"] == 3 && sent["errors"] == 0, "{sent}");
    let refused = listener.event("refused")?;
    ensure!(refused["interceptor"] == "encrypt" && refused["from"] == pair.tomcat().name.as_str(), "{refused}");
    let summary = listener.stop()?;
    ensure!(summary["received"] == 0 && summary["refused"] == 3, "{summary}");
    let to = pair.tomcat().name.clone();
    let (outcomes, ok) = netcat::send(&["--to", &to, "--chain", &ours, "--text", "secret"])?;
    ensure!(ok && outcomes.0[0]["outcome"] == "acknowledged", "{outcomes:?}");
    wait_until("Tomcat's complaint", PATIENCE, || Ok(pair.tomcat().unopened() > 0))?;
    let received = pair.tomcat().ask("recv")?;
    ensure!(received["received"] == 0, "{received}");
    Ok(())
}
