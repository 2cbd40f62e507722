//! Who gets no connection, and what the node tells about it.

use std::time::Duration;

use clowder::{Channel, Refusal, SendFailure, SendOptions, metrics as names};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::authority::{Authority, Files};
use super::stranger::{Impostor, Stranger, secure};
use crate::counts::Counts;
use crate::nodes::{builder, failures, patiently};

/// The node says that it refused somebody, how often, and tells nothing else.
async fn assert_told(node: &Channel, counts: &Counts, kind: &str, provoke: impl Future<Output = ()>) {
    let mut refusals = node.refusals();
    let before = counts.get(names::TLS_REFUSED, kind);
    provoke.await;
    let refusal = patiently(refusals.next()).await.expect("the node runs");
    let Refusal::Tls { peer, kind: told, reason } = refusal else { panic!("{refusal:?}") };
    assert!(told == kind && peer.ip().is_loopback() && !reason.is_empty(), "{kind}: {told} {reason}");
    assert_eq!(counts.get(names::TLS_REFUSED, kind), before + 1, "{kind}");
}

#[tokio::test]
async fn without_a_certificate_of_the_ca_that_is_valid_now_nobody_is_heard() {
    let (ca, other) = (Authority::new(), Authority::new());
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let node = ca.node("node").await;
    let strangers = [
        ("no_certificate", None),
        ("unknown_issuer", Some(other.member("node"))),
        ("expired", Some(ca.expired())),
        ("purpose", Some(ca.server())),
    ];
    for (kind, own) in strangers {
        let stranger = Stranger::new(own.as_ref());
        assert_told(&node, &counts, kind, async { assert!(!stranger.is_answered(&node).await, "{kind}") }).await;
    }
    assert_eq!(counts.get(names::RECEIVED, ""), 0);
    assert_eq!(counts.get(names::TLS_ACCEPTED, ""), 0);
    assert!(Stranger::new(Some(&ca.member("friend"))).is_answered(&node).await, "a member is");
    assert_eq!(counts.get(names::TLS_ACCEPTED, ""), 1);
}

#[tokio::test]
async fn of_those_with_a_certificate_only_accepted_names_are_heard() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let files = ca.files("node");
    let config = files.config().accepted_names(["one.cluster", "two.cluster"]);
    let node = builder().tls(config).start().await.unwrap();
    let other = Stranger::new(Some(&ca.member("three.cluster")));
    assert_told(&node, &counts, "name", async { assert!(!other.is_answered(&node).await) }).await;
    assert!(Stranger::new(Some(&ca.member("two.cluster"))).is_answered(&node).await);
    // It looks at names also where it connects itself.
    let impostor = Impostor::new(&ca.member("three.cluster")).await;
    let failed = async {
        let result = patiently(node.send([&impostor.member], "a", SendOptions::SYNC)).await;
        assert_eq!(failures(result), [SendFailure::Connect]);
    };
    let before = counts.get(names::TLS_REFUSED, "name");
    failed.await;
    assert!(counts.get(names::TLS_REFUSED, "name") > before);
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let node = ca.node("node").await;
    assert_told(&node, &counts, "not_tls", async {
        let mut raw = crate::raw::Raw::new(TcpStream::connect(secure(&node)).await.unwrap());
        raw.write(&crate::raw::frame(1, clowder::options::USE_ACK, b"hello")).await;
        let mut answer = Vec::new();
        let _ = patiently(raw.stream.read_to_end(&mut answer)).await; // an alert, or a reset
        assert!(!answer.starts_with(b"FLT2002"));
    })
    .await;
    assert_eq!(counts.get(names::RECEIVED, ""), 0);
}

#[tokio::test]
async fn a_handshake_that_stops_is_given_up_in_time() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let files = ca.files("node");
    let config = files.config().handshake_timeout(Duration::from_millis(20));
    let node = builder().tls(config).start().await.unwrap();
    assert_told(&node, &counts, "timeout", async {
        let mut silent = TcpStream::connect(secure(&node)).await.unwrap();
        assert_eq!(patiently(silent.read(&mut [0])).await.unwrap_or(0), 0, "it is closed");
    })
    .await;
}

#[tokio::test]
async fn many_handshakes_that_stop_displace_each_other_and_nobody_who_goes_on() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let files = ca.files("node");
    let config = files.config().handshake_timeout(Duration::from_secs(600)).handshakes_max(4);
    let node = builder().tls(config).start().await.unwrap();
    let friend = Stranger::new(Some(&ca.member("friend")));
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(secure(&node)).await.unwrap());
    }
    assert!(friend.is_answered(&node).await);
    assert_eq!(counts.get(names::TLS_REFUSED, "too_many"), 17, "of 21, four have a place");
    for displaced in &mut silent[..16] {
        assert_eq!(patiently(displaced.read(&mut [0])).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn a_peer_of_another_ca_gets_no_message_and_no_plain_connection_in_its_place() {
    let (ca, other) = (Authority::new(), Authority::new());
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let from = ca.node("from").await;
    for (own, kind) in [(other.member("node"), "unknown_issuer"), (ca.expired(), "expired")] {
        let impostor = Impostor::new(&own).await;
        let result = patiently(from.send([&impostor.member], "a", SendOptions::SYNC)).await;
        assert_eq!(failures(result), [SendFailure::Connect], "{kind}");
        assert_eq!(counts.get(names::TLS_REFUSED, kind), 2, "{kind}: two tries");
        tokio::select! {
            biased;
            _ = impostor.plain.accept() => panic!("a plain connection"),
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn a_node_whose_certificate_is_refused_learns_why() {
    let (ca, other) = (Authority::new(), Authority::new());
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let to = ca.node("to").await;
    // It trusts the right CA and has a certificate of another one.
    let files = Files::new(&other.member("from"), &ca.pem());
    let from = builder().tls(files.config()).start().await.unwrap();
    let mut refusals = from.refusals();
    let result = patiently(from.send([to.local()], "a", SendOptions::SYNC)).await;
    let failed = failures(result);
    assert!(matches!(failed[..], [SendFailure::ConnectionLost | SendFailure::Connect]), "{failed:?}");
    assert!(counts.get(names::TLS_REFUSED, "unknown_issuer") > 0, "the other side refused it");
    let Some(Refusal::Tls { kind, reason, .. }) = patiently(refusals.next()).await else { panic!("no refusal") };
    assert!(kind == "refused_by_peer" && reason.contains("CA"), "{reason}");
}
