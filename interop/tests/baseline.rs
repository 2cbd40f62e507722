//! Two Tomcats, no Clowder: proves the harness, the sample servlet and the log check.

use anyhow::Result;
use clowder_interop::{Browser, Kind, NodeConfig, Seats, skip_unless};

#[test]
fn two_tomcats_share_a_session_and_log_nothing_unexpected() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let mut first = NodeConfig::at(Kind::Tomcat, &seats, 0).options(6).start()?;
    let mut second = NodeConfig::at(Kind::Tomcat, &seats, 1).options(6).joining(1).start()?;
    first.await_members(1)?;

    let user = Browser::new();
    let created = user.get(&first, "op=inc")?;
    let id = created.session.clone().expect("inc creates a session");
    assert_eq!(created.attr("count"), "java.lang.Integer:1");
    assert_eq!(created.max_inactive, Some(1800));
    user.get(&first, "op=bean&name=bean&value=kept")?;
    let seen = second.await_session(&id, "the bean", |reply| reply.attr("bean") == "clowder.interop.Bean:Bean kept")?;
    assert_eq!(seen.attr("count"), "java.lang.Integer:1");

    assert_eq!(user.get(&second, "op=invalidate")?.session.as_deref(), Some("invalidated"));
    first.await_session(&id, "the end of the session", |reply| reply.session.is_none())?;
    for node in [&first, &second] {
        node.assert_clean_log(&[])?;
    }
    second.stop()?;
    first.await_members(0)?;
    first.assert_clean_log(&[])?;
    first.stop()?;
    Ok(())
}
