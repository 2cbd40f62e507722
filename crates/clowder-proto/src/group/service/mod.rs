//! The static membership service: nodes that are given each other's addresses tell each other that they live.
//!
//! Tomcat: `StaticMembershipService` with `StaticMembershipProvider`: an RPC channel whose id is the membership id. A
//! node asks its configured contacts at its start and in every period; whoever has the service answers with its own
//! record. So a record always comes from its owner, and the unique ids of the configuration do not matter.
//!
//! Here this is one more way to hear of somebody, beside heartbeats: who is heard becomes a candidate, and a member when
//! a probe is answered; silence is a reason to probe.
//!
//! Differs from Tomcat: nothing waits. There the start waits for every contact in turn, and one that accepts connections
//! and does not answer delays every heartbeat of the channel by 3 s.
//! Test: a_contact_that_does_not_answer_delays_nothing.

mod incoming;
mod message;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{DropCause, Group, GroupOut, Standing, is_usable};
use crate::Now;
use crate::rpc::{NULL, RpcContent, RpcMessage};
use crate::wire::{JavaMember, Member, MemberId, Message, MessageId, SHUTDOWN_COMMAND, options};

pub use incoming::ServiceMessage;
pub use message::{MemberEvent, MemberMessage};

/// Settings of the membership service. The defaults are Tomcat's, under the same names.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Names the service: in Tomcat the channel's name and `-StaticMembership`, in ISO-8859-1. Nodes with another id
    /// are no members of it.
    pub membership_id: Bytes,
    /// Whom to ask. The local node may be among them and is left out.
    pub contacts: Vec<Member>,
    /// Period of the pings. Default 5 s, the heartbeat of Tomcat's channel; with `useThread` it is `pingInterval`.
    pub ping_interval: Duration,
    /// Silence after which a member is suspected. Default 5 s; see [`ServiceConfig::silence_max`].
    pub expiration_time: Duration,
    /// Time for a connection to a contact. Default 500 ms.
    pub connect_timeout: Duration,
    /// Time for a contact to answer. Default 3 s.
    pub rpc_timeout: Duration,
}

impl ServiceConfig {
    /// With these defaults and no contacts.
    pub fn new(membership_id: Bytes) -> ServiceConfig {
        ServiceConfig {
            membership_id,
            contacts: Vec::new(),
            ping_interval: Duration::from_secs(5),
            expiration_time: Duration::from_secs(5),
            connect_timeout: Duration::from_millis(500),
            rpc_timeout: Duration::from_secs(3),
        }
    }

    /// Tomcat looks for silent members after each ping, when the answers to it have come or their time is over: so a
    /// member that answers every ping is never silent for too long, whatever the two periods are.
    pub fn silence_max(&self) -> Duration {
        self.expiration_time.max(self.ping_interval.saturating_add(self.rpc_timeout))
    }
}

/// The timer of pings, and which contacts the first look still waits for.
#[derive(Debug)]
pub(super) struct Service {
    contacts: Vec<Member>,
    started: bool,
    next: Instant,
    interval: Duration,
    /// Contacts of which nothing is known yet.
    open: BTreeSet<MemberId>,
    /// Whoever has not answered by then is not waited for.
    open_until: Instant,
}

impl Service {
    pub(super) fn new(config: &ServiceConfig, local: &Member, now: Instant) -> Service {
        let others = |contact: &&Member| !contact.id.same_endpoint(&local.id) && is_usable(&contact.id);
        let contacts: Vec<Member> = config.contacts.iter().filter(others).cloned().collect();
        Service {
            open: contacts.iter().map(|contact| contact.id.clone()).collect(),
            open_until: now + config.connect_timeout + config.rpc_timeout,
            contacts,
            started: false,
            next: now,
            interval: config.ping_interval.max(Duration::from_millis(1)),
        }
    }

    /// Every contact has answered, cannot be reached, or had its time.
    pub(super) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn deadline(&self) -> Instant {
        if self.open.is_empty() { self.next } else { self.next.min(self.open_until) }
    }

    /// What to say to the contacts now. A ping that was missed is not made up for.
    fn take(&mut self, now: Instant) -> Option<MemberEvent> {
        if self.open_until <= now {
            self.open.clear();
        }
        if now < self.next {
            return None;
        }
        self.next = now + self.interval;
        let first = !std::mem::replace(&mut self.started, true);
        Some(if first { MemberEvent::Start } else { MemberEvent::Ping })
    }

    fn heard(&mut self, id: &MemberId) {
        self.open.retain(|contact| !contact.same_endpoint(id));
    }
}

impl Group {
    /// What the passing of time does for the service.
    pub(super) fn service_tick(&mut self, now: Now) {
        let Some(event) = self.service.as_mut().and_then(|service| service.take(now.mono)) else { return };
        let Some(config) = &self.config.service else { return };
        let connect_timeout = config.connect_timeout;
        let contacts = self.service.iter().flat_map(|service| service.contacts.clone()).collect::<Vec<_>>();
        for contact in contacts {
            let uuid = Bytes::copy_from_slice(&self.jitter.id());
            let content = RpcContent::Request(self.said(event, self.local(now)));
            let Some(message) = self.service_rpc(now, uuid, content, options::ASYNCHRONOUS) else { continue };
            // Layers that count per member know the one that is there by its own id.
            let there = self.roster.iter().find(|(id, entry)| entry.is_member() && id.same_endpoint(&contact.id));
            let to = there.map_or(contact, |(_, entry)| entry.member.clone());
            self.out.push_back(GroupOut::Contact { to, message, connect_timeout });
        }
    }

