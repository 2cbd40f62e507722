//! The membership service: what is said to whom, and what is made of what others say.

use super::*;
use crate::rpc::{RpcContent, RpcLimits, RpcMessage};
use crate::wire::{JavaMember, Limits, MemberClass, options};

const ID: &[u8] = b"Catalina-Channel-StaticMembership";

fn service(contacts: &[Member]) -> GroupConfig {
    let mut service = ServiceConfig::new(Bytes::from_static(ID));
    service.contacts = contacts.to_vec();
    GroupConfig { service: Some(service), ..GroupConfig::default() }
}

/// Node 1, with node 2 as its contact under an id that is not its own.
fn world() -> World {
    World::new(service(&[member(2, 0)]))
}

fn said(event: MemberEvent, member: &Member) -> MemberMessage {
    MemberMessage { event, member: JavaMember::new(member.clone()), membership_id: Bytes::from_static(ID) }
}

fn asks(world: &mut World, event: MemberEvent, from: &Member) {
    let message = ServiceMessage::Asked { uuid: Bytes::from_static(&[5; 16]), said: said(event, from) };
    world.tell(|group, now| group.service_received(now, from, message));
}

fn tells(world: &mut World, event: MemberEvent, from: &Member) {
    let message = ServiceMessage::Told(said(event, from));
    world.tell(|group, now| group.service_received(now, from, message));
}

/// The RPC of an outgoing message, and what it says.
fn rpc_of(message: &Message) -> (RpcMessage, MemberMessage) {
    let rpc = RpcMessage::decode(&message.body, &RpcLimits::default()).unwrap();
    let (RpcContent::Request(payload) | RpcContent::Reply(payload)) = &rpc.content else { panic!("no payload") };
    let said = MemberMessage::decode(payload, &Limits::default()).unwrap();
    (rpc, said)
}

/// The contacts that were asked since the last look, and with what.
fn asked(world: &mut World) -> Vec<(Member, MemberEvent)> {
    let contacts = std::mem::take(&mut world.outs.contacts);
    contacts.into_iter().map(|(to, message)| (to, rpc_of(&message).1.event)).collect()
}

#[test]
fn contacts_are_asked_at_the_start_and_in_every_period() {
    let mut world = World::new(service(&[member(2, 0), member(1, 9), member(3, 0)]));
    let starts = [(member(2, 0), MemberEvent::Start), (member(3, 0), MemberEvent::Start)];
    assert_eq!(asked(&mut world), starts, "not ourselves");
    world.pass(ms(4_999));
    assert_eq!(asked(&mut world), []);
    world.pass(ms(1));
    let pings = starts.map(|(contact, _)| (contact, MemberEvent::Ping));
    assert_eq!(asked(&mut world), pings);
    world.pass(ms(10_000));
    assert_eq!(asked(&mut world).len(), 4);
    world.assert_quiet();
}

#[test]
fn a_question_is_an_rpc_about_ourselves() {
    let mut world = world();
    let (to, message) = world.outs.contacts.remove(0);
    assert_eq!((to, message.options, message.from), (member(2, 0), options::ASYNCHRONOUS, member(1, 1)));
    let (rpc, said) = rpc_of(&Message { body: message.body, ..message_of(member(1, 1)) });
    assert!(matches!(rpc.content, RpcContent::Request(_)));
    assert_eq!((&rpc.rpc_id[..], rpc.uuid.len(), &said.membership_id[..]), (ID, 16, ID));
    assert_eq!((said.member.member, said.member.class), (member(1, 1), MemberClass::StaticAlone));
}

fn message_of(from: Member) -> Message {
    Message { options: 0, timestamp: 0, id: crate::wire::MessageId::from_random([0; 16]), from, body: Bytes::new() }
}

#[test]
fn whoever_starts_or_pings_is_answered_and_a_member_after_its_probe() {
    for event in [MemberEvent::Start, MemberEvent::Ping] {
        let mut world = world();
        let peer = aged(&member(3, 3), 700);
        asks(&mut world, event, &peer);
        let (to, message) = world.outs.services.remove(0);
        assert_eq!((to, message.options), (peer.clone(), 0));
        let (rpc, said) = rpc_of(&message);
        assert!(matches!(rpc.content, RpcContent::Reply(_)));
        assert_eq!((&rpc.uuid[..], &rpc.rpc_id[..]), (&[5; 16][..], ID));
        assert_eq!((said.event, said.member.member), (event, member(1, 1)));
        assert!(!world.is_member(&peer), "nobody joins without a probe");
        world.answer(&peer, Verdict::Alive);
        assert_eq!(world.changes().0, [peer]);
    }
}

#[test]
fn answers_and_plain_messages_bring_members_and_are_not_answered() {
    for event in [MemberEvent::Start, MemberEvent::Ping] {
        let mut world = world();
        tells(&mut world, event, &member(2, 2));
        world.answer(&member(2, 2), Verdict::Alive);
        assert_eq!(world.changes().0, [member(2, 2)]);
        assert!(world.outs.services.is_empty() && world.outs.notices.is_empty());
    }
}

