//! Messages in datagrams between Tribes (Tomcat 10 and 9) and Clowder: to the port for them, and to the multicast
//! group. Each node is in a network namespace of its own, and all know each other by multicast.

use anyhow::{Context, Result, ensure};
use clowder_interop::netns::{self, Network};
use clowder_interop::{ChainNode, Generation, Listener, PATIENCE, Seat, netcat, skip_unless, wait_until};

const GROUP: &str = "228.0.0.4:45564";
const PORT: u16 = 4000;
const UDP_PORT: u16 = 4500;
const UDP: u32 = 0x20;
const MULTICAST: u32 = 0x40;
/// Each with and without an acknowledgement, before and after the processing; the last ones ask the group in vain.
const OPTIONS: [u32; 5] = [UDP, UDP | 2, UDP | 6, MULTICAST, MULTICAST | 6];
/// Sizes, and so many of each that no system drops one that is not acknowledged. The last fills nearly a datagram, in
/// many packets.
const SIZES: [(u32, u32); 3] = [(0, 3), (1_000, 3), (60_000, 1)];

fn start(network: &Network, generation: Generation) -> Result<ChainNode> {
    let host = &network.hosts[0];
    let udp = UDP_PORT.to_string();
    let arguments = ["--multicast", GROUP, "--udp", &udp];
    let mut tomcat = ChainNode::launch_inside(host, generation, &Seat::at(host.address, PORT), &arguments)?.ready()?;
    tomcat.up("dispatch,failure-detector")?;
    Ok(tomcat)
}

/// Tribes sends, and Clowder has it and acknowledges.
fn tribes_sends(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    skip_unless!(netns::available());
    let network = Network::new(2)?;
    let mut tomcat = start(&network, generation)?;
    let host = &network.hosts[1];
    let udp = format!("{}:{UDP_PORT}", host.address);
    let seat = Seat::at(host.address, PORT);
    let mut clowder = Listener::start_inside(host, &seat, &["--multicast", GROUP, "--udp", &udp])?;
    wait_until("Clowder as a member", PATIENCE, || Ok(tomcat.members()?.contains(&clowder.name)))?;
    clowder.event("joined")?;
    for options in OPTIONS {
        for (size, count) in SIZES {
            let sent = tomcat.ask(&format!("send {count} {size} {options} 1"))?;
            ensure!(sent["sent"] == count && sent["errors"] == 0, "{size} bytes, options {options}: {sent}");
            let received = clowder.messages(count as usize)?;
            let equal = received.digest()? == sent["digest"].as_str().unwrap_or_default();
            ensure!(equal, "{size} bytes, options {options}: {sent}, {received:?}");
            ensure!(received.0.iter().all(|message| message["options"] == options | 1), "{received:?}");
        }
    }
    let summary = clowder.stop()?;
    for trouble in ["refused", "lost", "repeated", "damaged"] {
        ensure!(summary[trouble] == 0, "{summary}");
    }
    tomcat.assert_clean_log(&[])
}

/// Clowder sends, and Tribes has it and acknowledges.
fn tribes_receives(generation: Generation) -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    skip_unless!(netns::available());
    let network = Network::new(2)?;
    let mut tomcat = start(&network, generation)?;
    let host = &network.hosts[1];
    let cluster = format!("{}:{PORT}", host.address);
    let send = |options: u32, size: u32, count: u32| {
        let (options, size, count) = (options.to_string(), size.to_string(), count.to_string());
        let here = ["--cluster", &cluster, "--multicast", GROUP];
        let what = ["--options", &options, "--size", &size, "--count", &count];
        netcat::send_inside(host, &[&here[..], &what].concat())
    };
    for options in OPTIONS {
        for (size, count) in SIZES {
            let (sent, ok) = send(options, size, count)?;
            let outcome = if options & 2 != 0 && options & MULTICAST == 0 { "acknowledged" } else { "written" };
            ensure!(ok && sent.0.iter().all(|sent| sent["outcome"] == outcome), "options {options}: {sent:?}");
            let mut last = serde_json::Value::Null;
            let waited = wait_until("all messages at Tomcat", PATIENCE, || {
                last = tomcat.ask("recv")?;
                Ok(last["received"] == count)
            });
            waited.with_context(|| format!("{size} bytes, options {options}: {last}"))?;
            ensure!(last["digest"] == sent.digest()?.as_str() && last["damaged"] == 0, "{last}, {sent:?}");
            tomcat.ask("reset")?;
        }
    }
    let (too_large, ok) = send(UDP, 70_000, 1)?;
    let reason = too_large.0[0]["reason"].as_str().unwrap_or_default();
    ensure!(!ok && reason.contains("65,507"), "{too_large:?}");
    tomcat.assert_clean_log(&[])?;
    tomcat.ask("fail true")?;
    let (failed, ok) = send(UDP | 6, 100, 1)?;
    let reason = failed.0[0]["reason"].as_str().unwrap_or_default();
    ensure!(!ok && reason == "the receiver's listener failed", "{failed:?}");
    Ok(())
}

#[test]
fn tomcat_10_sends_datagrams() -> Result<()> {
    tribes_sends(Generation::Tomcat10)
}

#[test]
fn tomcat_9_sends_datagrams() -> Result<()> {
    tribes_sends(Generation::Tomcat9)
}

#[test]
fn tomcat_10_receives_datagrams() -> Result<()> {
    tribes_receives(Generation::Tomcat10)
}

#[test]
fn tomcat_9_receives_datagrams() -> Result<()> {
    tribes_receives(Generation::Tomcat9)
}
