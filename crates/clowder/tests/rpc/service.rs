//! Nodes that find each other by the static membership service, and a Tomcat that has it.

use bytes::Bytes;
use clowder::{Channel, Member, Message, MessageId, RpcMode, StaticMember, StaticService, options};
use clowder_proto::group::{MemberEvent, MemberMessage};
use clowder_proto::rpc::{RpcContent, RpcLimits, RpcMessage};
use clowder_proto::wire::{JavaMember, Limits, MemberClass};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::nodes::{builder, node, patiently, until};
use super::raw::{Raw, RawPeer, address};
use super::world::{LONG, ask, asker, fates, is_taken};

const ID: &[u8] = b"Catalina-Channel-StaticMembership";

fn service(contacts: &[std::net::SocketAddr]) -> StaticService {
    let service = StaticService::new("Catalina-Channel");
    // The ids of the configuration are nobody's.
    contacts.iter().fold(service, |service, addr| service.member(StaticMember::new(*addr, [0; 16])))
}

async fn with_service(contacts: &[std::net::SocketAddr]) -> Channel {
    builder().domain("dom").static_service(service(contacts)).start().await.unwrap()
}

fn sees(channel: &Channel, other: &Channel) -> bool {
    channel.view().contains(&other.local().id)
}

#[tokio::test]
async fn nodes_find_each_other_and_take_leave() {
    let a = with_service(&[]).await;
    patiently(a.settled()).await;
    let b = with_service(&[address(&a)]).await;
    patiently(b.settled()).await;
    assert!(sees(&b, &a), "its first view holds whom it asked");
    until(|| sees(&a, &b)).await;
    let record = a.view().get(&b.local().id).unwrap().clone();
    assert_eq!((&record.domain[..], record.capabilities()), (&b"dom"[..], b.local().capabilities()));
    patiently(b.stop()).await;
    until(|| !sees(&a, &b)).await;
}

#[tokio::test]
async fn a_node_alone_does_not_wait_for_contacts_that_are_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let a = with_service(&[nobody]).await;
    patiently(a.settled()).await;
    assert!(a.view().members().is_empty());
}

#[tokio::test]
async fn nodes_of_another_name_ignore_each_other() {
    let a = with_service(&[]).await;
    let other = StaticService::new("Other-Channel").member(StaticMember::new(address(&a), [0; 16]));
    let b = builder().static_service(other).start().await.unwrap();
    // That it is settled before its time is over shows that it was told so.
    patiently(b.settled()).await;
    assert!(!sees(&b, &a) && !sees(&a, &b));
}

#[tokio::test]
async fn the_id_of_the_service_is_no_id_for_an_rpc_channel() {
    let a = with_service(&[]).await;
    assert!(is_taken(a.rpc(ID).open()));
    // Elsewhere it is one like any other, and the service does not answer for its calls.
    let b = node().await;
    let rpc = b.rpc(ID).open().unwrap();
    let call =
        rpc.call([a.local()], Bytes::from_static(b"\xac\xed\0\x05p"), RpcMode::All, clowder::SendOptions::NONE, LONG);
    tokio::select! {
        biased;
        _ = call => panic!("null is nothing that a member says"),
        fates = async { fates(ask(&asker(&b), &[&a], RpcMode::All, LONG).await) } => assert_eq!(fates, ["NoChannel"]),
    }
}

/// A message of the service from this Tomcat, as `MemberImpl` or `StaticMember` of its release.
fn said(event: MemberEvent, member: &Member) -> MemberMessage {
    let member = JavaMember { member: member.clone(), class: MemberClass::STATIC };
    MemberMessage { event, member, membership_id: Bytes::from_static(ID) }
}

fn frame(from: &Member, serial: u8, body: Bytes) -> Bytes {
    let id = MessageId([serial; 16].into());
    Message { options: options::ASYNCHRONOUS, timestamp: 0, id, from: from.clone(), body }.encode_frame()
}

/// A Tomcat with the service: all that it receives, whatever connection it comes on.
struct Tomcat {
    member: Member,
    received: mpsc::UnboundedReceiver<Message>,
}

