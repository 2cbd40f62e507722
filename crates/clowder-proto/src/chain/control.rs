//! Places of the control plane in a chain.

use crate::election::is_coordination;
use crate::group::{DetectorConfig, Notice};
use crate::wire::Message;

/// Whose messages enter and leave the chain at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// Tomcat: `MessageDispatchInterceptor`. Has no messages of its own: asynchronous sending is the channel's.
    Dispatch,
    /// Tomcat: `TcpFailureDetector`. Its probes pass no layer on their way out, and those below it on their way in.
    Detector,
    /// Tomcat: `TcpPingInterceptor`.
    Ping,
    /// Tomcat: `StaticMembershipInterceptor`.
    Static,
    /// Tomcat: `SimpleCoordinator` and `NonBlockingCoordinator`.
    Coordinator,
}

impl Control {
    /// The message belongs to this place and goes no further up.
    pub fn claims(self, message: &Message) -> bool {
        // Option flags are looked at by who acts on the message.
        let notice = || Notice::of(message, &DetectorConfig { option_flag: 0, ping_flag: 0, ..Default::default() });
        match self {
            Control::Dispatch => false,
            Control::Detector => notice() == Some(Notice::Probe),
            Control::Ping => notice() == Some(Notice::Ping),
            Control::Static => matches!(notice(), Some(Notice::Start | Notice::Stop)),
            Control::Coordinator => is_coordination(&message.body),
        }
    }
}
