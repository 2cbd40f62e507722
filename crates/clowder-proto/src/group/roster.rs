//! The table of everybody we know of: members, and candidates that a probe has yet to confirm.
//!
//! Holds and orders; it decides nothing. Invariant: the key of an entry is the id of its record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Source;
use super::detector::Check;
use crate::wire::{Member, MemberId};

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not announced. Tomcat: an "add suspect", or unknown.
    Candidate,
    /// Announced.
    Member,
    /// Announced, something spoke against it, and it answered a probe. Tomcat: a "remove suspect".
    Suspect {
        /// Of the first doubt.
        since: Instant,
    },
}

/// A connection that is held open to see a process end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    Open {
        since: Instant,
    },
    /// None; not before this time a new one, because the last one was closed soon.
    Closed {
        not_before: Option<Instant>,
    },
}

/// Which lists of discovered members have it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listing {
    /// One bit for each source.
    sources: u32,
    /// Since when the last list that had it is without it.
    gone: Option<Instant>,
}

impl Listing {
    pub(super) fn is_empty(self) -> bool {
        self.sources == 0
    }

    pub(super) fn has(self, source: Source) -> bool {
        self.sources & source.bit() != 0
    }

    pub(super) fn add(&mut self, source: Source) {
        self.sources |= source.bit();
        self.gone = None;
    }

    pub(super) fn remove(&mut self, now: Instant, source: Source) {
        if self.has(source) {
            self.sources &= !source.bit();
            self.gone = self.is_empty().then_some(now);
        }
    }

    /// When it will have been in no list for `time`.
    pub(super) fn expiry(self, time: Duration) -> Option<Instant> {
        self.gone?.checked_add(time)
    }

    /// The time until now does not count.
    pub(super) fn forgive(&mut self, now: Instant) {
        self.gone = self.gone.map(|_| now);
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) member: Member,
    pub(super) standing: Standing,
    /// It is in our configuration.
    pub(super) configured: bool,
    /// It is in lists of discovered members.
    pub(super) listing: Listing,
    /// Last heartbeat, or message of the membership service, while the silence since is no longer than `silence_max`.
    pub(super) heard: Option<Instant>,
    /// Silence after which it is suspected, by the way in which it was heard last.
    pub(super) silence_max: Duration,
    /// It speaks the membership service's messages.
    pub(super) by_service: bool,
    /// Milliseconds on the group's time line when it started, as far as its heartbeats tell.
    pub(super) born: i64,
    /// Position among those who appeared at the same age.
    pub(super) arrival: u64,
    pub(super) check: Check,
    pub(super) watch: Watch,
    /// It said goodbye: what arrives late of it before this time does not bring it back.
    pub(super) quiet_until: Option<Instant>,
    /// It announced a start while a lost connection was being verified: another process with the configured id.
    pub(super) restarted: bool,
    /// Somebody asked for it and has no answer yet.
    pub(super) named: bool,
}

impl Entry {
    pub(super) fn new(member: Member, configured: bool, arrival: u64) -> Self {
        Entry {
            member,
            standing: Standing::Candidate,
            configured,
            listing: Listing::default(),
            heard: None,
            silence_max: Duration::MAX,
            by_service: false,
            born: i64::MAX,
            arrival,
            check: Check::new(),
            watch: Watch::Closed { not_before: None },
            quiet_until: None,
            restarted: false,
            named: false,
        }
    }

    pub(super) fn is_member(&self) -> bool {
        self.standing != Standing::Candidate
    }

    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }

    /// Somebody else than itself says that it should be there: it is tried again and again.
    pub(super) fn is_expected(&self) -> bool {
        self.configured || !self.listing.is_empty()
    }

    /// It understands notices: one that is only listed may be a Tomcat without the interceptor for them.
    pub(super) fn takes_notices(&self) -> bool {
        self.configured || (!self.listing.is_empty() && self.member.is_clowder())
    }

    /// There is a reason to remember it.
    pub(super) fn is_wanted(&self, now: Instant) -> bool {
        self.is_expected() || self.is_member() || self.heard.is_some() || self.is_quiet(now) || self.named
    }

    /// Nothing speaks for it any more but that it was a member, and lists once had it.
    pub(super) fn unlisted_at(&self, expiration_time: Duration) -> Option<Instant> {
        let alone = self.is_member() && !self.is_expected() && self.heard.is_none();
        self.listing.expiry(expiration_time).filter(|_| alone)
    }

    /// Take over what the owner says about itself. True if something but its age changed.
    pub(super) fn refresh(&mut self, record: &Member) -> bool {
        let old = &self.member;
        let changed = old.secure_port != record.secure_port
            || old.udp_port != record.udp_port
            || old.command != record.command
            || old.domain != record.domain
            || old.payload != record.payload
            || old.extension != record.extension;
        debug_assert_eq!(old.id, record.id, "the key is the id");
        self.member = record.clone();
        changed
    }
}

/// All entries, in absolute order.
#[derive(Debug, Default)]
pub(super) struct Roster {
    entries: BTreeMap<MemberId, Entry>,
    arrivals: u64,
}

impl Roster {
    pub(super) fn insert(&mut self, member: Member, configured: bool) -> &mut Entry {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.entries.entry(member.id.clone()).or_insert_with(|| Entry::new(member, configured, arrival))
    }

    pub(super) fn get(&self, id: &MemberId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &MemberId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&MemberId, &Entry)> {
        self.entries.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&MemberId, &mut Entry)> {
        self.entries.iter_mut()
    }

    /// Entries that heartbeats, lists or messages of the membership service brought in.
    pub(super) fn discovered(&self) -> usize {
        self.entries.values().filter(|entry| !entry.configured).count()
    }

    /// Others with the host and port of `id`.
    pub(super) fn rivals<'a>(&'a self, id: &'a MemberId) -> impl Iterator<Item = (&'a MemberId, &'a Entry)> {
        let bound = |unique_id| MemberId { unique_id, ..id.clone() };
        self.entries.range(bound([0; 16])..=bound([255; 16])).filter(move |(other, _)| *other != id)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(|_, entry| keep(entry));
    }

    /// The members in the order that everybody sees: by absolute order once members are configured or listed, else the
    /// oldest first and those of one age as they came.
    ///
    /// Tomcat: `StaticMembershipInterceptor.getMembers`, `Membership.getMembers`.
    /// Differs from Tomcat: it sorts listed members by an age that each node computes for itself.
    /// Test: listed_members_are_in_absolute_order.
    pub(super) fn members(&self) -> Vec<Member> {
        let mut members: Vec<&Entry> = self.entries.values().filter(|entry| entry.is_member()).collect();
        if !self.entries.values().any(Entry::is_expected) {
            members.sort_by_key(|entry| (entry.born, entry.arrival));
        }
        members.into_iter().map(|entry| entry.member.clone()).collect()
    }
}
