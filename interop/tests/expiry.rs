//! A session that nobody uses ends everywhere, whichever side served it last.

use anyhow::Result;
use clowder_interop::{Browser, Kind, NodeConfig, PATIENCE, Seats, skip_unless, wait_until};

#[test]
fn clowder_ends_a_session_that_it_served_last() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let mut tomcat = NodeConfig::at(Kind::Tomcat, &seats, 0).start()?;
    let clowder = NodeConfig::at(Kind::Clowder, &seats, 1).joining(1).start()?;
    tomcat.await_members(1)?;
    let user = Browser::new();
    let id = user.get(&clowder, "op=maxinactive&value=1")?.session.expect("it creates a session");
    tomcat.await_session(&id, "the short interval", |reply| reply.max_inactive == Some(1))?;
    // Tomcat is told; its own expiry is not run here, and would wait for twice the interval.
    tomcat.await_session(&id, "the expiry from the other node", |reply| reply.session.is_none())?;
    tomcat.assert_clean_log(&[])
}

#[test]
fn tomcat_ends_a_session_that_it_served_last() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let mut tomcat = NodeConfig::at(Kind::Tomcat, &seats, 0).start()?;
    let clowder = NodeConfig::at(Kind::Clowder, &seats, 1).joining(1).start()?;
    tomcat.await_members(1)?;
    let keeper = Browser::new();
    let kept = keeper.get(&clowder, "op=inc")?.session.expect("inc creates a session");
    let user = Browser::new();
    let id = user.get(&tomcat, "op=maxinactive&value=1")?.session.expect("it creates a session");
    wait_until("Tomcat's own expiry", PATIENCE, || {
        tomcat.process.ask("expire")?;
        Ok(tomcat.peek(&id)?.session.is_none())
    })?;
    let reader = Browser::new().with_session(&id);
    wait_until("the expiry at the other node", PATIENCE, || Ok(reader.get(&clowder, "op=dump")?.session.is_none()))?;
    assert_eq!(keeper.get(&clowder, "op=dump")?.session, Some(kept), "another session lives on");
    tomcat.assert_clean_log(&[])
}
