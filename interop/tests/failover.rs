//! Two Tomcats and one Clowder: any of them may be killed or stopped, nobody is logged out.

use anyhow::Result;
use clowder_interop::{Browser, Kind, Node, NodeConfig, Seats, skip_unless};

struct Trio {
    first: Node,
    second: Node,
    clowder: Node,
    seats: Seats,
    options: u32,
}

fn trio(options: u32) -> Result<Trio> {
    let seats = Seats::reserve(3)?;
    let start = |kind, index: usize| NodeConfig::at(kind, &seats, index).options(options).joining(index).start();
    let mut first = start(Kind::Tomcat, 0)?;
    let mut second = start(Kind::Tomcat, 1)?;
    let mut clowder = start(Kind::Clowder, 2)?;
    for node in [&mut first, &mut second, &mut clowder] {
        node.await_members(2)?;
    }
    Ok(Trio { first, second, clowder, seats, options })
}

fn counts(user: &Browser, id: &str, expected: u32, at: &mut [&mut Node]) -> Result<()> {
    let shown = format!("java.lang.Integer:{expected}");
    for node in at {
        node.await_session(id, &shown, |reply| reply.attr("count") == shown)?;
    }
    assert_eq!(user.session().as_deref(), Some(id), "still logged in");
    Ok(())
}

fn survives(options: u32) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let Trio { mut first, mut second, mut clowder, seats, options } = trio(options)?;
    let user = Browser::new();
    // Not on a Tomcat: asynchronous, it loses some first attributes between Tomcats by itself.
    let id = user.get(&clowder, "op=inc")?.session.expect("inc creates a session");
    counts(&user, &id, 1, &mut [&mut first, &mut second])?;
    user.get(&first, "op=inc")?;
    counts(&user, &id, 2, &mut [&mut second, &mut clowder])?;

    first.kill()?;
    user.get(&clowder, "op=inc")?;
    counts(&user, &id, 3, &mut [&mut second])?;
    user.get(&second, "op=inc")?; // without a ping only its own failed send tells a Tomcat
    second.await_members(1)?;
    counts(&user, &id, 4, &mut [&mut clowder])?;

    clowder.kill()?;
    user.get(&second, "op=inc")?;
    second.await_members(0)?;

    let mut clowder = NodeConfig::at(Kind::Clowder, &seats, 2).options(options).joining(1).start()?;
    counts(&user, &id, 5, &mut [&mut clowder])?;
    second.await_members(1)?;
    user.get(&second, "op=inc")?;
    counts(&user, &id, 6, &mut [&mut clowder])?;

    second.stop()?;
    user.get(&clowder, "op=inc")?;
    let mut second = NodeConfig::at(Kind::Tomcat, &seats, 1).options(options).joining(1).start()?;
    counts(&user, &id, 7, &mut [&mut second])?;
    second.await_members(1)?;

    clowder.stop()?;
    second.await_members(0)?; // by the notice: nobody sends and no ping runs
    user.get(&second, "op=inc")?;
    counts(&user, &id, 8, &mut [&mut second])
}

#[test]
fn asynchronous() -> Result<()> {
    survives(8)
}

#[test]
fn synchronous() -> Result<()> {
    survives(6)
}