fn joined() -> (World, Member) {
    let (mut world, peer) = (world(), member(2, 2));
    tells(&mut world, MemberEvent::Start, &peer);
    world.answer(&peer, Verdict::Alive);
    world.outs = Outs::default();
    (world, peer)
}

#[test]
fn a_member_is_asked_under_its_own_id() {
    let (mut world, peer) = joined();
    world.pass(ms(5_000));
    assert_eq!(asked(&mut world), [(peer, MemberEvent::Ping)]);
}

#[test]
fn a_silent_member_is_probed_and_one_that_answers_every_ping_is_not() {
    let (mut world, peer) = joined();
    for _ in 0..5 {
        world.pass(ms(5_100));
        tells(&mut world, MemberEvent::Ping, &peer);
    }
    world.assert_quiet();
    world.pass(ms(8_000));
    world.assert_quiet();
    world.pass(ms(1));
    world.answer(&peer, REFUSED);
    assert_eq!(world.changes().1, [(peer, LeftReason::Expired(ProbeFailure::Refused))]);
}

#[test]
fn the_silence_that_is_allowed_covers_a_period_and_the_wait_for_its_answer() {
    let mut config = ServiceConfig::new(Bytes::new());
    assert_eq!(config.silence_max(), ms(8_000));
    config.ping_interval = ms(1_000);
    assert_eq!(config.silence_max(), ms(5_000));
}

#[test]
fn a_plain_stop_is_a_goodbye_and_one_that_asks_is_ignored() {
    let (mut world, peer) = joined();
    asks(&mut world, MemberEvent::Stop, &peer);
    world.assert_quiet();
    let (_, answer) = world.outs.services.remove(0);
    let answer = RpcMessage::decode(&answer.body, &RpcLimits::default()).unwrap();
    assert_eq!(answer.content, RpcContent::Reply(Bytes::from_static(crate::rpc::NULL)));
    tells(&mut world, MemberEvent::Stop, &peer);
    assert_eq!(world.changes().1, [(peer.clone(), LeftReason::Goodbye)]);
    // What it said before that, and arrives late, does not bring it back; its next start does.
    tells(&mut world, MemberEvent::Ping, &peer);
    world.pass(ms(100));
    world.assert_quiet();
    tells(&mut world, MemberEvent::Start, &peer);
    world.answer(&peer, Verdict::Alive);
    assert_eq!(world.changes().0, [peer]);
    tells(&mut world, MemberEvent::Stop, &member(9, 9));
    assert_eq!(world.outs.dropped, [DropCause::UnknownShutdown]);
}

#[test]
fn a_service_that_starts_again_with_the_command_of_its_stop_is_alive() {
    let (mut world, peer) = joined();
    tells(&mut world, MemberEvent::Stop, &peer);
    world.outs = Outs::default();
    world.pass(ms(100));
    let again = Member { command: Bytes::from_static(SHUTDOWN_COMMAND), ..peer.clone() };
    tells(&mut world, MemberEvent::Start, &again);
    world.answer(&peer, Verdict::Alive);
    let (joined, _) = world.changes();
    assert_eq!(joined.iter().map(Member::is_shutting_down).collect::<Vec<_>>(), [false]);
}

#[test]
fn stopping_tells_the_members_of_the_service_plainly() {
    let mut config = service(&[member(2, 0)]);
    config.configured = vec![member(4, 4)];
    let mut world = World::new(config);
    world.answer(&member(4, 4), Verdict::Alive);
    for number in [2, 3] {
        asks(&mut world, MemberEvent::Ping, &member(number, number));
    }
    world.answer(&member(2, 2), Verdict::Alive);
    world.outs = Outs::default();
    world.tell(Group::stopping);
    // Neither a candidate nor one that would not understand it.
    assert_eq!(world.outs.services.len(), 1);
    let (to, message) = world.outs.services.remove(0);
    assert_eq!((to, message.options), (member(2, 2), options::ASYNCHRONOUS));
    assert!(message.from.is_shutting_down());
    let said = MemberMessage::decode(&message.body, &Limits::default()).unwrap();
    assert_eq!((said.event, &said.membership_id[..]), (MemberEvent::Stop, ID));
    assert!(said.member.member.is_shutting_down() && said.member.member == member(1, 1));
    assert_eq!(world.outs.stopped, 1);
    asks(&mut world, MemberEvent::Ping, &member(3, 3));
    assert!(world.outs.services.is_empty(), "after the goodbye nobody is answered");
}

