//! Tokens on their way to the next member, and those that went through here lately.
//!
//! A hop that fails goes to the member after that one. Decides where a token goes, not whether it should.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ElectionMessage, ElectionOut, SendToken, ViewId};
use crate::wire::{Member, MemberId, options};

/// Tokens that are held of each kind: on their way, passed on lately, waiting. More than there are elections at a time
/// in a healthy group; beyond, the oldest goes, which is a lost token.
const TOKENS_MAX: usize = 8;
/// A token that comes again with the same members goes on after this pause only.
const LAP_PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Flight {
    message: ElectionMessage,
    body: Bytes,
    to: MemberId,
    /// Who is next if this hop fails.
    untried: VecDeque<Member>,
}

#[derive(Debug)]
struct Passed {
    id: ViewId,
    digest: u64,
    since: Instant,
    message: ElectionMessage,
    /// Who has it from us, by its acknowledgement.
    to: Option<MemberId>,
}

/// What became of a hop.
#[derive(Debug)]
pub(super) enum Hop {
    /// It arrived, or nobody asked.
    Over,
    /// Try the next member.
    Next(ElectionOut),
    /// Nobody could be reached.
    Lost(ViewId),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Relay {
    flights: BTreeMap<SendToken, Flight>,
    passed: VecDeque<Passed>,
    held: VecDeque<(Instant, ElectionMessage)>,
    tokens: u64,
    /// A token is of no use to anybody after that long.
    timeout: Duration,
}

impl Relay {
    pub(super) fn new(timeout: Duration) -> Relay {
        Relay { flights: BTreeMap::new(), passed: VecDeque::new(), held: VecDeque::new(), tokens: 0, timeout }
    }

    pub(super) fn token(&mut self) -> SendToken {
        self.tokens += 1;
        SendToken(self.tokens)
    }

    /// Send the token to the member that follows `after`. `waited`: it comes from [`Relay::due`].
    ///
    /// Differs from Tomcat: there a token whose leader and source are both out of reach goes round as fast as the
    /// network carries it. Here the second time waits, and none goes round for longer than an election may last.
    /// Test: a_token_that_comes_again_unchanged_waits_and_ends_after_the_timeout.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        message: ElectionMessage,
        after: &MemberId,
        local: &MemberId,
        waited: bool,
    ) -> Option<ElectionOut> {
        let digest = digest(&message);
        let before = self.passed.iter().find(|passed| passed.id == message.id && passed.digest == digest);
        match before.map(|passed| now.saturating_duration_since(passed.since) < self.timeout) {
            None => {
                let passed = Passed { id: message.id, digest, since: now, message: message.clone(), to: None };
                push_bounded(&mut self.passed, passed, TOKENS_MAX);
                self.launch(message, after, local)
            }
            Some(true) if waited => self.launch(message, after, local),
            Some(true) => {
                push_bounded(&mut self.held, (now + LAP_PAUSE, message), TOKENS_MAX);
                None
            }
            Some(false) => None,
        }
    }

    /// It went through here before, as it is now.
    pub(super) fn knows(&self, message: &ElectionMessage) -> bool {
        let digest = digest(message);
        self.passed.iter().any(|passed| passed.id == message.id && passed.digest == digest)
    }

    /// Send to whoever follows `after` in the message's list, wrapping; never to `local`.
    fn launch(&mut self, message: ElectionMessage, after: &MemberId, local: &MemberId) -> Option<ElectionOut> {
        let later = message.members.iter().filter(|member| member.id > *after);
        let earlier = message.members.iter().filter(|member| member.id <= *after);
        let mut untried: VecDeque<Member> =
            later.chain(earlier).filter(|member| member.id != *local).cloned().collect();
        let to = untried.pop_front()?;
        let body = message.told();
        while self.flights.len() >= TOKENS_MAX {
            self.flights.pop_first();
        }
        let token = self.token();
        let flight = Flight { message, body: body.clone(), to: to.id.clone(), untried };
        self.flights.insert(token, flight);
        Some(ElectionOut::Send { to: vec![to], options: options::USE_ACK, body, token })
    }

    /// The outcome of a hop.
    pub(super) fn sent(&mut self, token: SendToken, delivered: bool) -> Hop {
        let Some(mut flight) = self.flights.remove(&token) else { return Hop::Over };
        if delivered {
            let digest = digest(&flight.message);
            let passed =
                self.passed.iter_mut().find(|passed| passed.id == flight.message.id && passed.digest == digest);
            if let Some(passed) = passed {
                passed.to = Some(flight.to);
            }
            return Hop::Over;
        }
        let Some(to) = flight.untried.pop_front() else { return Hop::Lost(flight.message.id) };
        flight.to = to.id.clone();
        let body = flight.body.clone();
        let token = self.token();
        self.flights.insert(token, flight);
        Hop::Next(ElectionOut::Send { to: vec![to], options: options::USE_ACK, body, token })
    }

    /// Members are gone: tokens of others that they had from us, and that may have died with them, go to the next one.
    ///
    /// Differs from Tomcat: there such a token is lost, and its source never elects again.
    /// Test: a_token_that_died_with_its_holder_goes_to_the_one_after_it.
    pub(super) fn left(&mut self, now: Instant, gone: &[MemberId], local: &MemberId) -> Vec<ElectionOut> {
        let mut again = Vec::new();
        for passed in &mut self.passed {
            let recent = now.saturating_duration_since(passed.since) < self.timeout;
            let others = passed.message.source.id != *local && !gone.contains(&passed.message.source.id);
            if let Some(to) = passed.to.take_if(|to| gone.contains(to))
                && recent
                && others
            {
                again.push((passed.message.clone(), to));
            }
        }
        again.into_iter().filter_map(|(message, after)| self.launch(message, &after, local)).collect()
    }

    /// The election is over: nothing of it needs to go on.
    pub(super) fn settled(&mut self, id: ViewId) {
        self.held.retain(|(_, message)| message.id != id);
        self.passed.iter_mut().filter(|passed| passed.id == id).for_each(|passed| passed.to = None);
    }

    /// Tokens whose pause is over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<ElectionMessage> {
        let mut due = Vec::new();
        while self.held.front().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.held.pop_front().map(|(_, message)| message));
        }
        due
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.held.front().map(|(at, _)| *at)
    }

    pub(super) fn check_invariants(&self) {
        debug_assert!(self.flights.len() <= TOKENS_MAX, "more tokens on their way than TOKENS_MAX");
        debug_assert!(self.passed.len() <= TOKENS_MAX, "more tokens remembered than TOKENS_MAX");
        debug_assert!(self.held.len() <= TOKENS_MAX, "more tokens held than TOKENS_MAX");
    }
}

/// Tells one list of members from another; who leads follows from it.
fn digest(message: &ElectionMessage) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.members.iter().for_each(|member| member.id.hash(&mut hasher));
    hasher.finish()
}

/// The oldest goes when there are too many.
pub(super) fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    if queue.len() >= max {
        queue.pop_front();
    }
    queue.push_back(item);
}
