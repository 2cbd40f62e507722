//! A model of Tomcat's coordinator with its faults, for the simulation: a suggestion never expires, a first token has
//! one attempt, a confirmation is sent once.

use super::*;
use crate::wire::{MemberId, options};

const HEARTBEAT: Duration = Duration::from_secs(5);

struct Hop {
    message: ElectionMessage,
    untried: VecDeque<Member>,
}

pub(super) struct Tomcat {
    local: Member,
    pub(super) members: Roll,
    pub(super) view: Option<AgreedView>,
    pub(super) suggestion: Option<(ViewId, Roll)>,
    started: bool,
    heartbeat_at: Instant,
    hops: BTreeMap<SendToken, Hop>,
    tokens: u64,
    jitter: Jitter,
    out: VecDeque<ElectionOut>,
}

impl Tomcat {
    pub(super) fn new(now: Now, local: Member, seed: u64) -> Tomcat {
        Tomcat {
            local,
            members: Roll::new(),
            view: None,
            suggestion: None,
            started: false,
            heartbeat_at: now.mono + HEARTBEAT,
            hops: BTreeMap::new(),
            tokens: 0,
            jitter: Jitter::new(seed),
            out: VecDeque::new(),
        }
    }

    pub(super) fn poll(&mut self) -> Option<ElectionOut> {
        self.out.pop_front()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.heartbeat_at
    }

    pub(super) fn handle_deadline(&mut self, now: Now) {
        if now.mono < self.heartbeat_at {
            return;
        }
        self.heartbeat_at = now.mono + HEARTBEAT;
        if self.started && !self.agrees() && self.ranks_first() {
            self.elect(true);
        }
    }

    pub(super) fn started(&mut self) {
        self.started = true;
        if self.view.is_none() {
            self.be_alone();
        }
        self.elect(false);
    }

    pub(super) fn view_changed(&mut self, members: &[Member]) {
        let next: Roll = members.iter().map(|member| (member.id.clone(), member.clone())).collect();
        let gone: Vec<MemberId> = self.members.keys().filter(|id| !next.contains_key(*id)).cloned().collect();
        for (id, member) in next {
            if self.members.insert(id, member).is_none() && self.started {
                self.elect(false);
            }
        }
        for id in gone {
            self.members.remove(&id);
            let led = self.view.as_ref().is_some_and(|view| *view.leader() == self.local);
            if self.started && (led || self.ranks_first()) {
                self.elect(true);
            }
        }
    }

    fn ranks_first(&self) -> bool {
        self.members.keys().next().is_none_or(|first| self.local.id < *first)
    }

    fn everybody(&self) -> Roll {
        let mut all = self.members.clone();
        all.insert(self.local.id.clone(), self.local.clone());
        all
    }

    fn agrees(&self) -> bool {
        self.view.as_ref().is_some_and(|view| same(&view.members, &self.everybody()))
    }

    fn be_alone(&mut self) {
        let id = ViewId(self.jitter.id());
        self.confirmed(id, vec![self.local.clone()], &self.local.id.clone());
    }

    fn elect(&mut self, force: bool) {
        if self.members.is_empty() {
            return self.be_alone();
        }
        if let Some((_, members)) = &self.suggestion {
            if self.view.as_ref().is_some_and(|view| same(&view.members, members)) {
                self.suggestion = None;
            }
            return;
        }
        if self.agrees() || !(force || self.ranks_first()) {
            return;
        }
        let id = ViewId(self.jitter.id());
        let all = self.everybody();
        let message = ElectionMessage {
            leader: all.values().next().expect("us").clone(),
            source: self.local.clone(),
            members: all.values().cloned().collect(),
            id,
            kind: ElectionKind::Request,
        };
        let to = self.members.values().next().expect("others").clone();
        self.suggestion = Some((id, all));
        self.hop(message, VecDeque::from([to]));
    }

    /// `connects`: the verdict of a connection to a stranger.
    pub(super) fn received(&mut self, mut message: ElectionMessage, connects: impl Fn(&MemberId) -> bool) {
        let mut merged = self.everybody();
        for member in &message.members {
            if !merged.contains_key(&member.id) && connects(&member.id) {
                merged.insert(member.id.clone(), member.clone());
                self.members.insert(member.id.clone(), member.clone());
            }
        }
        let leads = message.leader == self.local;
        let ours = message.source == self.local;
        match message.kind {
            ElectionKind::Confirmation => {
                let first = merged.values().next().expect("us").id.clone();
                self.confirmed(message.id, message.members, &first);
            }
            ElectionKind::Request if !ours && leads => {}
            ElectionKind::Request if ours && leads && same(&message.members, &merged) => {
                message.kind = ElectionKind::Confirmation;
                let to: Vec<Member> = message.members.iter().filter(|to| **to != self.local).cloned().collect();
                let (body, token) = (message.encode(), self.token());
                self.out.push_back(ElectionOut::Send { to, options: options::USE_ACK, body, token });
                self.confirmed(message.id, message.members, &self.local.id.clone());
            }
            ElectionKind::Request => {
                if ours {
                    self.suggestion = leads.then(|| (message.id, merged.clone()));
                }
                message.members = merged.values().cloned().collect();
                message.leader = message.members[0].clone();
                let later = merged.range(self.local.id.clone()..).skip(1);
                let earlier = merged.range(..self.local.id.clone());
                let untried = later.chain(earlier).map(|(_, member)| member.clone()).collect();
                self.hop(message, untried);
            }
        }
    }

    fn confirmed(&mut self, id: ViewId, mut members: Vec<Member>, first: &MemberId) {
        if self.view.as_ref().is_some_and(|view| view.id == Some(id)) {
            return;
        }
        if !members.contains(&self.local) {
            members.push(self.local.clone());
        }
        members.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some((own, suggested)) = &self.suggestion
            && (*own == id || suggested.keys().next().is_some_and(|suggested| suggested < first))
        {
            self.suggestion = None;
        }
        self.accept(id, members);
    }

    fn accept(&mut self, id: ViewId, members: Vec<Member>) {
        let view = AgreedView { id: Some(id), members };
        self.view = Some(view.clone());
        self.out.push_back(ElectionOut::View(view));
    }

    fn token(&mut self) -> SendToken {
        self.tokens += 1;
        SendToken(self.tokens)
    }

    fn hop(&mut self, message: ElectionMessage, mut untried: VecDeque<Member>) {
        let Some(to) = untried.pop_front() else { return };
        let (body, token) = (message.encode(), self.token());
        self.hops.insert(token, Hop { message, untried });
        self.out.push_back(ElectionOut::Send { to: vec![to], options: options::USE_ACK, body, token });
    }

    pub(super) fn sent(&mut self, token: SendToken, delivered: bool) {
        if let Some(Hop { message, untried }) = self.hops.remove(&token)
            && !delivered
        {
            self.hop(message, untried);
        }
    }
}

#[test]
fn the_model_has_the_fault_that_a_lost_token_ends_its_elections() {
    let now = start();
    let mut tomcat = Tomcat::new(now, member(1), 1);
    tomcat.view_changed(&members(&[2]));
    tomcat.started();
    let sent = |tomcat: &mut Tomcat| {
        std::iter::from_fn(|| tomcat.poll()).filter(|out| matches!(out, ElectionOut::Send { .. })).count()
    };
    assert_eq!(sent(&mut tomcat), 1);
    tomcat.view_changed(&members(&[2, 3]));
    tomcat.view_changed(&members(&[3]));
    for beat in 1..20 {
        tomcat.handle_deadline(now.later(HEARTBEAT * beat));
    }
    assert_eq!(sent(&mut tomcat), 0);
}