impl Tomcat {
    async fn start() -> Tomcat {
        let peer = RawPeer::new().await;
        let member = peer.member.clone();
        let (tell, received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = peer.listener.accept().await {
                let (tell, mut raw) = (tell.clone(), Raw::new(stream));
                tokio::spawn(async move { while raw.message().await.is_some_and(|it| tell.send(it).is_ok()) {} });
            }
        });
        Tomcat { member, received }
    }

    /// The next RPC message; probes are passed over.
    async fn rpc(&mut self) -> (Message, RpcMessage) {
        loop {
            let message = patiently(self.received.recv()).await.unwrap();
            if RpcMessage::matches(&message.body) {
                let rpc = RpcMessage::decode(&message.body, &RpcLimits::default()).unwrap();
                return (message, rpc);
            }
        }
    }
}

fn payload(rpc: &RpcMessage) -> MemberMessage {
    let (RpcContent::Request(payload) | RpcContent::Reply(payload)) = &rpc.content else { panic!("{rpc:?}") };
    MemberMessage::decode(payload, &Limits::default()).unwrap()
}

#[tokio::test]
async fn a_contact_is_asked_at_the_start_and_its_answer_makes_it_a_member() {
    let mut tomcat = Tomcat::start().await;
    let a = with_service(&[tomcat.member.id.socket_addr().unwrap()]).await;
    let (question, rpc) = tomcat.rpc().await;
    assert_eq!((question.options, &rpc.rpc_id[..]), (options::ASYNCHRONOUS, ID));
    let asked = payload(&rpc);
    assert_eq!((asked.event, &asked.member.member, &asked.membership_id[..]), (MemberEvent::Start, a.local(), ID));
    assert_eq!(&asked.member.member.domain[..], b"dom");
    let answer = rpc.reply(RpcContent::Reply(said(MemberEvent::Start, &tomcat.member).encode()));
    let mut raw = Raw::connect(&a).await;
    raw.write(&frame(&tomcat.member, 1, answer.encode().unwrap())).await;
    until(|| a.view().contains(&tomcat.member.id)).await;
    patiently(a.settled()).await;
    raw.write(&frame(&tomcat.member, 2, said(MemberEvent::Stop, &tomcat.member).encode())).await;
    until(|| !a.view().contains(&tomcat.member.id)).await;
}

#[tokio::test]
async fn a_stranger_that_pings_is_answered_with_our_record() {
    let mut tomcat = Tomcat::start().await;
    let a = with_service(&[]).await;
    let ping = RpcMessage {
        uuid: Bytes::from_static(&[4; 16]),
        rpc_id: Bytes::from_static(ID),
        content: RpcContent::Request(said(MemberEvent::Ping, &tomcat.member).encode()),
    };
    let mut raw = Raw::connect(&a).await;
    raw.write(&frame(&tomcat.member, 1, ping.encode().unwrap())).await;
    let (message, answer) = tomcat.rpc().await;
    assert_eq!((message.options, &message.from), (0, a.local()));
    assert!(matches!(answer.content, RpcContent::Reply(_)));
    assert_eq!((&answer.uuid, &answer.rpc_id), (&ping.uuid, &ping.rpc_id));
    let told = payload(&answer);
    assert_eq!((told.event, &told.member.member), (MemberEvent::Ping, a.local()));
    until(|| a.view().contains(&tomcat.member.id)).await;
}

#[tokio::test]
async fn messages_of_the_service_do_not_reach_the_application() {
    let tomcat = Tomcat::start().await;
    let a = with_service(&[]).await;
    let mut inbox = a.inbox();
    let mut raw = Raw::connect(&a).await;
    for (serial, event) in [(1, MemberEvent::Start), (2, MemberEvent::Ping), (3, MemberEvent::Unknown(9))] {
        raw.write(&frame(&tomcat.member, serial, said(event, &tomcat.member).encode())).await;
    }
    let plain = said(MemberEvent::Stop, &tomcat.member).encode();
    raw.write(&frame(&tomcat.member, 4, plain.slice(..plain.len() - 3))).await; // cannot be read
    raw.write(&frame(&tomcat.member, 5, Bytes::from_static(b"hello"))).await;
    assert_eq!(patiently(inbox.recv()).await.unwrap().body(), &b"hello"[..]);
}
