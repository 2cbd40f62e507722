//! An API server that does not answer as it should: the members stay, and everything comes back by itself.

use super::api_server::{Mood, status};
use super::*;

/// What a start of the provider is told while nothing works.
fn opened(config: &Kubernetes) -> access::Trouble {
    access::Access::open(config).map(drop).expect_err("it cannot be opened")
}

/// The trouble of one question.
async fn trouble(config: &Kubernetes) -> access::Trouble {
    let access =
        access::Access::open(config).map_err(|(_, trouble)| trouble).expect("files and certificates are there");
    let path = format!("/api/v1/namespaces/{}/pods", config.namespace);
    access.ask(config, http::Request::get(path).body(Vec::new()).unwrap()).await.expect_err("no answer")
}

/// Nothing but failures is told while the server is in this mood, and lists again when it is well.
async fn survives(mood: Mood) {
    let (server, mut provider) = pair().await;
    server.mood(mood.clone());
    for _ in 0..3 {
        assert_eq!(provider.next().await, None, "{mood:?}: a failure empties no list");
    }
    server.mood(Mood::Well);
    server.put(pod("shop-2", "10.244.3.7"));
    provider.list(|list| list == ips(&["10.244.2.6", "10.244.3.7"])).await;
}

#[tokio::test]
async fn errors_of_the_api_server_change_nothing() {
    for code in [403, 429, 500, 503] {
        survives(Mood::Answers(code, status(code, "no"))).await;
    }
}

#[tokio::test]
async fn answers_that_are_no_list_change_nothing() {
    for text in ["<html>busy</html>", "", "null", "{}", r#"{"items": null}"#, r#"{"items": {}}"#] {
        survives(Mood::Answers(200, text.to_owned())).await;
    }
}

#[tokio::test]
async fn half_an_answer_changes_nothing() {
    survives(Mood::BreaksOff).await;
}

#[tokio::test]
async fn a_server_that_hangs_changes_nothing() {
    let (server, _) = pair().await;
    let mut provider = Provider::start(config(&server).timeout(Duration::from_millis(500)));
    provider.list(|list| list == ips(&["10.244.2.6"])).await;
    server.mood(Mood::Hangs);
    provider.failure().await;
    server.mood(Mood::Well);
    server.put(pod("shop-2", "10.244.3.7"));
    provider.list(|list| list.len() == 2).await;
}

#[tokio::test]
async fn without_watches_the_list_is_read_again_and_again() {
    for mood in [Mood::NoWatch(403), Mood::NoWatch(500), Mood::ClosesWatches, Mood::Forgot] {
        let (server, mut provider) = pair().await;
        server.mood(mood.clone());
        for (name, ip) in [("shop-2", "10.244.3.7"), ("shop-3", "10.244.3.8")] {
            server.put(pod(name, ip));
            provider.list(|list| list.iter().any(|(found, _)| *found == ip.parse::<IpAddr>().unwrap())).await;
        }
        server.mood(Mood::Well);
        until(|| server.watched() == 1).await;
    }
}

#[tokio::test]
async fn a_garbled_watch_is_given_up_and_the_list_read_again() {
    let (server, mut provider) = pair().await;
    until(|| server.watched() == 1).await;
    server.garble();
    until(|| server.watched() == 1 && server.requests().len() >= 2).await;
    server.put(pod("shop-2", "10.244.3.7"));
    provider.list(|list| list.len() == 2).await;
}

#[tokio::test]
async fn a_renewed_token_is_used_without_an_interruption() {
    let (server, mut provider) = pair().await;
    until(|| server.watched() == 1).await;
    server.renew_token("second");
    std::fs::write(server.token_file(), "second").unwrap();
    until(|| server.requests().iter().any(|request| request.contains("watch=true"))).await;
    until(|| server.watched() == 1).await;
    server.put(pod("shop-2", "10.244.3.7"));
    assert_eq!(provider.next().await.map(|answer| answer.list.len()), Some(2), "no failure in between");
}

