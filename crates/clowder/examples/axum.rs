//! An axum application whose sessions survive the death of a node. The three lines that do it are marked.
//!
//! Two terminals:
//!
//! ```text
//! cargo run -p clowder --example axum -- 127.0.0.1:3001 127.0.0.1:4001 127.0.0.1:4002
//! cargo run -p clowder --example axum -- 127.0.0.1:3002 127.0.0.1:4002 127.0.0.1:4001
//! ```
//!
//! Arguments: where to serve HTTP, where to listen for the cluster, and the cluster addresses of the other nodes.
//!
//! A third terminal, one browser that wanders between the nodes:
//!
//! ```text
//! curl -b jar -c jar 'http://127.0.0.1:3001/login?name=alice'
//! curl -b jar -c jar  http://127.0.0.1:3001/
//! curl -b jar -c jar  http://127.0.0.1:3002/
//! ```
//!
//! Now end the first node, with ctrl-C or `kill -9`: alice stays logged in, and her visits are counted on.
//!
//! ```text
//! curl -b jar -c jar  http://127.0.0.1:3002/
//! curl -b jar -c jar  http://127.0.0.1:3002/logout
//! ```

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use clowder::membership::StaticMember;
use clowder::{Channel, Session, SessionError, SessionLayer, Sessions};

#[derive(serde::Deserialize)]
struct Login {
    name: String,
}

async fn login(session: Session, Query(login): Query<Login>) -> Result<String, SessionError> {
    session.renew_id()?; // a fresh id for whoever is logged in from here on
    session.set("user", &login.name)?;
    Ok(format!("welcome, {}\n", login.name))
}

async fn home(session: Session) -> Result<String, SessionError> {
    let Some(user) = session.get::<String>("user")? else {
        return Ok("nobody is logged in; see /login?name=you\n".into());
    };
    let visits = session.update("visits", |visits: Option<i32>| visits.unwrap_or(0) + 1)?;
    Ok(format!("{user}, visit {visits}\n"))
}

async fn logout(session: Session) -> &'static str {
    session.invalidate();
    "goodbye\n"
}

/// Both ends of a static membership must know the unique ids; here they follow from the port.
fn unique_id(addr: SocketAddr) -> [u8; 16] {
    let [high, low] = addr.port().to_be_bytes();
    let mut id = [0; 16];
    (id[0], id[1]) = (high, low);
    id
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut addresses = std::env::args().skip(1);
    let mut next = || addresses.next().ok_or("usage: axum HTTP CLUSTER [PEER…], each as ADDRESS:PORT");
    let (http, cluster): (SocketAddr, SocketAddr) = (next()?.parse()?, next()?.parse()?);
    let mut node = Channel::builder().listen(cluster.to_string()).unique_id(unique_id(cluster));
    for peer in addresses {
        let peer = peer.parse()?;
        node = node.member(StaticMember::new(peer, unique_id(peer)));
    }

    let channel = node.start().await?; // 1
    let sessions = Sessions::delta(&channel, "localhost#/shop").await?; // 2
    let app = Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/logout", get(logout))
        .layer(SessionLayer::new(sessions.clone())); // 3

    let listener = tokio::net::TcpListener::bind(http).await?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            // Without a signal handler the program cannot be asked to stop; then it runs on.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    sessions.stop().await;
    channel.stop().await;
    Ok(())
}
