//! Which port of a peer connections go to: the plain one, or the secure one.
//!
//! A member that was found by its heartbeat said which ports it has. One that is configured is an address until it was
//! heard, and could be a Tomcat or a Clowder node: connections to it wait a moment for its record.
//!
//! Invariant: once a secure port is known, there is no way back to the plain one.

use std::net::SocketAddr;
use std::time::Duration;

use clowder_proto::wire::Member;
use tokio::sync::watch;
use tokio::time::timeout;

/// For the record of a configured member. Its start notice or its first probe brings it within a few round trips.
const RECORD_WAIT: Duration = Duration::from_secs(1);

/// What is known of a peer's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was not heard.
    Nothing,
    /// It has no secure port, or was silent.
    Plain,
    Secure(SocketAddr),
}

impl Known {
    fn of(member: &Member) -> Known {
        if let Some(addr) = member.secure_addr() {
            return Known::Secure(addr);
        }
        // A record from a configuration has an address and an id.
        let bare = member.alive == 0
            && (member.secure_port, member.udp_port) == (-1, -1)
            && [&member.command, &member.domain, &member.payload, &member.extension].iter().all(|it| it.is_empty());
        if bare { Known::Nothing } else { Known::Plain }
    }
}

/// One peer's.
#[derive(Debug)]
pub(crate) struct Ports(watch::Sender<Known>);

impl Ports {
    pub(crate) fn new() -> Ports {
        Ports(watch::Sender::new(Known::Nothing))
    }

    /// A record of the peer. True: it has a secure port, which was not known.
    ///
    /// One without a secure port takes nothing back: a Tomcat may have relayed it, or somebody made it up.
    pub(crate) fn heard(&self, member: &Member) -> bool {
        let said = Known::of(member);
        let mut first = false;
        self.0.send_if_modified(|known| {
            let news = match (*known, said) {
                (_, Known::Secure(_)) => *known != said,
                (Known::Nothing, Known::Plain) => true,
                _ => false,
            };
            if news {
                first = !matches!(known, Known::Secure(_)) && matches!(said, Known::Secure(_));
                *known = said;
            }
            news
        });
        first
    }

    pub(crate) fn is_secure(&self) -> bool {
        matches!(*self.0.borrow(), Known::Secure(_))
    }

    /// What is known, or after a moment of waiting for it. A peer is waited for once.
    pub(crate) async fn known(&self, connect_timeout: Duration) -> Known {
        let mut changes = self.0.subscribe();
        let heard = changes.wait_for(|known| *known != Known::Nothing);
        if let Ok(Ok(known)) = timeout(RECORD_WAIT.min(connect_timeout / 2), heard).await {
            return *known;
        }
        self.0.send_if_modified(|known| {
            let silent = *known == Known::Nothing;
            if silent {
                *known = Known::Plain;
            }
            silent
        });
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use clowder_proto::wire::Capabilities;

    use super::*;

    fn bare() -> Member {
        Member::new(([10, 0, 0, 1], 4000).into(), [1; 16])
    }

    fn secure(port: i32) -> Member {
        let extension = Capabilities::ALL.and(Capabilities::TLS).encode();
        Member { secure_port: port, extension, ..bare() }
    }

    #[test]
    fn only_a_record_that_its_owner_made_says_that_there_is_no_secure_port() {
        assert_eq!(Known::of(&bare()), Known::Nothing);
        let tomcat = Member { alive: 1, ..bare() };
        let named = Member { secure_port: 4443, ..bare() };
        let clowder = Member { extension: Capabilities::ALL.encode(), ..bare() };
        let domain = Member { domain: Bytes::from_static(b"a"), ..bare() };
        for plain in [tomcat, named, clowder, domain] {
            assert_eq!(Known::of(&plain), Known::Plain, "{plain:?}");
        }
        assert_eq!(Known::of(&secure(4443)), Known::Secure(([10, 0, 0, 1], 4443).into()));
    }

    #[test]
    fn a_secure_port_is_never_taken_back_and_may_change() {
        let ports = Ports::new();
        assert!(!ports.heard(&bare()) && !ports.heard(&Member { alive: 1, ..bare() }) && !ports.is_secure());
        assert!(ports.heard(&secure(4443)), "it is news");
        assert!(!ports.heard(&secure(4443)) && !ports.heard(&bare()) && !ports.heard(&Member { alive: 1, ..bare() }));
        assert!(ports.is_secure());
        assert!(!ports.heard(&secure(4444)), "connections over TLS stay");
        assert_eq!(*ports.0.borrow(), Known::Secure(([10, 0, 0, 1], 4444).into()));
    }

    #[tokio::test]
    async fn a_configured_member_is_waited_for_once() {
        let ports = Ports::new();
        let (known, ()) = tokio::join!(ports.known(Duration::from_secs(60)), async {
            ports.heard(&secure(4443));
        });
        assert_eq!(known, Known::Secure(([10, 0, 0, 1], 4443).into()));
        let silent = Ports::new();
        assert_eq!(silent.known(Duration::ZERO).await, Known::Plain);
        assert_eq!(*silent.0.borrow(), Known::Plain, "the next one does not wait");
    }
}
