//! The provider against an API server over TLS. Every wait is for a condition.

mod api_server;
mod nodes;
mod trouble;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clowder_proto::group::Source;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::identity::id_of;
use super::super::report::Report;
use super::super::{Answer, Found};
use super::*;
use api_server::ApiServer;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const HERE: &str = "10.244.1.5";

/// A pod as an API server describes it, much shortened.
fn pod(name: &str, ip: &str) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-of-{name}"), "labels": {"app": "shop"},
            "creationTimestamp": "2026-11-20T08:15:30Z", "generateName": "shop-",
            "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}}]
        },
        "spec": {"nodeName": "worker-1", "containers": [{"name": "shop", "image": "shop:1.2"}]},
        "status": {
            "phase": "Running", "hostIP": "192.168.1.11", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [
                {"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"},
                {"type": "ContainersReady", "status": "True"}, {"type": "PodScheduled", "status": "True"}
            ],
            "containerStatuses": [{"name": "shop", "ready": true, "restartCount": 0}]
        }
    })
}

fn unready(name: &str, ip: &str) -> Value {
    let mut pod = pod(name, ip);
    pod["status"]["conditions"][1]["status"] = "False".into();
    pod
}

/// A running provider, and what it tells.
struct Provider {
    _task: JoinSet<()>,
    told: mpsc::Receiver<Found>,
}

fn config(server: &ApiServer) -> Kubernetes {
    Kubernetes {
        server: format!("https://{}", server.addr),
        namespace: "shop".to_owned(),
        labels: None,
        token_file: server.token_file(),
        ca_file: server.ca_file(),
        client_certificate: None,
        require_ready: true,
        interval: Duration::from_millis(20),
        timeout: PATIENCE,
    }
}

impl Provider {
    fn start(config: Kubernetes) -> Self {
        let (sender, told) = mpsc::channel(64);
        let report = Report::new("kubernetes", Source::new(0).unwrap(), sender);
        let local = SocketAddr::new(HERE.parse().unwrap(), 4000);
        let mut task = JoinSet::new();
        task.spawn(config.run(local, report));
        Provider { _task: task, told }
    }

    async fn next(&mut self) -> Option<Answer> {
        let found = tokio::time::timeout(PATIENCE, self.told.recv()).await.expect("it tells something in time");
        found.expect("it runs").answer
    }

    /// The next list that fits; failures and lists before it are passed over.
    async fn list(&mut self, fits: impl Fn(&[(IpAddr, bool)]) -> bool) -> Answer {
        loop {
            if let Some(answer) = self.next().await
                && fits(&addresses(&answer))
            {
                return answer;
            }
        }
    }

    async fn failure(&mut self) {
        while self.next().await.is_some() {}
    }
}

/// Addresses and readiness.
fn addresses(answer: &Answer) -> Vec<(IpAddr, bool)> {
    answer.list.iter().map(|listed| (listed.id.socket_addr().unwrap().ip(), listed.ready)).collect()
}

fn ips(of: &[&str]) -> Vec<(IpAddr, bool)> {
    of.iter().map(|ip| (ip.parse().unwrap(), true)).collect()
}

/// A server with this node and another one.
async fn pair() -> (ApiServer, Provider) {
    let server = ApiServer::start().await;
    server.put(pod("shop-0", HERE));
    server.put(pod("shop-1", "10.244.2.6"));
    let mut provider = Provider::start(config(&server));
    provider.list(|list| list == ips(&["10.244.2.6"])).await;
    (server, provider)
}

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it holds in time");
}

#[tokio::test]
async fn pods_are_members_with_our_port_and_the_md5_of_their_uid() {
    let server = ApiServer::start().await;
    server.put(pod("shop-0", HERE));
    server.put(pod("shop-1", "10.244.2.6"));
    let mut without_uid = pod("shop-2", "10.244.2.7");
    without_uid["metadata"].as_object_mut().unwrap().remove("uid");
    server.put(without_uid);
    let answer = Provider::start(config(&server)).next().await.expect("an answer");
    let found: Vec<_> =
        answer.list.iter().map(|listed| (listed.id.socket_addr().unwrap(), listed.id.unique_id)).collect();
    let expected = [
        ("10.244.2.6:4000".parse().unwrap(), id_of("uid-of-shop-1")),
        ("10.244.2.7:4000".parse().unwrap(), id_of("10.244.2.7")),
    ];
    assert_eq!(found, expected);
    assert_eq!(answer.own, Some(id_of("uid-of-shop-0")), "the pod with our address is us");
}

