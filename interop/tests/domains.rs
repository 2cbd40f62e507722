//! Two domains on one multicast group, each with a Tomcat and a Clowder node that have the domain filter, and outsiders
//! that have none. Each node is in a network namespace of its own.

use anyhow::{Context, Result, ensure};
use clowder_interop::netns::{self, Host, Network};
use clowder_interop::{ChainNode, Generation, Listener, PATIENCE, Seat, netcat, skip_unless, wait_until};
use serde_json::Value;

const GROUP: &str = "228.0.0.4:45564";
const PORT: u16 = 4000;
const MULTICAST: u32 = 0x40;
/// Messages of one send.
const COUNT: u32 = 3;
/// What Tomcat says in good cases.
const EXPECTED: [&str; 2] = [
    "DomainFilterInterceptor messageReceived: Received message from cluster",
    // The start and stop notices of who names receivers: only a StaticMembershipInterceptor knows them.
    "Unable to deserialize message",
];

/// A Tomcat and a Clowder node that see nothing else.
struct Domain<'a> {
    name: &'a str,
    hosts: &'a [Host],
    tomcat: ChainNode,
    /// As others name it: its id is its own choice.
    tomcat_name: String,
    clowder: Listener,
}

fn address(host: &Host) -> String {
    format!("{}:{PORT}", host.address)
}

fn launch(host: &Host, generation: Generation, domain: &str, chain: &str) -> Result<ChainNode> {
    let arguments = ["--multicast", GROUP, "--domain", domain, "--chain", chain];
    ChainNode::launch_inside(host, generation, &Seat::at(host.address, PORT), &arguments)?.ready()
}

impl<'a> Domain<'a> {
    /// On the first two of the hosts.
    fn start(name: &'a str, hosts: &'a [Host], generation: Generation) -> Result<Self> {
        let filter = format!("domain(domain={name})");
        let tomcat = launch(&hosts[0], generation, name, &format!("{filter},dispatch,failure-detector"))?;
        let arguments = ["--multicast", GROUP, "--domain", name, "--chain", &filter];
        let clowder = Listener::start_inside(&hosts[1], &Seat::at(hosts[1].address, PORT), &arguments)?;
        Ok(Domain { name, hosts, tomcat, tomcat_name: String::new(), clowder })
    }

    /// The Tomcat and the Clowder node have each other, and nobody else.
    fn sees_itself_alone(&mut self) -> Result<()> {
        let Domain { tomcat, clowder, .. } = self;
        wait_until("Clowder as a member", PATIENCE, || Ok(!tomcat.members()?.is_empty()))?;
        assert_eq!(tomcat.members()?, [clowder.name.as_str()], "{}", self.name);
        let joined = clowder.event("joined")?;
        self.tomcat_name = joined["member"].as_str().unwrap_or_default().to_owned();
        ensure!(self.tomcat_name.starts_with(&address(&self.hosts[0])), "{joined}");
        ensure!(joined["domain"] == self.name, "{joined}");
        Ok(())
    }

    /// Within the domain all is delivered, and to nobody else: the other domain's account shows that.
    fn talks(&mut self) -> Result<()> {
        for options in [6, MULTICAST] {
            let sent = self.tomcat.ask(&format!("send {COUNT} 1000 {options} 1"))?;
            ensure!(sent["sent"] == COUNT && sent["errors"] == 0, "{sent}");
            let received = self.clowder.messages(COUNT as usize)?;
            ensure!(received.digest()? == sent["digest"].as_str().unwrap_or_default(), "{received:?}");
        }
        let filter = format!("domain(domain={})", self.name);
        let sent = send(&self.hosts[1], self.name, &["--to", &self.tomcat_name, "--chain", &filter])?;
        let group =
            send(&self.hosts[1], self.name, &["--multicast", GROUP, "--chain", &filter, "--options", "multicast"])?;
        let mut last = Value::Null;
        let waited = wait_until("messages of the domain", PATIENCE, || {
            last = self.tomcat.ask("recv")?;
            Ok(last["received"].as_u64() >= Some(2 * u64::from(COUNT)))
        });
        waited.with_context(|| last.to_string())?;
        // The group's messages have an outcome at each member that their sender knew then: one or two.
        let group = group.at(group.0[0]["member"].as_str().unwrap_or_default());
        ensure!(last["digest"] == netcat::Messages([sent.0, group.0].concat()).digest()?.as_str(), "{last}");
        // It is a member of the domain as well.
        let group = self.clowder.messages(COUNT as usize)?;
        ensure!(group.0.iter().all(|message| message["options"] == MULTICAST | 1), "{group:?}");
        Ok(())
    }

