//! The session layer on one node: cookies, typed attributes, parallel requests. No socket, no cluster.

#![allow(clippy::unwrap_used)] // in tests a panic is the right report

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use clowder::{SameSite, Session, SessionError, SessionLayer, Sessions};
use support::{Browser, call};
use tokio::sync::Barrier;

async fn sessions() -> Sessions {
    Sessions::local("localhost#/app").await.unwrap()
}

async fn inc(session: Session) -> Result<String, SessionError> {
    session.update("count", |n: Option<i32>| n.unwrap_or(0) + 1).map(|n| n.to_string())
}

fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/inc", get(inc))
        .route("/read", get(|session: Session| async move { session.get::<i32>("count").map(|n| format!("{n:?}")) }))
        .route("/nothing", get(|| async { "static" }))
        .route("/set/{name}", get(|session: Session, Path(name): Path<String>| async move { session.set(&name, &1) }))
        .route("/remove", get(|s: Session| async move { s.remove("count").map(|was| was.to_string()) }))
        .route("/logout", get(|session: Session| async move { session.invalidate() }))
        .route("/login", get(|session: Session| async move { session.renew_id() }))
        .route("/names", get(|session: Session| async move { session.attribute_names().join(",") }))
        .layer(layer)
}

#[tokio::test]
async fn no_session_before_the_first_write() {
    let sessions = sessions().await;
    let app = app(SessionLayer::new(sessions.clone()));
    for path in ["/nothing", "/read", "/remove", "/logout", "/login", "/names"] {
        let answer = call(&app, path, None).await;
        assert_eq!((answer.status, answer.set_cookie), (StatusCode::OK, None), "{path}");
    }
    assert_eq!(
        call(&app, "/read", Some("A0".repeat(16).as_str())).await.set_cookie,
        None,
        "an unknown id is no session"
    );
    assert_eq!(sessions.len(), 0);
}

#[tokio::test]
async fn the_first_write_makes_a_session_with_tomcats_id() {
    let sessions = sessions().await;
    let app = app(SessionLayer::new(sessions.clone()));
    let first = call(&app, "/inc", None).await;
    let id = first.id().unwrap();
    assert_eq!(first.set_cookie.as_deref(), Some(&*format!("JSESSIONID={id}; Path=/; HttpOnly")));
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)), "{id}");
    let second = call(&app, "/inc", Some(id)).await;
    assert_eq!((second.body.as_str(), second.set_cookie), ("2", None), "the cookie is sent once");
    assert_eq!(sessions.len(), 1);
    let other = call(&app, "/inc", None).await;
    assert_eq!(other.body, "1");
    assert_ne!(other.id(), Some(id));
}

#[tokio::test]
async fn an_unknown_id_is_never_adopted() {
    let app = app(SessionLayer::new(sessions().await));
    let chosen = "0".repeat(32);
    let answer = call(&app, "/inc", Some(&chosen)).await;
    assert_ne!(answer.id(), Some(chosen.as_str()), "session fixation");
}

#[tokio::test]
async fn the_first_cookie_that_names_a_session_wins() {
    let app = app(SessionLayer::new(sessions().await));
    let id = call(&app, "/inc", None).await.id().unwrap().to_owned();
    let both = format!("0000; JSESSIONID={id}");
    assert_eq!(call(&app, "/inc", Some(&both)).await.body, "2");
}

#[tokio::test]
async fn cookie_settings_reach_the_answer() {
    let layer = SessionLayer::new(sessions().await)
        .path("/app")
        .unwrap()
        .domain("example.org")
        .unwrap()
        .secure(true)
        .http_only(false)
        .same_site(SameSite::Strict);
    let answer = call(&app(layer), "/inc", None).await;
    let expected = "; Domain=example.org; Path=/app; Secure; SameSite=Strict";
    assert!(answer.set_cookie.unwrap().ends_with(expected));
}

#[tokio::test]
async fn the_route_follows_the_id() {
    let sessions = Sessions::local("localhost#/app").route("node1").await.unwrap();
    let answer = call(&app(SessionLayer::new(sessions)), "/inc", None).await;
    assert_eq!(answer.id().unwrap().split_once('.').unwrap().1, "node1");
}

