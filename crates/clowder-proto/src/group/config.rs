//! What a group is told at its start. Every value has Tomcat's default, or says why not.

use std::time::Duration;

use bytes::Bytes;

use super::ServiceConfig;
use crate::wire::{Limits, Member};

/// Settings of one [`Group`](super::Group).
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// Heartbeats, if they are used.
    pub heartbeats: Option<HeartbeatConfig>,
    /// Members that are configured and need no discovery. One with the endpoint of the local member is ignored, so
    /// that every node can have the same list.
    pub configured: Vec<Member>,
    /// Only members of this domain are seen; those of others are not even probed. A configured member counts as what
    /// its record here says, until its own messages say otherwise. Default none: members of every domain. Tomcat:
    /// `DomainFilterInterceptor.domain`.
    pub domain: Option<Bytes>,
    /// The static membership service, if it is used.
    pub service: Option<ServiceConfig>,
    /// How a member is found to be alive or dead.
    pub detector: DetectorConfig,
    /// Pings to the members, if they are sent. Default none.
    pub pings: Option<PingConfig>,
    /// Options of start and stop notices. Default 0, as Tomcat's `StaticMembershipInterceptor.optionFlag`.
    pub notice_flag: i32,
    /// A member that is in no list of discovered members any more leaves after this time, unless something else
    /// speaks for it. Default 5 s. Tomcat: `expirationTime` of `CloudMembershipService`.
    pub expiration_time: Duration,
    /// Most members and candidates that heartbeats, lists and the membership service can bring in; configured members
    /// come on top. Default 1024.
    pub members_max: usize,
    /// Bounds for records and frames in datagrams.
    pub limits: Limits,
    /// Seed of jitter and of message ids. Nothing secret depends on it.
    pub seed: u64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        GroupConfig {
            heartbeats: None,
            configured: Vec::new(),
            domain: None,
            service: None,
            detector: DetectorConfig::default(),
            pings: None,
            notice_flag: 0,
            expiration_time: Duration::from_millis(5000),
            members_max: 1024,
            limits: Limits::default(),
            seed: 0,
        }
    }
}

/// Heartbeats in datagrams. Tomcat: `McastService`.
#[derive(Clone, Debug)]
pub struct HeartbeatConfig {
    /// Period of our own heartbeats. Default 500 ms.
    pub frequency: Duration,
    /// Silence after which a member is suspected. Default 3 s.
    pub drop_time: Duration,
    /// Least time between two heartbeats of which one answers a newcomer. Default 50 ms.
    pub answer_min: Duration,
    /// Refuse a heartbeat whose datagram comes from another address than its record names. Default false: hosts with
    /// several addresses and address translation are common.
    pub check_source: bool,
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        HeartbeatConfig {
            frequency: Duration::from_millis(500),
            drop_time: Duration::from_millis(3000),
            answer_min: Duration::from_millis(50),
            check_source: false,
        }
    }
}

/// Pings: messages that mean nothing, so that a broken connection shows. Tomcat: `TcpPingInterceptor` without a
/// `TcpFailureDetector` below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingConfig {
    /// Their period. Tomcat: 1 s with a thread of its own, else 5 s.
    pub interval: Duration,
    /// Only to configured members.
    pub static_only: bool,
}

/// Probes over TCP. Tomcat: `TcpFailureDetector` and `TcpPingInterceptor`, under the same names where there are any.
#[derive(Clone, Debug)]
pub struct DetectorConfig {
    /// Time for a connection to be made. Default 1 s.
    pub connect_timeout: Duration,
    /// Write the probe message. Default true; false only opens a connection.
    pub perform_send_test: bool,
    /// Wait for the acknowledgement of the probe. Default false.
    ///
    /// Differs from Tomcat: a peer that announced itself as Clowder is always asked for it, which finds a process
    /// that hangs and whose kernel still accepts connections.
    /// Test: a_tomcat_is_probed_without_a_read_test_and_a_clowder_with_one.
    pub perform_read_test: bool,
    /// Time for the acknowledgement. Default 5 s.
    pub read_test_timeout: Duration,
    /// A suspect that keeps answering for so long is a plain member again; zero: never. Default 300 s.
    pub remove_suspects_timeout: Duration,
    /// Bits that a probe carries in addition, and must carry to be recognised. Default 0.
    pub option_flag: i32,
    /// All bits of a ping, which a ping must carry to be recognised. Default 0.
    pub ping_flag: i32,
    /// Period in which suspects are probed again. Default 5 s, Tomcat's channel heartbeat.
    pub suspect_interval: Duration,
    /// Period in which configured and listed members that no heartbeat vouches for are probed. Default 5 s.
    pub ping_interval: Duration,
    /// Probe every member in that period. Default false. Tomcat: `TcpPingInterceptor` above a `TcpFailureDetector`.
    pub ping_all: bool,
    /// So many probes in a row must be met by silence before a member is given up; an answer that it is not there
    /// counts at once. Default 3, which is 3.2 s with the default `connect_timeout`.
    pub silent_probes: u32,
    /// First pause before a candidate that did not answer is tried again; it doubles from there. Default 500 ms.
    pub retry_min: Duration,
    /// Longest pause between two tries. Default 5 s.
    pub retry_max: Duration,
    /// A node whose own timer is late by more than this accuses nobody for what it missed. Default 500 ms.
    pub lateness_max: Duration,
    /// Most probes at a time; members are probed before candidates. Default 64.
    pub probes_max: usize,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        DetectorConfig {
            connect_timeout: Duration::from_millis(1000),
            perform_send_test: true,
            perform_read_test: false,
            read_test_timeout: Duration::from_millis(5000),
            remove_suspects_timeout: Duration::from_secs(300),
            option_flag: 0,
            ping_flag: 0,
            suspect_interval: Duration::from_secs(5),
            ping_interval: Duration::from_secs(5),
            ping_all: false,
            silent_probes: 3,
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(5),
            lateness_max: Duration::from_millis(500),
            probes_max: 64,
        }
    }
}
