//! The hosts and ports of SRV records.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clowder_proto::group::Listed;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::time::{sleep, timeout};

use super::Answer;
use super::identity::by_address;
use super::report::{Question, Report};

/// Records of one name that are followed.
const TARGETS_MAX: usize = 1024;
/// However short records may live, they are not asked for more often.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// Discovery by SRV records, such as `_tribes._tcp.shop.default.svc.cluster.local`: unlike [`Dns`](super::Dns), each
/// member has a port of its own. Tomcat has nothing of the kind; ids are those of its `dns` provider.
///
/// Answers are kept for as long as they say. Feature `dns-srv`.
#[derive(Clone, Debug)]
pub struct DnsSrv {
    name: String,
    name_server: Option<SocketAddr>,
    interval: Duration,
    timeout: Duration,
}

impl DnsSrv {
    /// The records of `name`.
    pub fn new(name: impl Into<String>) -> Self {
        DnsSrv {
            name: name.into(),
            name_server: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        }
    }

    /// Ask this name server. Default: those of `/etc/resolv.conf`.
    #[must_use]
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.name_server = Some(address);
        self
    }

    /// Longest pause between two questions; records that live shorter are asked for again when they end. Default 5 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Time for all questions of one round. Default 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) async fn run(self, local: SocketAddr, mut report: Report) {
        let mut resolver = None;
        loop {
            let mut pause = self.interval;
            match self.round(local, &mut resolver, &mut report).await {
                Ok((answer, until)) => {
                    report.answered(answer).await;
                    let lives = until.saturating_duration_since(Instant::now()).max(PAUSE_MIN);
                    pause = pause.min(lives);
                }
                Err((kind, trouble)) => report.failed(Question::List, kind, trouble).await,
            }
            sleep(pause).await;
        }
    }

    async fn round(
        &self,
        local: SocketAddr,
        resolver: &mut Option<TokioResolver>,
        report: &mut Report,
    ) -> Result<(Answer, Instant), (&'static str, String)> {
        if resolver.is_none() {
            *resolver = Some(self.open(local).map_err(|error| ("resolver", format!("no resolver: {error}")))?);
        }
        let resolver = resolver.as_ref().expect("it was made above");
        match timeout(self.timeout, self.ask(local, resolver, report)).await {
            Ok(Ok(Some(found))) => Ok(found),
            Ok(Ok(None)) => Err(("empty", format!("no SRV record of '{}' leads to an address", self.name))),
            Ok(Err(error)) => Err(("lookup", format!("SRV records of '{}': {error}", self.name))),
            Err(_) => Err(("timeout", format!("no answer about '{}' in {:?}", self.name, self.timeout))),
        }
    }

    fn open(&self, local: SocketAddr) -> Result<TokioResolver, NetError> {
        let mut builder = match self.name_server {
            None => TokioResolver::builder_tokio()?,
            Some(server) => {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                connections.iter_mut().for_each(|connection| connection.port = server.port());
                let server = NameServerConfig::new(server.ip(), true, connections);
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        // As for `Dns`: a host with an address of each family is one member.
        builder.options_mut().ip_strategy =
            if local.is_ipv4() { LookupIpStrategy::Ipv4Only } else { LookupIpStrategy::Ipv6Only };
        builder.build()
    }

    /// The members, and until when that holds; `None`: no record leads anywhere.
    async fn ask(
        &self,
        local: SocketAddr,
        resolver: &TokioResolver,
        report: &mut Report,
    ) -> Result<Option<(Answer, Instant)>, NetError> {
        let records = resolver.srv_lookup(self.name.as_str()).await?;
        let mut until = records.valid_until();
        let mut found = Vec::new();
        for record in records.answers().iter().take(TARGETS_MAX) {
            let RData::SRV(srv) = &record.data else { continue };
            let addresses = match resolver.lookup_ip(srv.target.clone()).await {
                Ok(addresses) => addresses,
                // One host that is gone does not hide the others.
                Err(error) if error.is_no_records_found() => {
                    report.skipped(&srv.target.to_string(), "no_address");
                    continue;
                }
                Err(error) => return Err(error),
            };
            until = until.min(addresses.valid_until());
            found.extend(addresses.iter().map(|ip| SocketAddr::new(ip, srv.port)));
        }
        if found.is_empty() {
            return Ok(None);
        }
        let others = found.into_iter().filter(|addr| *addr != local);
        let mut list: Vec<Listed> =
            others.map(|addr| Listed { id: by_address(addr.ip(), addr.port()), ready: true }).collect();
        list.sort_by(|a, b| a.id.cmp(&b.id));
        list.dedup();
        Ok(Some((Answer { list, own: None }, until)))
    }
}

#[cfg(test)]
mod tests;
