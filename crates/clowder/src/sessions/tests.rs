//! Managers connected by a network that delivers when the test says so: what waits for what, and what gets sent.

#![allow(clippy::unit_arg)] // a handler's answer is often nothing

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use clowder_proto::session::{self as proto, Replication, Send as Message, SessionsConfig};
use clowder_proto::wire::Member;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::Sessions;
use super::builder::DriverConfig;
use super::core::{self, Core};
use super::outlet::Outlet;
use crate::{Session, SessionLayer};

/// A message on its way from node `from`.
struct Underway {
    from: usize,
    message: Message,
}

type Wire = Arc<Mutex<VecDeque<Underway>>>;

struct Port {
    node: usize,
    wire: Wire,
}

impl Outlet for Port {
    fn submit(&self, _core: &Arc<Core>, message: Message) {
        self.wire.lock().unwrap().push_back(Underway { from: self.node, message });
    }

    fn answer(&self, to: &Member, _body: Bytes) {
        unreachable!("all nodes run the context, {to} too");
    }
}

/// Some nodes and the wire between them.
struct Net {
    nodes: Vec<Sessions>,
    members: Vec<Member>,
    wire: Wire,
}

impl Net {
    fn new(nodes: usize, replication: Replication) -> Self {
        Self::with_routes(&vec![None; nodes], replication)
    }

    fn with_routes(routes: &[Option<&str>], replication: Replication) -> Self {
        let wire = Wire::default();
        let members: Vec<Member> = (1u8..).take(routes.len()).map(member).collect();
        let nodes: Vec<Sessions> = routes
            .iter()
            .enumerate()
            .map(|(node, route)| {
                let config = SessionsConfig { replication, ..SessionsConfig::new("localhost#/app") };
                let machine = proto::Sessions::new(config, &members[node].id, core::now());
                let driver = DriverConfig { route: route.map(str::to_owned), renewal_grace: Duration::from_secs(10) };
                let outlet = Box::new(Port { node, wire: wire.clone() });
                Sessions { core: Core::new(machine, driver, outlet) }
            })
            .collect();
        let net = Self { nodes, members, wire };
        for (node, sessions) in net.nodes.iter().enumerate() {
            sessions.core.input(|inner, now| {
                for (other, member) in net.members.iter().enumerate() {
                    if other != node {
                        inner.machine.joined(now, member.clone());
                    }
                }
                inner.machine.started(now);
            });
        }
        net.deliver();
        assert!(net.nodes.iter().all(|sessions| sessions.core.ready.is_settled()));
        net
    }

    /// Delivers everything that is under way, and what that causes.
    fn deliver(&self) {
        loop {
            let Some(Underway { from, message }) = self.wire.lock().unwrap().pop_front() else { return };
            let body = message.body.encode();
            for to in message.to.iter() {
                let node = self.members.iter().position(|member| member.id == to.id).unwrap();
                self.nodes[node].core.received(&self.members[from], &body);
            }
            self.nodes[from].core.sent(message.token, message.to.iter().map(|to| (&to.id, true)));
        }
    }

    /// Everything that is under way fails.
    fn lose(&self) {
        let lost = std::mem::take(&mut *self.wire.lock().unwrap());
        for Underway { from, message } in lost {
            self.nodes[from].core.sent(message.token, message.to.iter().map(|to| (&to.id, false)));
        }
    }

    fn under_way(&self) -> usize {
        self.wire.lock().unwrap().len()
    }

    fn open(&self, node: usize, id: &str) -> Session {
        Session::open(&self.nodes[node], Some(id))
    }
}

fn member(n: u8) -> Member {
    Member::new(([127, 0, 0, n], 4000).into(), [n; 16])
}

/// A service that gives the request's session to a closure, which answers at once or waits for ever.
#[derive(Clone)]
struct Handler<F>(F);

impl<F: FnMut(Session) -> Poll<()>> Service<Request<()>> for Handler<F> {
    type Response = Response<()>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<()>, Self::Error>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        match (self.0)(request.extensions().get::<Session>().unwrap().clone()) {
            Poll::Ready(()) => Box::pin(std::future::ready(Ok(Response::new(())))),
            Poll::Pending => Box::pin(std::future::pending()),
        }
    }
}

type Answer = Result<Response<()>, std::convert::Infallible>;

/// A request to a node of the net.
fn request(
    sessions: &Sessions,
    id: Option<&str>,
    handler: impl FnMut(Session) -> Poll<()>,
) -> impl Future<Output = Answer> {
    let mut request = Request::new(());
    if let Some(id) = id {
        request.headers_mut().insert(COOKIE, format!("JSESSIONID={id}").parse().unwrap());
    }
    SessionLayer::new(sessions.clone()).layer(Handler(handler)).call(request)
}