#[tokio::test]
async fn a_token_that_is_renewed_late_is_tried_again() {
    let (server, mut provider) = pair().await;
    server.renew_token("second");
    server.close_watches();
    provider.failure().await;
    std::fs::write(server.token_file(), "second").unwrap();
    server.put(pod("shop-2", "10.244.3.7"));
    provider.list(|list| list.len() == 2).await;
}

#[tokio::test]
async fn refusals_name_their_remedy() {
    let (server, _) = pair().await;
    let config = config(&server);
    server.renew_token("second");
    let (kind, text) = trouble(&config).await;
    assert!(kind == "status" && text.contains("401") && text.contains("the token in /"), "{kind}: {text}");
    let message = "pods is forbidden: User \"system:serviceaccount:shop:default\" cannot list resource \"pods\"";
    server.mood(Mood::Answers(403, status(403, message)));
    let (kind, text) = trouble(&config).await;
    assert_eq!(kind, "status");
    for part in [message, "kubectl -n shop create role clowder --verb=list,watch --resource=pods", "shop:default"] {
        assert!(text.contains(part), "{text}");
    }
    server.mood(Mood::Answers(502, "<html>\nbad gateway".to_owned()));
    let (_, text) = trouble(&config).await;
    assert!(text.ends_with("answers 502: <html> bad gateway"), "{text}");
}

#[tokio::test]
async fn the_server_must_show_a_certificate_of_the_configured_authority() {
    let (server, _) = pair().await;
    let other = ApiServer::start().await;
    let mut config = config(&server);
    config.ca_file = other.ca_file();
    let (kind, text) = trouble(&config).await;
    assert!(kind == "connect" && text.contains("certificate"), "{kind}: {text}");
    // Its name counts, too.
    let mut config = super::config(&server);
    config.server = format!("https://localhost:{}", server.addr.port());
    let (kind, text) = trouble(&config).await;
    assert!(kind == "connect" && text.contains("certificate"), "{kind}: {text}");
}

#[tokio::test]
async fn missing_files_are_named_with_their_remedy() {
    let server = ApiServer::start().await;
    let nowhere = server.ca_file().with_file_name("nowhere");
    let (kind, text) = opened(&Kubernetes { token_file: nowhere.clone(), ..config(&server) });
    assert!(kind == "token" && text.contains("nowhere") && text.contains("automountServiceAccountToken"), "{text}");
    let (kind, text) = opened(&Kubernetes { ca_file: nowhere.clone(), ..config(&server) });
    assert!(kind == "ca" && text.contains("nowhere"), "{text}");
    let certificate = Some((nowhere.clone(), nowhere));
    let (kind, text) = opened(&Kubernetes { client_certificate: certificate, ..config(&server) });
    assert!(kind == "certificate" && text.contains("nowhere"), "{text}");
    std::fs::write(server.token_file(), " \n").unwrap();
    assert_eq!(opened(&config(&server)).0, "token");
    std::fs::write(server.token_file(), "two\nlines").unwrap();
    assert_eq!(opened(&config(&server)).0, "token");
}

#[tokio::test]
async fn a_file_that_comes_later_is_enough() {
    let server = ApiServer::start().await;
    server.put(pod("shop-0", HERE));
    server.put(pod("shop-1", "10.244.2.6"));
    let token = std::fs::read(server.token_file()).unwrap();
    std::fs::remove_file(server.token_file()).unwrap();
    let mut provider = Provider::start(config(&server));
    assert_eq!(provider.next().await, None);
    std::fs::write(server.token_file(), token).unwrap();
    provider.list(|list| list == ips(&["10.244.2.6"])).await;
}

#[test]
fn without_encryption_no_authority_is_needed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = ApiServer::start().await;
        let mut config = config(&server);
        config.ca_file = server.ca_file().with_file_name("nowhere");
        config.server = format!("http://{}", server.addr);
        assert!(access::Access::open(&config).is_ok());
    });
}
