//! Former ids of sessions, for requests that still know the old one.
//!
//! Two kinds of requests do: one that was bound to the session before its id changed follows as long as the entry is
//! kept; one that arrives afterwards with the old cookie is let in for the grace time only. The table is bounded by age
//! and by number; the oldest entries go first.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use clowder_proto::session::JavaStr;

/// How long a running request can follow a change of the id. Longer than requests last.
const KEPT: Duration = Duration::from_secs(300);
/// Id changes remembered; 100,000 in five minutes are 333 logins per second.
const ALIASES_MAX: usize = 100_000;
/// Changes of one id that are followed in a row.
const HOPS_MAX: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Aliases {
    by_old: HashMap<JavaStr, Alias>,
    by_age: VecDeque<(Instant, JavaStr)>,
}

#[derive(Debug)]
struct Alias {
    new: JavaStr,
    since: Instant,
}

impl Aliases {
    /// The session is now called `new`.
    pub(crate) fn renamed(&mut self, now: Instant, old: JavaStr, new: JavaStr) {
        while let Some((since, _)) = self.by_age.front()
            && (self.by_age.len() >= ALIASES_MAX || now.duration_since(*since) > KEPT)
        {
            let (since, oldest) = self.by_age.pop_front().expect("the front was just seen");
            // The id may have been renamed again since; then its newer entry stays.
            if self.by_old.get(&oldest).is_some_and(|alias| alias.since == since) {
                self.by_old.remove(&oldest);
            }
        }
        self.by_age.push_back((now, old.clone()));
        self.by_old.insert(old, Alias { new, since: now });
    }

    /// The present id behind a former one, for a request that is running.
    pub(crate) fn follow(&self, old: &[u8]) -> Option<&JavaStr> {
        self.walk(old, |_| true)
    }

    /// The present id behind a former one, for a request that arrives: every change on the way must be younger than
    /// `grace`.
    pub(crate) fn admit(&self, now: Instant, old: &[u8], grace: Duration) -> Option<&JavaStr> {
        self.walk(old, |alias| now.duration_since(alias.since) < grace)
    }

    fn walk(&self, old: &[u8], young: impl Fn(&&Alias) -> bool) -> Option<&JavaStr> {
        let mut id = &self.by_old.get(old).filter(&young)?.new;
        for _ in 0..HOPS_MAX {
            match self.by_old.get(id.as_bytes()) {
                Some(alias) => id = &Some(alias).filter(&young)?.new,
                None => return Some(id),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn follow(aliases: &Aliases, old: &str) -> Option<String> {
        aliases.follow(old.as_bytes()).map(|id| id.to_string())
    }

    fn admit(aliases: &Aliases, now: Instant, old: &str) -> Option<String> {
        aliases.admit(now, old.as_bytes(), 5 * SECOND).map(|id| id.to_string())
    }

    #[test]
    fn running_requests_follow_longer_than_new_ones() {
        let start = Instant::now();
        let mut aliases = Aliases::default();
        aliases.renamed(start, "a".into(), "b".into());
        aliases.renamed(start + 3 * SECOND, "b".into(), "c".into());
        assert_eq!(admit(&aliases, start + 4 * SECOND, "a").as_deref(), Some("c"));
        assert_eq!(admit(&aliases, start + 5 * SECOND, "a"), None, "the first change is too old");
        assert_eq!(admit(&aliases, start + 7 * SECOND, "b").as_deref(), Some("c"));
        assert_eq!(follow(&aliases, "a").as_deref(), Some("c"));
        assert_eq!(follow(&aliases, "c"), None, "a present id is no alias");
        assert_eq!(aliases.admit(start, b"a", Duration::ZERO), None, "no grace at all");
    }

    #[test]
    fn the_table_forgets_by_age_and_number() {
        let start = Instant::now();
        let mut aliases = Aliases::default();
        aliases.renamed(start, "old".into(), "x".into());
        aliases.renamed(start + KEPT + SECOND, "newer".into(), "y".into());
        assert_eq!(follow(&aliases, "old"), None);
        for n in 0..=ALIASES_MAX {
            aliases.renamed(start + KEPT + SECOND, format!("id{n}").as_str().into(), "z".into());
        }
        assert!(aliases.by_old.len() <= ALIASES_MAX);
        assert_eq!(aliases.by_old.len(), aliases.by_age.len());
    }

    #[test]
    fn a_circle_ends() {
        let now = Instant::now();
        let mut aliases = Aliases::default();
        aliases.renamed(now, "a".into(), "b".into());
        aliases.renamed(now, "b".into(), "a".into());
        assert_eq!(follow(&aliases, "a"), None);
    }
}