#[tokio::test]
async fn invalidation_ends_the_session_and_its_cookie() {
    let sessions = sessions().await;
    let app = app(SessionLayer::new(sessions.clone()));
    let id = call(&app, "/inc", None).await.id().unwrap().to_owned();
    let logout = call(&app, "/logout", Some(&id)).await;
    assert_eq!(logout.set_cookie.as_deref(), Some("JSESSIONID=; Max-Age=0; Path=/; HttpOnly"));
    assert_eq!(sessions.len(), 0);
    let again = call(&app, "/inc", Some(&id)).await;
    assert_eq!(again.body, "1");
    assert_ne!(again.id(), Some(id.as_str()), "the dead id is not used again");
}

#[tokio::test]
async fn a_parallel_request_cannot_revive_an_invalidated_session() {
    let sessions = sessions().await;
    let barrier = std::sync::Arc::new(Barrier::new(2));
    let slow = |session: Session, State(barrier): State<std::sync::Arc<Barrier>>| async move {
        assert_eq!(session.get::<i32>("count").unwrap(), Some(1));
        barrier.wait().await;
        barrier.wait().await;
        let read = session.get::<i32>("count").unwrap();
        let wrote = session.set("late", &true);
        format!("{read:?} {}", matches!(wrote, Err(SessionError::Ended)))
    };
    let slow = Router::new().route("/slow", get(slow)).with_state(barrier.clone());
    let app = app(SessionLayer::new(sessions.clone())).merge(slow.layer(SessionLayer::new(sessions.clone())));
    let id = call(&app, "/inc", None).await.id().unwrap().to_owned();
    let during = async {
        barrier.wait().await;
        call(&app, "/logout", Some(&id)).await;
        barrier.wait().await;
    };
    let (slow, ()) = tokio::join!(call(&app, "/slow", Some(&id)), during);
    assert_eq!((slow.body.as_str(), slow.set_cookie), ("None true", None));
    assert_eq!(sessions.len(), 0);
}

#[tokio::test]
async fn after_its_own_invalidation_a_request_can_begin_anew() {
    let sessions = sessions().await;
    let anew = |session: Session| async move {
        session.invalidate();
        session.set("fresh", &1)?;
        assert!(session.is_new());
        Ok::<_, SessionError>(session.attribute_names().join(","))
    };
    let app = app(SessionLayer::new(sessions.clone()))
        .merge(Router::new().route("/anew", get(anew)).layer(SessionLayer::new(sessions.clone())));
    let mut browser = Browser::default();
    browser.get(&app, "/inc").await;
    let old = browser.id.clone();
    assert_eq!(browser.get(&app, "/anew").await.body, "fresh");
    assert_ne!(browser.id, old);
    assert_eq!(sessions.len(), 1);
}

#[tokio::test]
async fn renewal_keeps_the_attributes_under_a_new_id() {
    let sessions = Sessions::local("localhost#/app").renewal_grace(Duration::from_secs(10)).await.unwrap();
    let app = app(SessionLayer::new(sessions));
    let mut browser = Browser::default();
    browser.get(&app, "/inc").await;
    let old = browser.id.clone().unwrap();
    browser.get(&app, "/login").await;
    assert_ne!(browser.id.as_deref(), Some(old.as_str()));
    assert_eq!(browser.get(&app, "/inc").await.body, "2");
    let late = call(&app, "/inc", Some(&old)).await;
    assert_eq!(late.body, "3", "within the grace time the old id still finds the session");
    assert_eq!(late.set_cookie, None, "but whoever knows only the old id does not learn the new one");
}

