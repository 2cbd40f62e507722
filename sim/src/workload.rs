//! Clients that use sessions at any node, and applications that send messages.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use clowder_proto::link::Order;
use clowder_proto::session::{JavaStr, Token, wire};
use clowder_proto::wire::{Member, options};

use crate::Who;
use crate::checkers::durability;
use crate::history::Write;
use crate::node::{App, Process};
use crate::world::{Event, World};

/// A request whose answer waits for the replicas.
struct Request {
    at: Who,
    session: String,
    /// `None`: it ended the session.
    attribute: Option<String>,
    open: BTreeSet<Token>,
    failed: bool,
    /// Who ran when it came.
    running: Vec<Who>,
    /// Of those, who was to confirm.
    replicas: Vec<Who>,
}

#[derive(Default)]
pub(crate) struct Workload {
    /// Ids that clients know.
    sessions: Vec<String>,
    names: usize,
    requests: Vec<Request>,
    messages: u64,
}

impl World {
    fn any_ready(&mut self) -> Option<Who> {
        let ready: Vec<Who> = self.processes().filter(|process| process.ready).map(|process| process.who).collect();
        (!ready.is_empty()).then(|| ready[self.rng.usize(..ready.len())])
    }

    /// A client does something.
    pub(crate) fn request(&mut self) {
        if self.calm {
            return;
        }
        if let Some(who) = self.any_ready() {
            let known = self.workload.sessions.len();
            match self.rng.u8(..100) {
                0..12 => self.create(who),
                12..15 if known > 0 => {
                    let session = self.workload.sessions[self.rng.usize(..known)].clone();
                    self.invalidate(who, session);
                }
                _ if known > 0 => {
                    let session = self.workload.sessions[self.rng.usize(..known)].clone();
                    self.write(who, session);
                }
                _ => {}
            }
        }
        let pause = Duration::from_millis(self.rng.u64(5..70));
        self.later(pause, Event::Request);
    }

    fn create(&mut self, who: Who) {
        self.workload.names += 1;
        let session = format!("S{}", self.workload.names);
        let id = JavaStr::from(session.as_str());
        let mut made = false;
        self.tell(who, |process, turn| made = process.sessions.create(turn.now, id).is_ok());
        if made {
            self.workload.sessions.push(session.clone());
            self.write(who, session);
        }
    }

    /// A request that writes a new attribute.
    fn write(&mut self, who: Who, session: String) {
        self.workload.names += 1;
        let name = format!("a{}", self.workload.names);
        let value = wire::string(&JavaStr::from(format!("v{}", self.workload.names).as_str()));
        let mut tokens = None;
        self.tell(who, |process, turn| {
            if process.sessions.access(turn.now, &session).is_some()
                && process.sessions.set_attribute(turn.now, &session, &name, value.clone()).is_ok()
            {
                tokens = Some(process.sessions.request_completed(turn.now, &session).tokens);
            }
        });
        if let Some(tokens) = tokens {
            let write = Write { origin: who, value, holders: None };
            self.history.writes.insert((session.clone(), name.clone()), write);
            self.waits(who, session, Some(name), tokens);
        }
    }

    fn invalidate(&mut self, who: Who, session: String) {
        let mut completion = None;
        self.tell(who, |process, turn| completion = process.sessions.invalidate(turn.now, &session).ok());
        if let Some(completion) = completion {
            self.history.doomed.insert(session.clone());
            self.waits(who, session, None, completion.tokens);
        }
    }

    /// The request waits for these messages. They leave only now, so that none is settled before it is waited for.
    fn waits(&mut self, at: Who, session: String, attribute: Option<String>, tokens: Vec<Token>) {
        let running: Vec<Who> = self.processes().map(|process| process.who).collect();
        let origin = self.nodes[at.node].process.as_ref();
        let replicas = running.iter().copied().filter(|who| origin.is_some_and(|origin| origin.sees(*who))).collect();
        let open = tokens.into_iter().collect();
        let request = Request { at, session, attribute, open, failed: false, running, replicas };
        self.workload.requests.push(request);
        self.tell(at, Process::settle);
        self.answer_requests();
    }

    /// A message that a request may wait for is settled.
    pub(crate) fn message_settled(&mut self, who: Who, token: Token, failed: usize) {
        for request in self.workload.requests.iter_mut().filter(|request| request.at == who) {
            if request.open.remove(&token) {
                request.failed |= failed > 0;
            }
        }
        self.answer_requests();
    }

    /// The answers that nothing holds back leave.
    fn answer_requests(&mut self) {
        let requests = std::mem::take(&mut self.workload.requests);
        let (answered, open): (Vec<_>, Vec<_>) = requests.into_iter().partition(|request| request.open.is_empty());
        self.workload.requests = open;
        self.workload.requests.retain(|request| self.nodes[request.at.node].life == request.at.life);
        for request in answered.into_iter().filter(|request| !request.failed) {
            match &request.attribute {
                Some(name) => durability::answered(self, &request.replicas, &request.session, name),
                None => self.end_confirmed(&request),
            }
        }
    }

    /// Nobody can bring the session back if everybody who runs was asked to end it, and confirmed.
    fn end_confirmed(&mut self, request: &Request) {
        let running: Vec<Who> = self.processes().map(|process| process.who).collect();
        let sees = |who: &Who| *who == request.at || request.replicas.contains(who);
        if running == request.running && running.iter().all(sees) && self.network.cut.is_empty() {
            self.history.ended.insert(request.session.clone());
        }
    }

    /// Who has this value of this attribute.
    pub(crate) fn holders(&self, session: &str, name: &str, value: &Bytes) -> BTreeSet<Who> {
        let holds = |process: &&Process| {
            let snapshot = process.sessions.snapshot(session);
            snapshot.is_some_and(|snapshot| snapshot.attribute(name) == Some(value))
        };
        self.processes().filter(holds).map(|process| process.who).collect()
    }

    /// An application sends a message to everybody whom it sees, or to some of them.
    pub(crate) fn message(&mut self) {
        if self.calm {
            return;
        }
        let running: Vec<Who> = self.processes().map(|process| process.who).collect();
        if !running.is_empty() {
            let who = running[self.rng.usize(..running.len())];
            self.workload.messages += 1;
            let mut body = BytesMut::new();
            body.put_u64(self.workload.messages);
            body.put_bytes(0, self.rng.usize(..1000));
            let acks = [0, options::USE_ACK, options::USE_ACK | options::SYNCHRONIZED_ACK];
            let app = App {
                body: body.freeze(),
                options: options::BYTE_MESSAGE | acks[self.rng.usize(..3)],
                order: match self.rng.u8(..4) {
                    0 => Order::All,
                    1 => Order::None,
                    _ => Order::Keyed(self.rng.u64(..4)),
                },
            };
            let everybody = self.rng.bool();
            self.tell(who, |process, turn| {
                let mut to: Vec<Member> = process.view.clone();
                to.retain(|_| everybody || turn.rng.u8(..4) > 0);
                if !to.is_empty() {
                    process.send_app(turn, &to, app);
                }
            });
        }
        let pause = Duration::from_millis(self.rng.u64(5..70));
        self.later(pause, Event::Message);
    }
}