fn poll(future: Pin<&mut impl Future<Output = Answer>>) -> Option<Response<()>> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => Some(response),
        Poll::Pending => None,
    }
}

fn id_of(response: &Response<()>) -> String {
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    cookie.strip_prefix("JSESSIONID=").unwrap().split(';').next().unwrap().to_owned()
}

/// A session on node 0 with `a` = 1, known everywhere.
fn logged_in(net: &Net) -> String {
    let mut login = pin!(request(&net.nodes[0], None, |session| Poll::Ready(session.set("a", &1).unwrap())));
    let _ = poll(login.as_mut());
    net.deliver();
    // In asynchronous mode the answer was there before.
    let session = net.nodes[0].core.look(|inner| inner.machine.ids().next().unwrap().to_text().into_owned());
    assert_eq!(net.open(net.nodes.len() - 1, &session).get::<i32>("a").unwrap(), Some(1));
    session
}

#[test]
fn a_synchronous_answer_waits_for_the_replicas() {
    let net = Net::new(2, Replication::Synchronous);
    let mut answer = pin!(request(&net.nodes[0], None, |session| Poll::Ready(session.set("a", &1).unwrap())));
    assert!(poll(answer.as_mut()).is_none(), "nobody has confirmed");
    net.deliver();
    let id = id_of(&poll(answer.as_mut()).expect("confirmed"));
    assert_eq!(net.open(1, &id).get::<i32>("a").unwrap(), Some(1));
}

#[test]
fn an_asynchronous_answer_does_not_wait() {
    let net = Net::new(2, Replication::Asynchronous);
    let mut answer = pin!(request(&net.nodes[0], None, |session| Poll::Ready(session.set("a", &1).unwrap())));
    let id = id_of(&poll(answer.as_mut()).expect("at once"));
    assert_eq!(net.open(1, &id).get::<i32>("a").unwrap(), None);
    net.deliver();
    assert_eq!(net.open(1, &id).get::<i32>("a").unwrap(), Some(1));
}

#[test]
fn the_answer_leaves_when_the_replica_is_given_up() {
    let net = Net::new(2, Replication::Synchronous);
    let mut answer = pin!(request(&net.nodes[0], None, |session| Poll::Ready(session.set("a", &1).unwrap())));
    assert!(poll(answer.as_mut()).is_none());
    net.lose();
    assert!(poll(answer.as_mut()).is_some());
}

#[test]
fn a_mere_read_sends_nothing_and_waits_for_nothing() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let mut writing = pin!(request(&net.nodes[0], Some(&id), |session| Poll::Ready(session.set("b", &2).unwrap())));
    assert!(poll(writing.as_mut()).is_none());
    let before = net.under_way();
    let mut reading = pin!(request(&net.nodes[0], Some(&id), |session| {
        assert_eq!(session.get::<i32>("b").unwrap(), Some(2), "other requests of the node see a change at once");
        Poll::Ready(())
    }));
    assert!(poll(reading.as_mut()).is_some());
    assert_eq!(net.under_way(), before);
}

#[test]
fn one_request_with_many_changes_is_one_message() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let mut answer = pin!(request(&net.nodes[0], Some(&id), |session| {
        for name in ["b", "c", "d"] {
            session.set(name, &1).unwrap();
        }
        Poll::Ready(())
    }));
    assert!(poll(answer.as_mut()).is_none());
    assert_eq!(net.under_way(), 1);
}

#[test]
fn a_request_waits_for_its_change_even_if_another_request_sent_it() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let other = RefCell::new(None);
    let first = request(&net.nodes[0], Some(&id), |session| {
        // A parallel request ends in the middle of this one, and its delta carries the change of this one too.
        session.set("mine", &1).unwrap();
        let mut parallel =
            Box::pin(request(&net.nodes[0], Some(&id), |session| Poll::Ready(session.set("its", &1).unwrap())));
        assert!(poll(parallel.as_mut()).is_none());
        *other.borrow_mut() = Some(parallel);
        Poll::Ready(())
    });
    let mut first = pin!(first);
    assert_eq!(net.under_way(), 1);
    assert!(poll(first.as_mut()).is_none(), "the other's message is not confirmed");
    assert_eq!(net.under_way(), 1, "there is nothing left to send");
    net.deliver();
    assert!(poll(first.as_mut()).is_some());
    assert!(poll(other.take().unwrap().as_mut()).is_some());
    assert_eq!(net.open(1, &id).attribute_names(), ["a", "its", "mine"]);
}