    /// Nobody else joined, and nothing else was delivered, in all that time: so much of others was refused.
    fn was_alone(mut self, refused: usize) -> Result<()> {
        let is = |kind: &'static str| move |event: &&Value| event["event"] == kind;
        let before = self.clowder.passed.iter().filter(is("refused")).count();
        for _ in before..refused {
            let last = self.clowder.event("refused")?;
            self.clowder.passed.push(last);
        }
        assert_eq!(self.tomcat.members()?, [self.clowder.name.as_str()], "{}", self.name);
        self.tomcat.assert_clean_log(&EXPECTED)?;
        self.clowder.process.terminate()?;
        let summary = self.clowder.event("summary")?;
        ensure!(summary["received"] == 3 * COUNT && summary["refused"] == refused, "{summary}");
        let events = &self.clowder.passed;
        ensure!(events.iter().filter(is("refused")).all(|event| event["interceptor"] == "domain"), "{events:?}");
        // Its own senders have come and gone.
        ensure!(events.iter().filter(is("joined")).all(|event| event["domain"] == self.name), "{events:?}");
        Ok(())
    }
}

/// Messages of a member with this domain that listens nowhere else, to whom `arguments` say.
fn send(host: &Host, domain: &str, arguments: &[&str]) -> Result<netcat::Messages> {
    let here = format!("{}:0", host.address);
    let count = COUNT.to_string();
    let common = ["--cluster", &here, "--domain", domain, "--size", "1000", "--count", &count];
    let (sent, ok) = netcat::send_inside(host, &[&common[..], arguments].concat())?;
    ensure!(ok, "{sent:?}");
    Ok(sent)
}

#[test]
fn two_domains_on_one_group_are_two_clusters() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    skip_unless!(netns::available());
    let network = Network::new(5)?;
    let (red, rest) = network.hosts.split_at(2);
    let (blue, outside) = rest.split_at(2);
    // It has a domain of its own, and sees everybody.
    let mut outsider = launch(&outside[0], Generation::Tomcat10, "green", "dispatch,failure-detector")?;
    let mut domains =
        [Domain::start("red", red, Generation::Tomcat10)?, Domain::start("blue", blue, Generation::Tomcat9)?];
    wait_until("everybody at the outsider", PATIENCE, || Ok(outsider.members()?.len() == 4))?;
    domains.iter_mut().try_for_each(Domain::sees_itself_alone)?;

    let sent = outsider.ask(&format!("send {COUNT} 1000 6 1"))?;
    ensure!(sent["sent"] == COUNT && sent["errors"] == 0, "a message that is filtered out is acknowledged: {sent}");
    let [first, second] = &domains;
    for (from, to) in [(first, second), (second, first)] {
        let names = ["--to", &to.tomcat_name, "--to", &to.clowder.name];
        let sent = send(&from.hosts[1], from.name, &names)?;
        ensure!(sent.0.iter().all(|sent| sent["outcome"] == "acknowledged"), "as between Tomcats: {sent:?}");
    }
    for domain in &mut domains {
        let received = domain.tomcat.ask("recv")?;
        ensure!(received["received"] == 0, "{}: {received}", domain.name);
    }
    domains.iter_mut().try_for_each(Domain::talks)?;
    // The outsider's, those of the other domain to this one, and those of the other domain to the group.
    domains.into_iter().try_for_each(|domain| domain.was_alone(4 * COUNT as usize))
}
