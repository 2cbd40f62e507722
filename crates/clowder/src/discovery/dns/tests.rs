//! The provider with a resolver of the test's own.

use std::sync::{Arc, Mutex};

use clowder_proto::group::Source;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::Found;
use super::super::identity::id_of;
use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

type Outcome = Result<Vec<&'static str>, io::ErrorKind>;

/// A resolver whose answers are these in turn, the last one for ever.
struct Provider {
    _task: JoinSet<()>,
    told: mpsc::Receiver<Found>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn start(local: &str, outcomes: Vec<Outcome>) -> Self {
        let (sender, told) = mpsc::channel(64);
        let report = Report::new("dns", Source::new(0).unwrap(), sender);
        let dns = Dns::new("shop.test").interval(Duration::from_millis(1));
        let local = local.parse().unwrap();
        let (asked, outcomes) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(outcomes)));
        let names = Arc::clone(&asked);
        let lookup = move |name| {
            names.lock().unwrap().push(name);
            let mut outcomes = outcomes.lock().unwrap();
            let outcome = if outcomes.len() > 1 { outcomes.remove(0) } else { outcomes[0].clone() };
            let outcome = outcome.map(|found| found.iter().map(|ip| ip.parse().unwrap()).collect());
            std::future::ready(outcome.map_err(io::Error::from))
        };
        let mut task = JoinSet::new();
        task.spawn(async move { dns.run_with(local, report, lookup).await });
        Provider { _task: task, told, asked }
    }

    async fn next(&mut self) -> Option<Vec<String>> {
        let found = tokio::time::timeout(PATIENCE, self.told.recv()).await.expect("in time").expect("it runs");
        found.answer.map(|answer| answer.list.iter().map(|it| it.id.socket_addr().unwrap().to_string()).collect())
    }
}

#[tokio::test]
async fn all_addresses_of_the_name_but_our_own_are_members_with_our_port() {
    let mut provider = Provider::start("10.0.0.1:4007", vec![Ok(vec!["10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.2"])]);
    assert_eq!(provider.next().await.unwrap(), ["10.0.0.2:4007", "10.0.0.3:4007"]);
    assert_eq!(provider.asked.lock().unwrap()[0], "shop.test");
}

#[tokio::test]
async fn a_failed_question_tells_no_list_and_the_next_one_does() {
    let outcomes = vec![
        Ok(vec!["10.0.0.2"]),
        Err(io::ErrorKind::NotFound),
        Ok(vec![]),
        Ok(vec!["10.0.0.2"]),
        Ok(vec!["10.0.0.2", "10.0.0.3"]),
    ];
    let mut provider = Provider::start("10.0.0.1:4000", outcomes);
    assert_eq!(provider.next().await.unwrap(), ["10.0.0.2:4000"]);
    assert_eq!(provider.next().await, None, "no such name");
    assert_eq!(provider.next().await, None, "no address");
    assert_eq!(provider.next().await.unwrap(), ["10.0.0.2:4000", "10.0.0.3:4000"]);
}

#[test]
fn the_order_of_an_answer_means_nothing() {
    let local = "10.0.0.1:4000".parse().unwrap();
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let (a, b) = (ip("10.0.0.2"), ip("10.0.0.10"));
    assert_eq!(answer(local, &[a, b]), answer(local, &[b, a]));
}

#[test]
fn addresses_of_the_other_family_are_no_members() {
    let both = ["10.0.0.2", "2001:db8::2"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let of = |local: &str| answer(local.parse().unwrap(), &both).list.into_iter().map(|listed| listed.id);
    let v6: Vec<_> = of("[2001:db8::1]:4000").collect();
    assert_eq!(v6[0].socket_addr(), "[2001:db8::2]:4000".parse().ok());
    assert_eq!((v6.len(), v6[0].unique_id), (1, id_of("2001:db8:0:0:0:0:0:2")));
    assert_eq!(of("10.0.0.1:4000").collect::<Vec<_>>(), [by_address(both[0], 4000)]);
}

#[tokio::test]
async fn a_resolver_that_hangs_is_reported_and_not_asked_twice() {
    let (sender, mut told) = mpsc::channel(64);
    let report = Report::new("dns", Source::new(0).unwrap(), sender);
    let dns = Dns::new("shop.test").timeout(Duration::from_millis(1)).interval(Duration::ZERO);
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let lookup = move |_| {
        *count.lock().unwrap() += 1;
        std::future::pending()
    };
    let mut task = JoinSet::new();
    task.spawn(async move { dns.run_with("10.0.0.1:4000".parse().unwrap(), report, lookup).await });
    let found = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("it runs");
    assert_eq!((found.answer, *asked.lock().unwrap()), (None, 1));
}

#[tokio::test]
async fn the_systems_resolver_knows_this_machine() {
    let found = system_lookup("localhost".to_owned()).await.unwrap();
    assert!(found.iter().any(IpAddr::is_loopback), "{found:?}");
}