#[tokio::test]
async fn without_grace_the_old_id_is_dead_at_once() {
    let app = app(SessionLayer::new(sessions().await));
    let mut browser = Browser::default();
    browser.get(&app, "/inc").await;
    let old = browser.id.clone().unwrap();
    browser.get(&app, "/login").await;
    assert_eq!(call(&app, "/read", Some(&old)).await.body, "None");
    assert_eq!(browser.get(&app, "/inc").await.body, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_lose_no_update() {
    let app = app(SessionLayer::new(sessions().await));
    let id = call(&app, "/inc", None).await.id().unwrap().to_owned();
    let mut requests = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (setter, of) = (app.clone(), id.clone());
        requests.spawn(async move { call(&setter, &format!("/set/a{n}"), Some(&of)).await.status });
        let (app, id) = (app.clone(), id.clone());
        requests.spawn(async move { call(&app, "/inc", Some(&id)).await.status });
    }
    while let Some(status) = requests.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    assert_eq!(call(&app, "/read", Some(&id)).await.body, "Some(201)");
    let names = call(&app, "/names", Some(&id)).await.body;
    assert_eq!(names.split(',').count(), 201);
}

#[tokio::test]
async fn values_keep_their_types_and_a_bad_one_degrades_alone() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct User {
        name: String,
        roles: Vec<String>,
        age: Option<i32>,
    }
    let session = Session::open(&sessions().await, None);
    let user = User { name: "alice".into(), roles: vec!["admin".into()], age: None };
    session.set("user", &user).unwrap();
    session.set("int", &5i32).unwrap();
    session.set("long", &5i64).unwrap();
    session.set("text", "grüße").unwrap();
    session.set("map", &BTreeMap::from([("k", "v")])).unwrap();
    assert_eq!(session.get::<User>("user").unwrap(), Some(user));
    assert_eq!(session.get::<i32>("int").unwrap(), Some(5));
    assert_eq!(session.get::<i64>("long").unwrap(), Some(5));
    assert_eq!(session.get::<String>("text").unwrap().as_deref(), Some("grüße"));
    let class = |name| java_object_stream::class_name(&session.raw(name).unwrap()).unwrap().to_string();
    assert_eq!(class("int"), "java.lang.Integer");
    assert_eq!(class("long"), "java.lang.Long");
    assert_eq!(class("map"), "java.util.LinkedHashMap");
    match session.get::<i32>("text") {
        Err(SessionError::Unreadable { name, class, .. }) => {
            assert_eq!((name.as_str(), class.as_str()), ("text", "java.lang.String"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(session.update("text", |n: Option<i32>| n.unwrap_or(0)), Err(SessionError::Unreadable { .. })));
    assert_eq!(session.get::<String>("text").unwrap().as_deref(), Some("grüße"), "a failed update changes nothing");
    assert!(matches!(session.set_raw("junk", b"junk".as_slice().into()), Err(SessionError::NotAValue { .. })));
    assert_eq!(session.attribute_names(), ["int", "long", "map", "text", "user"]);
}

#[tokio::test]
async fn compare_exchange_tells_the_loser() {
    let session = Session::open(&sessions().await, None);
    assert!(session.compare_exchange("n", None, &1).unwrap());
    assert!(!session.compare_exchange("n", None, &2).unwrap());
    assert!(!session.compare_exchange("n", Some(&7), &2).unwrap());
    assert!(session.compare_exchange("n", Some(&1), &2).unwrap());
    assert_eq!(session.get::<i32>("n").unwrap(), Some(2));
}

#[tokio::test]
async fn the_interval_is_whole_seconds_or_for_ever() {
    let session = Session::open(&sessions().await, None);
    assert_eq!((session.max_inactive(), session.creation_time()), (None, None));
    session.set("a", &1).unwrap();
    assert_eq!(session.max_inactive(), Some(Duration::from_secs(30 * 60)));
    session.set_max_inactive(Duration::from_millis(1)).unwrap();
    assert_eq!(session.max_inactive(), Some(Duration::from_secs(1)));
    session.set_max_inactive(None).unwrap();
    assert_eq!(session.max_inactive(), None);
    assert!(session.creation_time().is_some() && session.last_accessed().is_some());
}

#[tokio::test]
async fn the_limit_of_sessions_refuses_new_ones_only() {
    let sessions = Sessions::local("localhost#/app").sessions_max(1).await.unwrap();
    let app = app(SessionLayer::new(sessions));
    let id = call(&app, "/inc", None).await.id().unwrap().to_owned();
    assert_eq!(call(&app, "/inc", None).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(call(&app, "/inc", Some(&id)).await.body, "2");
}

#[tokio::test]
async fn a_route_without_the_layer_says_so() {
    let app = Router::new().route("/inc", get(inc));
    assert_eq!(call(&app, "/inc", None).await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn bad_configuration_is_an_error() {
    let error = Sessions::local("localhost#/app").route("a;b").await.unwrap_err();
    assert!(matches!(error, SessionError::Route { .. }), "{error}");
    let error = Sessions::local("localhost#/app").attribute_names("(").await.unwrap_err();
    assert!(matches!(error, SessionError::Filter { .. }), "{error}");
}
