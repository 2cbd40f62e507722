//! Membership by multicast, each node in a network namespace of its own.

use anyhow::Result;
use clowder_interop::netns::{self, Network};
use clowder_interop::{Browser, Kind, NodeConfig, Seat, skip_unless};

const GROUP: &str = "228.0.0.4:45564";

#[test]
fn nodes_find_and_lose_each_other() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    skip_unless!(netns::available());
    let network = Network::new(3)?;
    let config = |kind, index: usize, known| {
        let host = &network.hosts[index];
        let config = NodeConfig::alone(kind, &Seat::at(host.address, 4000)).multicast(GROUP);
        config.inside(host).joining(known)
    };
    let mut first = config(Kind::Tomcat, 0, 0).start()?;
    let user = Browser::new();
    let id = user.get(&first, "op=inc")?.session.expect("inc creates a session");

    let mut clowder = config(Kind::Clowder, 1, 1).start()?;
    clowder.await_session(&id, "the transferred session", |reply| reply.attr("count").ends_with(":1"))?;
    first.await_members(1)?;
    let mut last = config(Kind::Tomcat, 2, 2).start()?;
    last.await_session(&id, "the transferred session", |reply| reply.attr("count").ends_with(":1"))?;

    user.get(&clowder, "op=inc")?;
    for node in [&mut first, &mut last] {
        node.await_session(&id, "Clowder's change", |reply| reply.attr("count").ends_with(":2"))?;
    }
    clowder.stop()?;
    first.await_members(1)?;
    last.await_members(1)?;

    let clowder = config(Kind::Clowder, 1, 2).start()?;
    first.await_members(2)?;
    last.await_members(2)?;
    clowder.kill()?;
    first.await_members(1)?; // three seconds of silence, then a refused probe
    user.get(&last, "op=inc")?;
    first.await_session(&id, "a change after the loss", |reply| reply.attr("count").ends_with(":3"))?;
    first.assert_clean_log(&[])?;
    last.assert_clean_log(&[])
}
