//! Settings of the order of messages.

use std::time::Duration;

use crate::chain::attribute::{AttributeError, parse_bool, parse_count, parse_int, parse_millis, unknown};

/// Settings of the layer. Tomcat's attributes are `expire`, `forwardExpired`, `maxQueue` and `optionFlag`; the other
/// bounds are Clowder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderConfig {
    /// How long a message waits for earlier ones. Default 3 s.
    pub expire: Duration,
    /// Deliver what waited too long; false: forget it. Default true.
    pub forward_expired: bool,
    /// Messages of one sender that wait; when there are so many, the missing ones are given up. At least 1. Default
    /// 1,024, where Tomcat has no bound.
    pub queue_max: usize,
    /// Only messages with all of these bits have an order. Default 0: every message.
    pub option_flag: i32,
    /// Bytes of one sender's messages that wait; as `queue_max`. Default 64 MiB.
    pub queue_bytes_max: usize,
    /// Bytes of the messages of all senders that wait; a message over it is rejected. Default 256 MiB.
    pub held_bytes_max: usize,
    /// Senders, and members sent to, whose numbers are known; the one that was silent longest is forgotten first.
    /// Default 1,024 of each.
    pub members_max: usize,
}

impl Default for OrderConfig {
    fn default() -> Self {
        OrderConfig {
            expire: Duration::from_secs(3),
            forward_expired: true,
            queue_max: 1_024,
            option_flag: 0,
            queue_bytes_max: 64 << 20,
            held_bytes_max: 256 << 20,
            members_max: 1_024,
        }
    }
}

impl OrderConfig {
    pub(in crate::chain) const NAME: &'static str = "order";
    pub(in crate::chain) const KNOWN: &'static [&'static str] = &["expire", "forwardExpired", "maxQueue", "optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "expire" => self.expire = parse_millis(Self::NAME, attribute, value)?,
            "forwardExpired" => self.forward_expired = parse_bool(Self::NAME, attribute, value)?,
            "maxQueue" => self.queue_max = parse_count(Self::NAME, attribute, value, 1)?,
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}
