//! Many requests at once.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::browser::Browser;
use crate::node::{Kind, Node};
use crate::wait::{PATIENCE, wait_until};

/// Runs `work(0..count)` on some threads; the first error ends it.
pub fn in_parallel(threads: usize, count: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let run = || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok(());
                }
                if let Err(error) = work(n) {
                    next.store(count, Ordering::Relaxed);
                    return Err(error);
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let results: Vec<Result<()>> =
            threads.into_iter().map(|thread| thread.join().expect("work returns errors and does not panic")).collect();
        results.into_iter().collect()
    })
}

/// Makes `count` sessions whose first request sets the attribute `mark` to the session's number; gives their ids
/// in that order.
pub fn create_sessions(http: &str, count: usize) -> Result<Vec<String>> {
    let ids = Mutex::new(vec![String::new(); count]);
    let connections = Browser::new();
    in_parallel(4, count, |n| {
        let reply = connections.without_session().get_at(http, &format!("op=set&name=mark&value={n}"))?;
        let id = reply.session.context("set creates a session")?;
        ids.lock().unwrap_or_else(PoisonError::into_inner)[n] = id;
        Ok(())
    })?;
    Ok(ids.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// How many of [`create_sessions`]' sessions `node` does not have with their attribute. Replication may still be
/// under way, so it looks until none is missing or nothing has changed for some looks.
pub fn missing(node: &mut Node, ids: &[String]) -> Result<usize> {
    let mut last = (usize::MAX, 0);
    let waited = wait_until("replication to settle", PATIENCE, || {
        let missing = missing_now(node, ids)?;
        last = if missing == last.0 { (missing, last.1 + 1) } else { (missing, 0) };
        Ok(missing == 0 || last.1 >= 20)
    });
    waited.map(|()| last.0)
}

fn missing_now(node: &mut Node, ids: &[String]) -> Result<usize> {
    if node.kind == Kind::Tomcat {
        let answer = node.process.ask("having mark")?;
        let answer: Value = serde_json::from_str(&answer).context(answer)?;
        let having = answer["having"].as_u64().context("having is a number")?;
        return Ok(ids.len().saturating_sub(usize::try_from(having)?));
    }
    let missing = AtomicUsize::new(0);
    let connections = Browser::new();
    in_parallel(4, ids.len(), |n| {
        let reply = connections.with_session(&ids[n]).get_at(&node.http, "op=dump")?;
        if reply.attr("mark") != format!("java.lang.String:{n}") {
            missing.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(missing.into_inner())
}
