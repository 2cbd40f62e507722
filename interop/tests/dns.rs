//! Membership by the addresses of a name, beside Tomcats with `CloudMembershipService`.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use clowder_interop::netns::{self, Network};
use clowder_interop::{Browser, Kind, Node, NodeConfig, PATIENCE, Seat, dns, skip_unless, wait_until};

const NAME: &str = "shop.test";

fn logged(node: &Node, text: &str) -> bool {
    node.process.log().iter().any(|line| line.contains(text))
}

#[test]
fn nodes_find_each_other_by_a_name_and_agree_about_their_ids() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    skip_unless!(netns::available());
    skip_unless!(dns::available());
    let mut network = Network::new(3)?;
    network.resolve_here()?;
    let addresses: Vec<Ipv4Addr> = network.hosts.iter().map(|host| host.address).collect();
    let mut server = dns::serve(network.here(), NAME, &addresses)?;
    let config = |kind, index: usize, known| {
        let host = &network.hosts[index];
        NodeConfig::alone(kind, &Seat::at(host.address, 4000)).dns(NAME).inside(host).joining(known)
    };
    let mut first = config(Kind::Tomcat, 0, 0).start()?;
    let user = Browser::new();
    let id = user.get(&first, "op=inc")?.session.expect("inc creates a session");

    let mut clowder = config(Kind::Clowder, 1, 1).start()?;
    clowder.await_session(&id, "the transferred session", |reply| reply.attr("count").ends_with(":1"))?;
    first.await_members(1)?;
    let mut last = config(Kind::Tomcat, 2, 2).start()?;
    last.await_session(&id, "the transferred session", |reply| reply.attr("count").ends_with(":1"))?;
    first.await_members(2)?;
    if clowder.kind == Kind::Clowder {
        let joined = format!("joined member={}:4000", addresses[2]);
        wait_until("both Tomcats at Clowder", PATIENCE, || Ok(logged(&clowder, &joined)))?;
    }

    if clowder.kind == Kind::Clowder {
        // `member ADDR/ID serves …`: the id is what the Tomcat computed for that address.
        let log = clowder.process.log();
        let own = log.iter().find_map(|line| line.split_once("member ")?.1.split_once(" serves")).map(|(own, _)| own);
        let members = first.stats()?["members"].to_string();
        ensure!(own.is_some_and(|own| members.contains(own)), "{own:?} is not among {members}");
    }

    user.get(&clowder, "op=inc")?;
    for node in [&mut first, &mut last] {
        node.await_session(&id, "Clowder's change", |reply| reply.attr("count").ends_with(":2"))?;
    }
    user.get(&last, "op=inc")?;
    for node in [&mut first, &mut clowder] {
        node.await_session(&id, "a Tomcat's change", |reply| reply.attr("count").ends_with(":3"))?;
    }
    if clowder.kind == Kind::Clowder {
        server.kill()?;
        wait_until("the failure", PATIENCE, || Ok(logged(&clowder, "members cannot be discovered")))?;
        ensure!(!logged(&clowder, "left member="), "an outage of the name server is no death");
        user.get(&clowder, "op=inc")?;
        first.await_session(&id, "a change in the outage", |reply| reply.attr("count").ends_with(":4"))?;
    }
    Ok(())
}
