//! What was answered is kept: no update is lost between nodes, even where a cluster of Tomcats loses some.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use clowder_interop::load::{create_sessions, in_parallel, missing};
use clowder_interop::{Browser, Kind, NodeConfig, Seats, skip_unless};

/// Tomcat alone loses 12 to 36 % of these: the attribute overtakes the creation of its session.
#[test]
fn first_attributes_of_2000_sessions_arrive_asynchronously() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    let seats = Seats::reserve(3)?;
    let mut tomcat = NodeConfig::at(Kind::Tomcat, &seats, 0).start()?;
    let mut copy = NodeConfig::at(Kind::Clowder, &seats, 1).joining(1).start()?;
    let serving = NodeConfig::at(Kind::Clowder, &seats, 2).joining(2).start()?;
    tomcat.await_members(2)?;
    let users = create_sessions(&serving.http, 2_000)?;
    assert_eq!(missing(&mut tomcat, &users)?, 0, "missing at the Tomcat");
    assert_eq!(missing(&mut copy, &users)?, 0, "missing at the other Clowder");
    tomcat.assert_clean_log(&[])
}

/// A Tomcat that only listens sees the same as both serving nodes.
#[test]
fn parallel_requests_on_two_nodes_all_count() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    const REQUESTS: usize = 500;
    let seats = Seats::reserve(3)?;
    let mut tomcat = NodeConfig::at(Kind::Tomcat, &seats, 0).options(6).start()?;
    let mut one = NodeConfig::at(Kind::Clowder, &seats, 1).options(6).joining(1).start()?;
    let mut two = NodeConfig::at(Kind::Clowder, &seats, 2).options(6).joining(2).start()?;
    tomcat.await_members(2)?;
    let user = Browser::new();
    let id = user.set(&one, "first", "", "0")?.session.context("set creates a session")?;
    two.await_session(&id, "the session", |reply| reply.session.is_some())?;
    let nodes = [&one.http, &two.http];
    in_parallel(16, REQUESTS, |n| user.get_at(nodes[n % 2], &format!("op=set&name=own{n}&value={n}")).map(drop))?;
    for node in [&mut one, &mut two, &mut tomcat] {
        node.await_session(&id, "every request's attribute", |reply| reply.attrs.len() == REQUESTS + 1)?;
    }
    tomcat.assert_clean_log(&[])
}

/// Every writer keeps the number of its last answered change; after the kill both survivors have at least that.
#[test]
fn answered_changes_survive_a_kill_of_the_serving_node() -> Result<()> {
    skip_unless!(clowder_interop::java::available());
    const WRITERS: usize = 8;
    let seats = Seats::reserve(3)?;
    let mut tomcat = NodeConfig::at(Kind::Tomcat, &seats, 0).options(6).start()?;
    let mut copy = NodeConfig::at(Kind::Clowder, &seats, 1).options(6).joining(1).start()?;
    let serving = NodeConfig::at(Kind::Clowder, &seats, 2).options(6).joining(2).start()?;
    tomcat.await_members(2)?;
    let http = serving.http.clone();
    let answered: Vec<AtomicUsize> = (0..WRITERS).map(|_| AtomicUsize::new(0)).collect();
    let users: Vec<Browser> = (0..WRITERS).map(|_| Browser::new()).collect();
    let killed = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        for (user, last) in users.iter().zip(&answered) {
            let (http, killed) = (&http, &killed);
            scope.spawn(move || {
                for n in 1.. {
                    match user.get_at(http, &format!("op=set&name=n&value={n}&type=int")) {
                        Ok(_) => last.store(n, Ordering::SeqCst),
                        Err(_) if killed.load(Ordering::SeqCst) => break,
                        Err(error) => panic!("a request failed before the kill: {error:#}"),
                    }
                }
            });
        }
        let loaded = clowder_interop::wait_until("load on every session", clowder_interop::PATIENCE, || {
            Ok(answered.iter().all(|last| last.load(Ordering::SeqCst) >= 50))
        });
        killed.store(true, Ordering::SeqCst); // first, so that the writers end in any case
        serving.kill()?;
        loaded
    })?;
    for (user, last) in users.iter().zip(&answered) {
        let id = user.session().context("a session per writer")?;
        let last = last.load(Ordering::SeqCst);
        for node in [&mut tomcat, &mut copy] {
            let seen = node.peek(&id)?;
            let number = seen.attr("n").rsplit(':').next().and_then(|text| text.parse::<usize>().ok());
            assert!(number >= Some(last), "{} has {number:?} of {last}: {seen:?}", node.process.name());
        }
    }
    Ok(())
}
