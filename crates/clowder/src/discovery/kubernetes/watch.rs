//! Reads the list of pods and follows its changes.
//!
//! A watch that cannot be had is no trouble for the members: the list is read again after the interval, which is all
//! that Tomcat does. `kube`'s own watcher is not used: it opens a watch that ends at once anew without a pause.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use clowder_proto::group::Listed;
use clowder_proto::wire::Member;
use futures_util::StreamExt;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request as Requests;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::super::Answer;
use super::super::report::{Question, Report};
use super::Kubernetes;
use super::access::{Access, Trouble, trouble};
use super::pod::{self, Pod};

/// The API server ends a watch after so many seconds: a connection that died silently is noticed soon after.
const WATCH_SECONDS: u32 = 60;
/// What it may be late by.
const WATCH_GRACE: Duration = Duration::from_secs(10);
/// Pause between two looks for this node's own pod, which the API server may learn of later than the pod starts.
const OWN_PAUSE: Duration = Duration::from_secs(1);
/// How often a pod of one's own is looked for.
const OWN_TRIES: u32 = 60;
/// Pods that are remembered.
const PODS_MAX: usize = 20_000;

/// Who is there, as far as lists and changes told.
struct Pods {
    local: SocketAddr,
    require_ready: bool,
    own: Option<[u8; 16]>,
    by_name: BTreeMap<String, Pod>,
}

impl Pods {
    fn put(&mut self, item: &Value, report: &mut Report) {
        let name = pod::name(item).unwrap_or("?");
        match pod::read(item) {
            Ok(pod) => {
                if pod.ip == self.local.ip() {
                    self.own = Some(pod.unique_id);
                }
                if self.by_name.len() < PODS_MAX {
                    self.by_name.insert(name.to_owned(), pod);
                }
            }
            Err(useless) => {
                if let Some(cause) = useless.label() {
                    report.skipped(name, cause);
                }
                self.by_name.remove(name);
            }
        }
    }

    fn remove(&mut self, item: &Value) {
        if let Some(name) = pod::name(item) {
            self.by_name.remove(name);
        }
    }

    fn answer(&self) -> Answer {
        let others = self.by_name.values().filter(|pod| pod.running && pod.ip != self.local.ip());
        let list = others.map(|pod| Listed {
            id: Member::new(SocketAddr::new(pod.ip, self.local.port()), pod.unique_id).id,
            // Differs from Tomcat: it does not look at it. Test: pods_that_are_not_ready_are_listed_as_such.
            ready: pod.ready || !self.require_ready,
        });
        Answer { list: list.collect(), own: self.own }
    }
}

/// How a turn ended.
enum Turn {
    /// The files changed: go on from this version with a new client.
    Renewed,
    /// The watch ended, as it does.
    Ended,
    /// The version is too old, or a watch failed: the list has to be read again.
    Lost,
}

impl Kubernetes {
    pub(in super::super) async fn run(self, local: SocketAddr, mut report: Report) {
        let mut pods = Pods { local, require_ready: self.require_ready, own: None, by_name: BTreeMap::new() };
        let mut tries = 0;
        loop {
            match self.read_list(&mut pods, &mut report).await {
                Ok((access, version)) => {
                    tries += 1;
                    if pods.own.is_none() && tries < OWN_TRIES {
                        sleep(self.interval.min(OWN_PAUSE)).await;
                        continue;
                    }
                    self.follow(access, version, &mut pods, &mut report).await;
                }
                Err((kind, trouble)) => report.failed(Question::List, kind, trouble).await,
            }
            sleep(self.interval).await;
        }
    }

    fn requests(&self) -> Requests {
        Requests::new(format!("/api/v1/namespaces/{}/pods", encoded(&self.namespace)))
    }

    /// The whole list, and its version.
    async fn read_list(&self, pods: &mut Pods, report: &mut Report) -> Result<(Access, String), Trouble> {
        let access = Access::open(self)?;
        let mut params = ListParams::default();
        params.label_selector.clone_from(&self.labels);
        let list = self.ask_for_list(&access, &params).await?;
        pods.by_name.clear();
        for item in list["items"].as_array().into_iter().flatten() {
            pods.put(item, report);
        }
        if pods.own.is_none() {
            self.find_own(&access, pods).await?;
        }
        report.answered(pods.answer()).await;
        Ok((access, list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()))
    }