#[test]
fn what_a_cancelled_request_recorded_is_sent() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let mut cancelled = Box::pin(request(&net.nodes[0], Some(&id), |session| {
        session.set("b", &2).unwrap();
        Poll::Pending
    }));
    assert!(poll(cancelled.as_mut()).is_none());
    assert_eq!(net.under_way(), 0, "the handler is not done");
    drop(cancelled);
    net.deliver();
    assert_eq!(net.open(1, &id).get::<i32>("b").unwrap(), Some(2));
}

#[test]
fn what_a_panicking_handler_recorded_is_sent() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let handler = |session: Session| {
            session.set("b", &2).unwrap();
            Poll::Ready(())
        };
        let mut service = SessionLayer::new(net.nodes[0].clone()).layer(PanicsLater(handler));
        let mut request = Request::new(());
        request.headers_mut().insert(COOKIE, format!("JSESSIONID={id}").parse().unwrap());
        let mut answer = pin!(service.call(request));
        let _ = poll(answer.as_mut());
    }));
    assert!(panicked.is_err());
    net.deliver();
    assert_eq!(net.open(1, &id).get::<i32>("b").unwrap(), Some(2));
}

/// Gives the session to a closure and panics when the answer is polled.
struct PanicsLater<F>(F);

impl<F: FnMut(Session) -> Poll<()>> Service<Request<()>> for PanicsLater<F> {
    type Response = Response<()>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let _ = (self.0)(request.extensions().get::<Session>().unwrap().clone());
        Box::pin(async { panic!("the handler's own fault") })
    }
}

#[test]
fn what_is_written_after_the_answer_is_sent_too() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let kept = RefCell::new(None);
    let mut answer = pin!(request(&net.nodes[0], Some(&id), |session| {
        *kept.borrow_mut() = Some(session);
        Poll::Ready(())
    }));
    assert!(poll(answer.as_mut()).is_some());
    kept.take().unwrap().set("late", &1).unwrap();
    net.deliver();
    assert_eq!(net.open(1, &id).get::<i32>("late").unwrap(), Some(1));
}

#[test]
fn a_logout_is_confirmed_and_stays_against_a_parallel_write_elsewhere() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let elsewhere = net.open(1, &id);
    elsewhere.set("b", &2).unwrap(); // under way to node 0 when the session ends there
    let mut logout = pin!(request(&net.nodes[0], Some(&id), |session| Poll::Ready(session.invalidate())));
    assert!(poll(logout.as_mut()).is_none(), "the end is not confirmed");
    net.deliver();
    assert!(poll(logout.as_mut()).is_some());
    assert!(matches!(elsewhere.set("c", &3), Err(crate::SessionError::Ended)));
    net.deliver();
    assert_eq!((net.nodes[0].len(), net.nodes[1].len()), (0, 0));
}

#[test]
fn a_running_request_follows_a_change_of_the_id_elsewhere() {
    let net = Net::new(2, Replication::Synchronous);
    let id = logged_in(&net);
    let running = net.open(1, &id);
    net.open(0, &id).renew_id().unwrap();
    net.deliver();
    running.set("b", &2).unwrap();
    assert_ne!(running.id().as_deref(), Some(id.as_str()));
    net.deliver();
    assert_eq!(net.open(0, &running.id().unwrap()).attribute_names(), ["a", "b"]);
}

#[test]
fn a_request_of_another_route_takes_the_session_over() {
    let net = Net::with_routes(&[Some("n1"), Some("n2")], Replication::Synchronous);
    let id = logged_in(&net);
    let seen = RefCell::new(None);
    let handler = |session: Session| {
        *seen.borrow_mut() = session.id();
        Poll::Ready(session.set("b", &2).unwrap())
    };
    let mut answer = pin!(request(&net.nodes[1], Some(&id), handler));
    assert!(poll(answer.as_mut()).is_none());
    assert_eq!(net.under_way(), 2, "the change of the id, then the delta");
    net.deliver();
    let new = id_of(&poll(answer.as_mut()).unwrap());
    assert_eq!(new, id.replace(".n1", ".n2"));
    assert_eq!(seen.take(), Some(new.clone()), "the handler sees the new id");
    assert_eq!(net.open(0, &new).attribute_names(), ["a", "b"]);
}

#[test]
fn parallel_writers_on_all_nodes_lose_nothing() {
    let net = Net::new(3, Replication::Synchronous);
    let id = logged_in(&net);
    for round in 0..100 {
        for node in 0..3 {
            net.open(node, &id).set(&format!("n{node}r{round}"), &round).unwrap();
        }
        if round % 7 == 0 {
            net.deliver();
        }
    }
    net.deliver();
    for node in 0..3 {
        assert_eq!(net.open(node, &id).attribute_names().len(), 301, "node {node}");
    }
}
