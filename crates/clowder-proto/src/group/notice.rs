//! The fixed bodies of messages between control planes, which never reach the application.

use bytes::Bytes;

use super::DetectorConfig;
use crate::Now;
use crate::wire::{Member, Message, MessageId, options};

/// Tomcat: TcpFailureDetector, the body of a probe.
const PROBE: [u8; 64] = [
    0x4f, 0xa7, 0x73, 0x48, 0x79, 0x82, 0x43, 0xc9, 0x9f, 0x6f, 0x89, 0x80, 0xa1, 0x5b, 0x07, 0x14, 0x7d, 0xd9, 0x52,
    0x5b, 0xeb, 0xf1, 0x43, 0x9a, 0xb7, 0x7e, 0xbe, 0x8f, 0x81, 0x67, 0x1e, 0xb6, 0x37, 0x15, 0xbe, 0x87, 0x45, 0x7e,
    0x4c, 0xa8, 0xbf, 0x0a, 0x4d, 0x13, 0x53, 0x38, 0x15, 0x32, 0x55, 0xf6, 0x94, 0xb7, 0x3a, 0xfa, 0x40, 0x78, 0x91,
    0x04, 0x7d, 0xd7, 0x72, 0x84, 0xc0, 0xd5,
];

/// Tomcat: TcpPingInterceptor, the body of a ping: the probe with five other bytes.
const PING: [u8; 64] = {
    let mut ping = PROBE;
    ping[5] = 0xdf;
    ping[21] = 0xdf;
    ping[37] = 0x21;
    ping[53] = 0xdf;
    ping[54] = 0x21;
    ping
};

/// Tomcat: StaticMembershipInterceptor.
const START: &[u8] = b"Local StaticMember Notification Data";
/// Tomcat: StaticMembershipInterceptor.
const STOP: &[u8] = b"Local StaticMember Shutdown Data";

/// A message between control planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// "Are you alive": the connection and its acknowledgement are the answer.
    Probe,
    /// Keeps connections of a Tomcat without a failure detector busy; means nothing to us.
    Ping,
    /// A configured member has started.
    Start,
    /// A configured member stops.
    Stop,
}

impl Notice {
    /// The notice that `message` is, if it is one. It must then not be delivered.
    ///
    /// Tomcat: the whole body must be equal; probes and pings must carry all bits of their flag, notices need none.
    pub fn of(message: &Message, detector: &DetectorConfig) -> Option<Notice> {
        let carries = |flag: i32| message.options & flag == flag;
        match &message.body[..] {
            body if body == PROBE => carries(detector.option_flag).then_some(Notice::Probe),
            body if body == PING => carries(detector.ping_flag).then_some(Notice::Ping),
            START => Some(Notice::Start),
            STOP => Some(Notice::Stop),
            _ => None,
        }
    }

    pub(super) fn message(self, now: Now, from: Member, options: i32, id: [u8; 16]) -> Message {
        let body = match self {
            Notice::Probe => &PROBE[..],
            Notice::Ping => &PING[..],
            Notice::Start => START,
            Notice::Stop => STOP,
        };
        let body = Bytes::from_static(body);
        Message { options, timestamp: now.wall_ms(), id: MessageId::from_random(id), from, body }
    }
}

/// Tomcat: TcpFailureDetector. The byte bit is always set; the acknowledgement bit follows the read test, against what
/// the flag says.
pub(super) fn probe_options(flag: i32, read_test: bool) -> i32 {
    let acked = if read_test { flag | options::USE_ACK } else { flag & !options::USE_ACK };
    acked | options::BYTE_MESSAGE
}
