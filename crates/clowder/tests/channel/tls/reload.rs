//! The files change while the node runs.

use clowder::{Channel, SendOptions, TlsError};

use super::authority::{Authority, CA, CERTIFICATE, Files};
use super::stranger::{Stranger, parts};
use crate::nodes::{builder, node, patiently};

#[tokio::test]
async fn new_connections_use_the_new_files_and_open_ones_stay() {
    let (ca, next_ca) = (Authority::new(), Authority::new());
    let (first, second) = (ca.member("first"), next_ca.member("second"));
    let files = Files::new(&first, &ca.pem());
    let to = builder().tls(files.config()).start().await.unwrap();
    let from = ca.node("from").await;
    patiently(from.send([to.local()], "a", SendOptions::SYNC)).await.unwrap();
    let (old, new) = (Stranger::new(Some(&ca.member("old"))), Stranger::new(Some(&next_ca.member("new"))));
    assert_eq!(old.shown(&to).await, parts(&first).0[0]);
    files.replace(&second);
    files.write(CA, &next_ca.pem());
    assert_eq!(old.shown(&to).await, parts(&first).0[0], "nobody said that they changed");
    to.reload_tls().unwrap();
    assert_eq!(new.shown(&to).await, parts(&second).0[0]);
    assert!(new.is_answered(&to).await && !old.is_answered(&to).await, "and it trusts whom they name");
    patiently(from.send([to.local()], "b", SendOptions::SYNC)).await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing() {
    let ca = Authority::new();
    let own = ca.member("own");
    let files = Files::new(&own, &ca.pem());
    let to = builder().tls(files.config()).start().await.unwrap();
    files.write(CERTIFICATE, &ca.member("other").certificate);
    let error = to.reload_tls().unwrap_err();
    assert!(matches!(error, TlsError::KeyMismatch { .. }), "{error}");
    let friend = Stranger::new(Some(&ca.member("friend")));
    assert_eq!(friend.shown(&to).await, parts(&own).0[0]);
    assert!(friend.is_answered(&to).await);
}

#[tokio::test]
async fn two_cas_in_the_file_let_a_cluster_change_from_one_to_the_other() {
    let (ca, next_ca) = (Authority::new(), Authority::new());
    let both = format!("{}{}", ca.pem(), next_ca.pem());
    let start = async |files: &Files| builder().tls(files.config()).start().await.unwrap();
    let a = start(&Files::new(&ca.member("a"), &both)).await;
    let b = start(&Files::new(&next_ca.member("b"), &both)).await;
    let send = async |from: &Channel, to: &Channel| patiently(from.send([to.local()], "x", SendOptions::SYNC)).await;
    send(&a, &b).await.unwrap();
    send(&b, &a).await.unwrap();
}

#[tokio::test]
async fn a_node_without_tls_has_nothing_to_reload() {
    assert!(matches!(node().await.reload_tls(), Err(TlsError::NotConfigured)));
}
