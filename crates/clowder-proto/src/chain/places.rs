//! Settings of the places of the control plane, under the names of Tomcat's attributes. The machines behind them are
//! the channel's and the [`group`](crate::group)'s.

use std::time::Duration;

use super::attribute::{AttributeError, parse_bool, parse_count, parse_int, parse_millis, unknown};
use crate::group::DetectorConfig;
use crate::wire::Member;

/// Asynchronous sending. Tomcat: `MessageDispatchInterceptor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchConfig {
    /// Default 8. Carried for the check of flags only: asynchronous messages are those with bit 8.
    pub option_flag: i32,
    /// Bytes of bodies that wait to be sent. Default 64 MiB.
    pub queue_bytes_max: usize,
    /// What does not fit is sent by the caller; false: it is refused. Default true.
    pub always_send: bool,
    /// Accepted without effect: messages are values. Default true.
    pub use_deep_clone: bool,
    /// Accepted without effect: there are no sending threads. Default 10.
    pub max_threads: usize,
    /// Accepted without effect. Default 2.
    pub max_spare_threads: usize,
    /// Accepted without effect. Default 5 s.
    pub keep_alive_time: Duration,
}

impl Default for DispatchConfig {
    fn default() -> Self {
        DispatchConfig {
            option_flag: 8,
            queue_bytes_max: 64 << 20,
            always_send: true,
            use_deep_clone: true,
            max_threads: 10,
            max_spare_threads: 2,
            keep_alive_time: Duration::from_secs(5),
        }
    }
}

impl DispatchConfig {
    pub(super) const NAME: &'static str = "dispatch";
    pub(super) const KNOWN: &'static [&'static str] =
        &["optionFlag", "maxQueueSize", "alwaysSend", "useDeepClone", "maxThreads", "maxSpareThreads", "keepAliveTime"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            "maxQueueSize" => self.queue_bytes_max = parse_count(Self::NAME, attribute, value, 0)?,
            "alwaysSend" => self.always_send = parse_bool(Self::NAME, attribute, value)?,
            "useDeepClone" => self.use_deep_clone = parse_bool(Self::NAME, attribute, value)?,
            "maxThreads" => self.max_threads = parse_count(Self::NAME, attribute, value, 1)?,
            "maxSpareThreads" => self.max_spare_threads = parse_count(Self::NAME, attribute, value, 0)?,
            "keepAliveTime" => self.keep_alive_time = parse_millis(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}

/// Probes. Tomcat: `TcpFailureDetector`; what each value means is told at [`DetectorConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorLayer {
    /// Default 0.
    pub option_flag: i32,
    /// Default 1 s.
    pub connect_timeout: Duration,
    /// Default true.
    pub perform_send_test: bool,
    /// Default false.
    pub perform_read_test: bool,
    /// Default 5 s.
    pub read_test_timeout: Duration,
    /// Default 300 s; zero: never. The only one of Tomcat's attributes that is in seconds.
    pub remove_suspects_timeout: Duration,
}

impl Default for DetectorLayer {
    fn default() -> Self {
        let detector = DetectorConfig::default();
        DetectorLayer {
            option_flag: detector.option_flag,
            connect_timeout: detector.connect_timeout,
            perform_send_test: detector.perform_send_test,
            perform_read_test: detector.perform_read_test,
            read_test_timeout: detector.read_test_timeout,
            remove_suspects_timeout: detector.remove_suspects_timeout,
        }
    }
}

impl DetectorLayer {
    pub(super) const NAME: &'static str = "failure-detector";
    pub(super) const KNOWN: &'static [&'static str] = &[
        "optionFlag",
        "connectTimeout",
        "performSendTest",
        "performReadTest",
        "readTestTimeout",
        "removeSuspectsTimeout",
    ];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            "connectTimeout" => self.connect_timeout = parse_millis(Self::NAME, attribute, value)?,
            "performSendTest" => self.perform_send_test = parse_bool(Self::NAME, attribute, value)?,
            "performReadTest" => self.perform_read_test = parse_bool(Self::NAME, attribute, value)?,
            "readTestTimeout" => self.read_test_timeout = parse_millis(Self::NAME, attribute, value)?,
            "removeSuspectsTimeout" => {
                let seconds: i32 = parse_int(Self::NAME, attribute, value)?;
                self.remove_suspects_timeout = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            }
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }

    /// Hand the settings to the machine that probes.
    pub fn apply_to(&self, detector: &mut DetectorConfig) {
        detector.option_flag = self.option_flag;
        detector.connect_timeout = self.connect_timeout;
        detector.perform_send_test = self.perform_send_test;
        detector.perform_read_test = self.perform_read_test;
        detector.read_test_timeout = self.read_test_timeout;
        detector.remove_suspects_timeout = self.remove_suspects_timeout;
    }
}

/// Regular looks at all members. Tomcat: `TcpPingInterceptor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingLayer {
    /// Bits that a ping carries, all of them. Default 0.
    pub option_flag: i32,
    /// Period, with `use_thread`. Default 1 s.
    pub interval: Duration,
    /// Ping in the period of `interval`, else with the channel's heartbeat. Default false.
    pub use_thread: bool,
    /// Only configured members, where no failure detector stands below. Default false.
    pub static_only: bool,
}

impl Default for PingLayer {
    fn default() -> Self {
        PingLayer { option_flag: 0, interval: Duration::from_secs(1), use_thread: false, static_only: false }
    }
}

impl PingLayer {
    pub(super) const NAME: &'static str = "ping";
    pub(super) const KNOWN: &'static [&'static str] = &["optionFlag", "interval", "useThread", "staticOnly"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            "interval" => self.interval = parse_millis(Self::NAME, attribute, value)?,
            "useThread" => self.use_thread = parse_bool(Self::NAME, attribute, value)?,
            "staticOnly" => self.static_only = parse_bool(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}

/// Configured members. Tomcat: `StaticMembershipInterceptor`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticLayer {
    /// Options of start and stop notices, all of them. Default 0.
    pub option_flag: i32,
    /// The members. Tomcat: the elements `Member`. Default none.
    pub members: Vec<Member>,
}

impl StaticLayer {
    pub(super) const NAME: &'static str = "static";
    pub(super) const KNOWN: &'static [&'static str] = &["optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}

/// Election of a coordinator. Tomcat: `NonBlockingCoordinator`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoordinatorLayer {
    /// Carried for the check of flags only. Default 0.
    pub option_flag: i32,
}

impl CoordinatorLayer {
    pub(super) const NAME: &'static str = "coordinator";
    pub(super) const KNOWN: &'static [&'static str] = &["optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}
