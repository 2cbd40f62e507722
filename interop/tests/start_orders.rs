//! One Tomcat and one Clowder node find each other in both start orders, with options 8 and 6, and each has the
//! other's sessions.

use anyhow::Result;
use clowder_interop::{Browser, Kind, Node, NodeConfig, Seats, skip_unless};

/// A session that exists before the second node starts is transferred; one made afterwards is replicated, in both
/// directions.
fn pair(first: Kind, second: Kind, options: u32) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(2)?;
    let mut first = NodeConfig::at(first, &seats, 0).options(options).start()?;
    let early = Browser::new();
    let early_id = early.set(&first, "when", "", "before")?.session.expect("set creates a session");

    let mut second = NodeConfig::at(second, &seats, 1).options(options).joining(1).start()?;
    second.await_session(&early_id, "the transferred session", |reply| reply.attr("when").ends_with(":before"))?;
    first.await_members(1)?;
    replicated(&first, &mut second)?;
    replicated(&second, &mut first)?;
    // A Clowder node that is the first says so.
    first.assert_clean_log(&["cannot be reached: it joins when it runs"])?;
    second.assert_clean_log(&[])
}

fn replicated(from: &Node, to: &mut Node) -> Result<()> {
    let user = Browser::new();
    let id = user.get(from, "op=inc")?.session.expect("inc creates a session");
    user.get(from, "op=inc")?;
    to.await_session(&id, "count 2", |reply| reply.attr("count") == "java.lang.Integer:2")?;
    user.get(to, "op=inc")?;
    let back = user.get(to, "op=dump")?;
    assert_eq!(back.attr("count"), "java.lang.Integer:3", "the other node serves the same session");
    Ok(())
}

#[test]
fn tomcat_first_asynchronous() -> Result<()> {
    pair(Kind::Tomcat, Kind::Clowder, 8)
}

#[test]
fn tomcat_first_synchronous() -> Result<()> {
    pair(Kind::Tomcat, Kind::Clowder, 6)
}

#[test]
fn clowder_first_asynchronous() -> Result<()> {
    pair(Kind::Clowder, Kind::Tomcat, 8)
}

#[test]
fn clowder_first_synchronous() -> Result<()> {
    pair(Kind::Clowder, Kind::Tomcat, 6)
}
