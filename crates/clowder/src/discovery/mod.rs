//! Members that a directory knows: the API server of a Kubernetes cluster, or the domain name system.
//!
//! Tomcat: `CloudMembershipService` and its providers. Each provider is a task that asks again and again and tells whole
//! lists; the group decides what they mean. A question without an answer is counted and logged, and told to nobody: the
//! members stay as they are.

mod dns;
mod identity;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod report;
#[cfg(feature = "dns-srv")]
mod srv;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use clowder_proto::group::{Listed, Source};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use dns::Dns;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{EnvironmentError, Kubernetes};
#[cfg(feature = "dns-srv")]
pub use srv::DnsSrv;

use report::Report;

/// Lists that wait for the control task.
const LISTS_MAX: usize = 8;
/// How long a start waits for the node's own id.
const OWN_ID_MAX: Duration = Duration::from_secs(30);
/// How long a start waits for a first list that it could do without.
const FIRST_LIST_MAX: Duration = Duration::from_secs(5);

/// Where to look for members.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Discovery {
    /// All addresses of a name.
    Dns(Dns),
    /// The hosts and ports of SRV records.
    #[cfg(feature = "dns-srv")]
    DnsSrv(DnsSrv),
    /// The pods of a namespace.
    #[cfg(feature = "kubernetes")]
    Kubernetes(Box<Kubernetes>),
}

impl From<Dns> for Discovery {
    fn from(dns: Dns) -> Self {
        Discovery::Dns(dns)
    }
}

#[cfg(feature = "dns-srv")]
impl From<DnsSrv> for Discovery {
    fn from(srv: DnsSrv) -> Self {
        Discovery::DnsSrv(srv)
    }
}

#[cfg(feature = "kubernetes")]
impl From<Kubernetes> for Discovery {
    fn from(kubernetes: Kubernetes) -> Self {
        Discovery::Kubernetes(Box::new(kubernetes))
    }
}

impl Discovery {
    /// The id under which others know a node at `local`; `None`: only an answer can tell.
    fn own(&self, local: SocketAddr) -> Option<[u8; 16]> {
        let by_address = || Some(identity::by_address(local.ip(), local.port()).unique_id);
        match self {
            Discovery::Dns(_) => by_address(),
            #[cfg(feature = "dns-srv")]
            Discovery::DnsSrv(_) => by_address(),
            #[cfg(feature = "kubernetes")]
            Discovery::Kubernetes(_) => None,
        }
    }

    fn spawn(self, tasks: &mut JoinSet<()>, local: SocketAddr, source: Source, lists: mpsc::Sender<Found>) {
        let report = |provider| Report::new(provider, source, lists);
        match self {
            Discovery::Dns(dns) => tasks.spawn(dns.run(local, report("dns"))),
            #[cfg(feature = "dns-srv")]
            Discovery::DnsSrv(srv) => tasks.spawn(srv.run(local, report("dns_srv"))),
            #[cfg(feature = "kubernetes")]
            Discovery::Kubernetes(kubernetes) => tasks.spawn(kubernetes.run(local, report("kubernetes"))),
        };
    }
}

/// One answer of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Everybody, without this node.
    pub(crate) list: Vec<Listed>,
    /// The id under which others find this node.
    pub(crate) own: Option<[u8; 16]>,
}

/// What came of a question; `None`: nothing.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: Source,
    pub(crate) answer: Option<Answer>,
}

/// The running providers of one channel. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Searches {
    _tasks: JoinSet<()>,
    lists: mpsc::Receiver<Found>,
    /// Answers that came before anybody was there to hear them.
    early: VecDeque<Found>,
    own: Option<[u8; 16]>,
}

/// The directory does not know this node.
#[derive(Debug, thiserror::Error)]
#[error(
    "within {OWN_ID_MAX:?} no directory told under which id the others find {local}; the warnings above say why; it must \
     be the pod's own address, or the node needs a unique id of its own"
)]
pub struct UnknownHere {
    /// The announced address of this node.
    pub local: SocketAddr,
}

impl Searches {
    /// Start the providers for a node that announces `local`. Without `named`, the answers say which id it must have:
    /// the members of a cloud know each other by ids that each computes from the directory's answer.
    ///
    /// # Errors
    /// The id is needed and nobody told it.
    pub(crate) async fn start(what: Vec<Discovery>, local: SocketAddr, named: bool) -> Result<Self, UnknownHere> {
        Searches::start_within(what, local, named, OWN_ID_MAX).await
    }