#[tokio::test]
async fn pods_that_are_not_ready_are_listed_as_such() {
    let server = ApiServer::start().await;
    server.put(pod("shop-0", HERE));
    server.put(unready("shop-1", "10.244.2.6"));
    let mut provider = Provider::start(config(&server));
    let answer = provider.next().await.expect("an answer");
    assert_eq!(addresses(&answer), [("10.244.2.6".parse().unwrap(), false)]);
    server.put(pod("shop-1", "10.244.2.6"));
    provider.list(|list| list == ips(&["10.244.2.6"])).await;
    // As Tomcat does.
    server.put(unready("shop-1", "10.244.2.6"));
    let answer = Provider::start(config(&server).require_ready(false)).next().await.expect("an answer");
    assert_eq!(addresses(&answer), ips(&["10.244.2.6"]));
}

#[tokio::test]
async fn items_of_no_use_are_skipped_and_the_others_count() {
    let server = ApiServer::start().await;
    server.put(pod("shop-0", HERE));
    let with = |name: &str, ip: &str, change: fn(&mut Value)| {
        let mut pod = pod(name, ip);
        change(&mut pod);
        pod
    };
    server.put(with("a", "10.244.9.1", |pod| pod["metadata"]["creationTimestamp"] = "soon".into()));
    server.put(with("b", "10.244.9.2", |pod| pod["status"]["phase"] = "Succeeded".into()));
    server.put(with("c", "10.244.9.3", |pod| pod["status"] = json!({"phase": "Pending"})));
    server.put(with("d", "not an address", |_| {}));
    server.put(with("e", "10.244.9.5", |pod| pod["kind"] = "Node".into()));
    server.put(pod("f", "fd00::6"));
    server.put(pod("g", "10.244.9.7"));
    let answer = Provider::start(config(&server)).next().await.expect("an answer");
    assert_eq!(addresses(&answer), ips(&["fd00::6", "10.244.9.7"]));
}

#[tokio::test]
async fn changes_are_told_without_reading_the_list_again() {
    let (server, mut provider) = pair().await;
    until(|| server.watched() == 1).await;
    server.requests();
    server.put(pod("shop-2", "10.244.3.7"));
    provider.list(|list| list == ips(&["10.244.2.6", "10.244.3.7"])).await;
    server.bookmark(500);
    server.delete("shop-1");
    provider.list(|list| list == ips(&["10.244.3.7"])).await;
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_pod_that_came_back_at_its_address_has_another_id() {
    let (server, mut provider) = pair().await;
    server.delete("shop-1");
    let mut again = pod("shop-1", "10.244.2.6");
    again["metadata"]["uid"] = "another".into();
    server.put(again);
    let answer = provider.list(|list| list == ips(&["10.244.2.6"])).await;
    let ids: Vec<_> = answer.list.iter().map(|listed| listed.id.unique_id).collect();
    assert_eq!(ids, [id_of("another")]);
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_from_the_last_version() {
    let (server, mut provider) = pair().await;
    until(|| server.watched() == 1).await;
    server.requests();
    server.bookmark(777);
    server.close_watches();
    until(|| server.watched() == 1).await;
    let requests = server.requests();
    assert!(requests.len() == 1 && requests[0].contains("resourceVersion=777"), "no list: {requests:?}");
    server.put(pod("shop-2", "10.244.3.7"));
    provider.list(|list| list.len() == 2).await;
    server.close_watches();
    until(|| server.watched() == 1).await;
    let requests = server.requests();
    assert!(requests.len() == 1 && requests[0].contains("resourceVersion=778"), "no list: {requests:?}");
}

#[tokio::test]
async fn labels_namespace_and_token_are_in_the_request() {
    let server = ApiServer::start().await;
    let mut other = pod("db-0", "10.244.9.9");
    other["metadata"]["labels"]["app"] = "db".into();
    server.put(other);
    server.put(pod("shop-1", "10.244.2.6"));
    let mut own = pod("shop-0", HERE);
    own["metadata"]["labels"]["app"] = "clowder".into();
    server.put(own);
    let mut provider = Provider::start(config(&server).labels("app=shop"));
    let answer = provider.list(|list| list == ips(&["10.244.2.6"])).await;
    assert_eq!(answer.own, Some(id_of("uid-of-shop-0")), "found by its address, whatever its labels");
    until(|| server.watched() == 1).await;
    let requests = server.requests();
    assert!(requests.iter().any(|request| request.contains("labelSelector=app%3Dshop")), "{requests:?}");
    assert!(requests.last().expect("a watch").contains("labelSelector=app%3Dshop"), "{requests:?}");
}

#[tokio::test]
async fn our_own_pod_may_appear_later_than_we_do() {
    let server = ApiServer::start().await;
    server.put(pod("shop-1", "10.244.2.6"));
    let mut provider = Provider::start(config(&server));
    assert_eq!(provider.next().await.expect("an answer").own, None);
    let mut own = pod("shop-0", HERE);
    own["status"]["phase"] = "Pending".into();
    server.put(own);
    assert_eq!(provider.next().await.expect("an answer").own, Some(id_of("uid-of-shop-0")));
}