    async fn ask_for_list(&self, access: &Access, params: &ListParams) -> Result<Value, Trouble> {
        let request = self.requests().list(params).map_err(|error| ("environment", error.to_string()))?;
        let list = access.ask(self, request).await?;
        if list["items"].is_array() {
            return Ok(list);
        }
        Err(("answer", format!("the answer of {} is no list of pods: it has no items", self.server)))
    }

    /// The labels may be those of the Tomcats, and this pod's others.
    async fn find_own(&self, access: &Access, pods: &mut Pods) -> Result<(), Trouble> {
        let params = ListParams::default().fields(&format!("status.podIP={}", pods.local.ip()));
        let list = self.ask_for_list(access, &params).await?;
        let found = list["items"].as_array().into_iter().flatten().filter_map(|item| pod::read(item).ok());
        pods.own = found.into_iter().find(|pod| pod.ip == pods.local.ip()).map(|pod| pod.unique_id);
        Ok(())
    }

    /// One watch after the other, until the list has to be read again.
    async fn follow(&self, mut access: Access, mut version: String, pods: &mut Pods, report: &mut Report) {
        loop {
            let (started, from) = (Instant::now(), version.clone());
            match self.watch(&access, &mut version, pods, report).await {
                Ok(Turn::Renewed) => match Access::open(self) {
                    Ok(renewed) => access = renewed,
                    Err((kind, trouble)) => return report.failed(Question::Watch, kind, trouble).await,
                },
                Ok(Turn::Ended) if version != from || started.elapsed() >= self.interval => {
                    report.works(Question::Watch);
                }
                // A watch that ends at once would end at once again.
                Ok(Turn::Ended | Turn::Lost) => return,
                Err((kind, trouble)) => return report.failed(Question::Watch, kind, trouble).await,
            }
        }
    }

    async fn watch(
        &self,
        access: &Access,
        version: &mut String,
        pods: &mut Pods,
        report: &mut Report,
    ) -> Result<Turn, Trouble> {
        let mut params = WatchParams::default().timeout(WATCH_SECONDS);
        params.label_selector.clone_from(&self.labels);
        let request = self.requests().watch(&params, version).map_err(|error| ("environment", error.to_string()))?;
        let late = |_| ("timeout", format!("{} does not begin to tell changes in {:?}", self.server, self.timeout));
        let opened = timeout(self.timeout, access.client.request_events::<Value>(request)).await.map_err(late)?;
        let mut events = pin!(opened.map_err(|error| trouble(self, &error))?);
        let end = Instant::now() + Duration::from_secs(u64::from(WATCH_SECONDS)) + WATCH_GRACE;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = sleep(self.interval) => {
                    match (access.is_outdated(self), Instant::now() < end) {
                        (true, _) => return Ok(Turn::Renewed),
                        (false, true) => {
                            report.works(Question::Watch);
                            continue;
                        }
                        (false, false) => return Ok(Turn::Ended),
                    }
                }
            };
            let Some(event) = event else { return Ok(Turn::Ended) };
            match event.map_err(|error| trouble(self, &error))? {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                    pods.put(&pod, report);
                    seen(&pod, version);
                }
                WatchEvent::Deleted(pod) => {
                    pods.remove(&pod);
                    seen(&pod, version);
                }
                WatchEvent::Bookmark(mark) => version.clone_from(&mark.metadata.resource_version),
                // The version is older than what the API server remembers: not a fault of anybody.
                WatchEvent::Error(status) if status.code == 410 => return Ok(Turn::Lost),
                WatchEvent::Error(status) => return Err(trouble(self, &kube::Error::Api(status))),
            }
            report.works(Question::Watch);
            report.changed(pods.answer()).await;
        }
    }
}

fn seen(item: &Value, version: &mut String) {
    if let Some(of_item) = item["metadata"]["resourceVersion"].as_str() {
        of_item.clone_into(version);
    }
}

/// A path segment. Namespaces are DNS labels; anything else must not become another path.
fn encoded(namespace: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    namespace
        .bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