    async fn start_within(
        what: Vec<Discovery>,
        local: SocketAddr,
        named: bool,
        patience: Duration,
    ) -> Result<Self, UnknownHere> {
        let (sender, lists) = mpsc::channel(LISTS_MAX);
        // The directory that is named first names this node.
        let own = what.first().and_then(|first| first.own(local));
        let needs_own = !named && own.is_none() && !what.is_empty();
        let mut searches = Searches { _tasks: JoinSet::new(), lists, early: VecDeque::new(), own };
        let mut open = BTreeSet::new();
        for (index, what) in what.into_iter().enumerate() {
            let Some(source) = Source::new(index) else {
                tracing::warn!(max = Source::COUNT_MAX, "more directories than can be asked; the rest is left out");
                break;
            };
            what.spawn(&mut searches._tasks, local, source, sender.clone());
            open.insert(source);
        }
        drop(sender);
        searches.first_answers(open, needs_own.then_some(patience)).await;
        if needs_own && searches.own.is_none() {
            return Err(UnknownHere { local });
        }
        Ok(searches)
    }

    /// No directory is asked.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let (_, lists) = mpsc::channel(1);
        Searches { _tasks: JoinSet::new(), lists, early: VecDeque::new(), own: None }
    }

    /// Each source once, and the own id if it is needed; for a bounded time.
    async fn first_answers(&mut self, mut open: BTreeSet<Source>, wait_for_own: Option<Duration>) {
        let (start, first) = (Instant::now(), Source::new(0));
        loop {
            let patience = match wait_for_own {
                Some(patience) if self.own.is_none() => patience,
                _ if open.is_empty() => return,
                _ => FIRST_LIST_MAX,
            };
            let Ok(Some(found)) = tokio::time::timeout_at(start + patience, self.lists.recv()).await else { return };
            open.remove(&found.source);
            if let Some(answer) = &found.answer {
                if Some(found.source) == first {
                    self.own = answer.own.or(self.own);
                }
                self.early.retain(|early| early.source != found.source);
                self.early.push_back(found);
            }
        }
    }

    /// The id that this node must have for others to find it.
    pub(crate) fn own(&self) -> Option<[u8; 16]> {
        self.own
    }

    /// The next list; forever nothing if there are no providers.
    pub(crate) async fn next(&mut self) -> (Source, Vec<Listed>) {
        loop {
            let found = match self.early.pop_front() {
                Some(found) => Some(found),
                None => self.lists.recv().await,
            };
            match found {
                Some(Found { source, answer: Some(answer) }) => return (source, answer.list),
                Some(Found { answer: None, .. }) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// A list that is there already.
    pub(crate) fn take_early(&mut self) -> Option<(Source, Vec<Listed>)> {
        let found = self.early.pop_front()?;
        Some((found.source, found.answer?.list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "127.0.0.1:4000";

    fn dns() -> Discovery {
        // Answered by every machine's own table of hosts.
        Dns::new("localhost").into()
    }

    #[tokio::test]
    async fn dns_names_a_node_by_its_address_whatever_it_answers() {
        let local = LOCAL.parse().unwrap();
        for what in [vec![dns()], vec![Dns::new("name.invalid").interval(Duration::from_millis(1)).into()]] {
            let searches = Searches::start(what, local, false).await.unwrap();
            assert_eq!(searches.own(), Some(identity::id_of("127.0.0.1")));
        }
    }

    #[tokio::test]
    async fn the_first_lists_are_there_when_the_start_returns() {
        let local = "127.0.0.9:4000".parse().unwrap();
        let mut searches = Searches::start(vec![dns()], local, false).await.unwrap();
        let (source, list) = searches.take_early().expect("a list");
        assert_eq!(
            (Some(source), list[0].id.clone()),
            (Source::new(0), identity::by_address([127, 0, 0, 1].into(), 4000))
        );
        assert!(searches.take_early().is_none());
    }

    #[tokio::test]
    async fn directories_beyond_the_bound_are_left_out() {
        let many = vec![dns(); Source::COUNT_MAX + 3];
        let searches = Searches::start(many, LOCAL.parse().unwrap(), true).await.unwrap();
        assert_eq!(searches._tasks.len(), Source::COUNT_MAX);
    }
}