#[test]
fn what_a_member_says_about_another_is_dropped() {
    let (mut world, peer) = joined();
    for event in [MemberEvent::Start, MemberEvent::Stop, MemberEvent::Ping] {
        let message = ServiceMessage::Told(said(event, &peer));
        world.tell(|group, now| group.service_received(now, &member(3, 3), message));
    }
    world.assert_quiet();
    assert_eq!(world.outs.dropped, vec![DropCause::ForeignRecord; 3]);
}

#[test]
fn records_of_our_own_address_or_of_none_are_dropped() {
    let mut world = world();
    tells(&mut world, MemberEvent::Start, &member(1, 1));
    assert!(world.outs.dropped.is_empty(), "our own, come back");
    tells(&mut world, MemberEvent::Start, &member(1, 9));
    asks(&mut world, MemberEvent::Start, &Member::new(([0, 0, 0, 0], 4000).into(), [3; 16]));
    assert_eq!(world.outs.dropped, [DropCause::OurAddress, DropCause::Unusable]);
    assert!(world.outs.services.is_empty(), "nobody to answer");
    world.assert_quiet();
}

#[test]
fn a_process_that_was_restarted_replaces_the_old_one() {
    let (mut world, peer) = joined();
    world.pass(ms(3_000));
    let restarted = member(2, 7);
    asks(&mut world, MemberEvent::Start, &restarted);
    world.answer(&restarted, Verdict::Alive);
    let (joined, left) = world.changes();
    assert_eq!((joined, left), (vec![restarted], vec![(peer, LeftReason::Replaced)]));
}

#[test]
fn a_service_brings_in_no_more_than_the_table_holds() {
    let mut config = service(&[]);
    config.members_max = 3;
    let mut world = World::new(config);
    for number in 2..9 {
        tells(&mut world, MemberEvent::Ping, &member(number, number));
    }
    assert_eq!(world.outs.probes.len(), 3);
    assert_eq!(world.outs.dropped, vec![DropCause::TableFull { members_max: 3 }; 4]);
}

#[test]
fn the_first_look_waits_for_the_answers_of_those_that_can_be_reached() {
    let mut world = World::new(service(&[member(2, 0), member(3, 0), member(4, 0)]));
    let reached = |world: &mut World, number, reached| {
        world.tell(|group, now| group.contacted(now, &member(number, 0).id, reached));
    };
    reached(&mut world, 2, true);
    reached(&mut world, 3, false);
    reached(&mut world, 4, true);
    assert!(!world.group.is_settled());
    let none = ServiceMessage::NoService;
    world.tell(|group, now| group.service_received(now, &member(4, 4), none));
    tells(&mut world, MemberEvent::Start, &member(2, 2));
    assert!(!world.group.is_settled(), "its probe is on its way");
    world.answer(&member(2, 2), Verdict::Alive);
    assert!(world.group.is_settled());
}

#[test]
fn a_contact_that_does_not_answer_delays_nothing() {
    let mut world = World::new(service(&[member(2, 0), member(3, 0)]));
    world.tell(|group, now| group.contacted(now, &member(2, 0).id, true));
    world.outs.contacts.clear();
    tells(&mut world, MemberEvent::Start, &member(3, 3));
    world.answer(&member(3, 3), Verdict::Alive);
    assert_eq!(world.changes().0, [member(3, 3)]);
    world.pass(ms(3_499));
    assert!(!world.group.is_settled());
    world.pass(ms(1));
    assert!(world.group.is_settled());
    world.pass(ms(1_500));
    assert_eq!(asked(&mut world).len(), 2, "the pings go on");
}

#[test]
fn two_services_find_each_other_whoever_was_there_first() {
    let configs = [service(&[member(2, 0)]), service(&[])];
    let mut worlds = [World::of(member(1, 1), configs[0].clone()), World::of(member(2, 2), configs[1].clone())];
    // The START was lost: the other was not there yet. The ping finds it.
    worlds[0].outs.contacts.clear();
    worlds[0].pass(ms(5_000));
    let (_, message) = worlds[0].outs.contacts.remove(0);
    let rpc = RpcMessage::decode(&message.body, &RpcLimits::default()).unwrap();
    let question = ServiceMessage::of_rpc(&rpc, &Limits::default()).unwrap();
    worlds[1].tell(|group, now| group.service_received(now, &message.from, question));
    let (to, message) = worlds[1].outs.services.remove(0);
    assert_eq!(to, member(1, 1));
    let rpc = RpcMessage::decode(&message.body, &RpcLimits::default()).unwrap();
    let answer = ServiceMessage::of_rpc(&rpc, &Limits::default()).unwrap();
    assert!(matches!(answer, ServiceMessage::Told(_)));
    worlds[0].tell(|group, now| group.service_received(now, &message.from, answer));
    worlds[0].answer(&member(2, 2), Verdict::Alive);
    worlds[1].answer(&member(1, 1), Verdict::Alive);
    assert!(worlds[0].is_member(&member(2, 2)) && worlds[1].is_member(&member(1, 1)));
}
