//! All addresses of a name. Tomcat: `DNSMembershipProvider`.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use clowder_proto::group::Listed;
use tokio::time::{sleep, timeout};

use super::Answer;
use super::identity::by_address;
use super::report::{Question, Report};

/// Discovery by the addresses of a name, such as a headless service of Kubernetes, through the system's resolver.
///
/// All members use this node's own port, and the id of each is the MD5 of its address, this node's as well; both as
/// Tomcat's `dns` provider. A name without addresses is no answer, so that the last member's address does not decide
/// alone: the members stay, and their probes say who lives.
///
/// ```no_run
/// # async fn start() -> Result<(), clowder::StartError> {
/// use clowder::{Channel, Dns};
///
/// let channel = Channel::builder()
///     .listen("0.0.0.0:4000")
///     .discover(Dns::new("shop.default.svc.cluster.local"))
///     .start()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Dns {
    name: String,
    interval: Duration,
    timeout: Duration,
}

impl Dns {
    /// The addresses of `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Dns { name: name.into(), interval: Duration::from_secs(5), timeout: Duration::from_secs(5) }
    }

    /// Pause between two questions. Default 5 s, Tomcat's channel heartbeat.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Time after which a missing answer is reported; the question stays open for as long as the system's resolver
    /// takes. Default 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) async fn run(self, local: SocketAddr, report: Report) {
        self.run_with(local, report, system_lookup).await;
    }

    async fn run_with<F>(self, local: SocketAddr, mut report: Report, lookup: impl Fn(String) -> F)
    where
        F: Future<Output = io::Result<Vec<IpAddr>>>,
    {
        loop {
            let mut question = pin!(lookup(self.name.clone()));
            let found = match timeout(self.timeout, &mut question).await {
                Ok(found) => found,
                Err(_) => {
                    let trouble = format!("no answer about '{}' in {:?}", self.name, self.timeout);
                    report.failed(Question::List, "timeout", trouble).await;
                    question.await // one question at a time, however slow the resolver is
                }
            };
            match found {
                Ok(addresses) if addresses.is_empty() => {
                    report.failed(Question::List, "empty", format!("'{}' has no address", self.name)).await;
                }
                Ok(addresses) => report.answered(answer(local, &addresses)).await,
                Err(error) => {
                    let trouble = format!("the addresses of '{}': {error}", self.name);
                    report.failed(Question::List, "lookup", trouble).await;
                }
            }
            sleep(self.interval).await;
        }
    }
}

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
}

/// Differs from Tomcat: only addresses of the announced address's family: a host with one of each would be two members.
/// Test: addresses_of_the_other_family_are_no_members.
fn answer(local: SocketAddr, addresses: &[IpAddr]) -> Answer {
    let family = |ip: &&IpAddr| ip.is_ipv4() == local.is_ipv4() && **ip != local.ip();
    let mut list: Vec<Listed> =
        addresses.iter().filter(family).map(|ip| Listed { id: by_address(*ip, local.port()), ready: true }).collect();
    // Resolvers rotate their answers.
    list.sort_by(|a, b| a.id.cmp(&b.id));
    list.dedup();
    Answer { list, own: None }
}

#[cfg(test)]
mod tests;