    /// The answer to one [`GroupOut::Contact`]: the message was written, or no connection could be made.
    pub fn contacted(&mut self, now: Now, to: &MemberId, reached: bool) {
        self.begin(now);
        if !reached && let Some(service) = &mut self.service {
            service.heard(to);
        }
        self.finish(now);
    }

    /// A message of the membership service came on a connection.
    ///
    /// Tomcat: StaticMembershipProvider: START and PING add or refresh a member and are answered with the same message
    /// about the local one; STOP removes it, unless it is an RPC.
    pub fn service_received(&mut self, now: Now, from: &Member, message: ServiceMessage) {
        self.begin(now);
        if self.farewell.is_none() && self.service.is_some() {
            let refused = match message {
                ServiceMessage::Asked { uuid, said } => {
                    let event = said.event;
                    let heard = match event {
                        MemberEvent::Start | MemberEvent::Ping => self.service_heard(now, from, said),
                        MemberEvent::Stop | MemberEvent::Unknown(_) => Ok(()),
                    };
                    if heard.is_ok() {
                        self.answer_service(now, from, uuid, event);
                    }
                    heard
                }
                ServiceMessage::Told(said) => self.service_heard(now, from, said),
                ServiceMessage::NoService => {
                    self.service.iter_mut().for_each(|service| service.heard(&from.id));
                    Ok(())
                }
            };
            if let Err(cause) = refused {
                let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                let from = from.id.socket_addr().unwrap_or(nowhere);
                self.out.push_back(GroupOut::Dropped { from, cause });
            }
        }
        self.finish(now);
    }

    fn service_heard(&mut self, now: Now, from: &Member, said: MemberMessage) -> Result<(), DropCause> {
        let MemberMessage { event, member: JavaMember { member: record, .. }, .. } = said;
        // Differs from Tomcat: nobody speaks for another member.
        // Test: what_a_member_says_about_another_is_dropped.
        if record.id != from.id {
            return Err(DropCause::ForeignRecord);
        }
        if !self.is_other(&record.id)? {
            return Ok(());
        }
        let silence_max = self.config.service.as_ref().map(ServiceConfig::silence_max).unwrap_or_default();
        match event {
            MemberEvent::Stop => return self.shutdown_heard(now, &record),
            MemberEvent::Unknown(_) => return Ok(()),
            // It is there again: what it said before is over.
            MemberEvent::Start => {
                self.roster.get_mut(&record.id).into_iter().for_each(|entry| entry.quiet_until = None)
            }
            MemberEvent::Ping => {}
        }
        // Differs from Tomcat: a service that is started again after its stop keeps the shutdown command there, and is
        // taken for dead. Test: a_service_that_starts_again_with_the_command_of_its_stop_is_alive.
        let record = Member { command: Bytes::new(), ..record };
        self.speaks(now.mono, &record, silence_max)?;
        self.roster.get_mut(&record.id).into_iter().for_each(|entry| entry.by_service = true);
        self.service.iter_mut().for_each(|service| service.heard(&record.id));
        Ok(())
    }

    fn answer_service(&mut self, now: Now, to: &Member, uuid: Bytes, event: MemberEvent) {
        let payload = match event {
            MemberEvent::Start | MemberEvent::Ping => self.said(event, self.local(now)),
            MemberEvent::Stop | MemberEvent::Unknown(_) => Bytes::from_static(NULL),
        };
        // Tomcat: replies have the RPC channel's options, which are none.
        if let Some(message) = self.service_rpc(now, uuid, RpcContent::Reply(payload), 0)
            && is_usable(&to.id)
        {
            self.out.push_back(GroupOut::Service { to: to.clone(), message });
        }
    }

    /// This node stops: whoever knows it by the service is told, plainly.
    pub(super) fn tell_service_members(&mut self, now: Now) {
        if self.service.is_none() {
            return;
        }
        let from = Member { command: Bytes::from_static(SHUTDOWN_COMMAND), ..self.local(now) };
        let body = self.said(MemberEvent::Stop, from.clone());
        let members = self.roster.iter().filter(|(_, entry)| entry.by_service && entry.standing != Standing::Candidate);
        let members: Vec<Member> = members.map(|(_, entry)| entry.member.clone()).collect();
        for to in members {
            let id = MessageId::from_random(self.jitter.id());
            let (options, timestamp) = (options::ASYNCHRONOUS, now.wall_ms());
            let message = Message { options, timestamp, id, from: from.clone(), body: body.clone() };
            self.out.push_back(GroupOut::Service { to, message });
        }
    }

    fn said(&self, event: MemberEvent, member: Member) -> Bytes {
        let membership_id =
            self.config.service.as_ref().map(|service| service.membership_id.clone()).unwrap_or_default();
        MemberMessage { event, member: JavaMember::new(member), membership_id }.encode()
    }

    fn service_rpc(&mut self, now: Now, uuid: Bytes, content: RpcContent, options: i32) -> Option<Message> {
        let rpc_id = self.config.service.as_ref()?.membership_id.clone();
        let body = RpcMessage { uuid, rpc_id, content }.encode();
        debug_assert!(body.is_ok(), "payloads are made here");
        let id = MessageId::from_random(self.jitter.id());
        Some(Message { options, timestamp: now.wall_ms(), id, from: self.local(now), body: body.ok()? })
    }
}
