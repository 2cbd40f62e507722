//! 10,000 sessions reach a node that joins late, in both directions and in Tomcat's two ways of sending them.

use anyhow::Result;
use clowder_interop::load::{create_sessions, missing};
use clowder_interop::{Kind, NodeConfig, Seats, skip_unless};

const SESSIONS: usize = 10_000;

#[test]
fn tomcat_to_clowder() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let blocks = ["--send-all", "false", "--block-sessions", "3000", "--block-wait", "1"];
    for args in [&[][..], &blocks[..]] {
        let tomcat = NodeConfig::at(Kind::Tomcat, &seats, 0).extra(Kind::Tomcat, args).start()?;
        let users = create_sessions(&tomcat.http, SESSIONS)?;
        let mut clowder = NodeConfig::at(Kind::Clowder, &seats, 1).joining(1).start()?;
        assert_eq!(missing(&mut clowder, &users)?, 0);
        tomcat.assert_clean_log(&[])?;
        clowder.assert_clean_log(&[])?;
    }
    Ok(())
}

#[test]
fn clowder_to_tomcat() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let clowder = NodeConfig::at(Kind::Clowder, &seats, 0).start()?;
    let users = create_sessions(&clowder.http, SESSIONS)?;
    let mut tomcat = NodeConfig::at(Kind::Tomcat, &seats, 1).joining(1).start()?;
    assert_eq!(missing(&mut tomcat, &users)?, 0, "served as soon as the application started");
    tomcat.assert_clean_log(&[])
}
