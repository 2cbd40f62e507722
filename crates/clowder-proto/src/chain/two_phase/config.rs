//! Settings of two-phase commit.

use std::time::Duration;

use crate::chain::attribute::{AttributeError, parse_bool, parse_int, parse_millis, unknown};

/// Settings of the layer. Tomcat's attributes are `expire`, `deepclone` and `optionFlag`; the bounds are Clowder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoPhaseConfig {
    /// How long a message waits for its confirmation, and a confirmation for its message. Default 60 s.
    pub expire: Duration,
    /// Accepted without effect: messages are values. Default true.
    ///
    /// Differs from Tomcat: with false, nothing is ever delivered there.
    /// Test: a_confirmation_names_its_message_whatever_deepclone_says.
    pub deepclone: bool,
    /// Only messages with all of these bits are confirmed. Default 0: every message.
    pub option_flag: i32,
    /// Messages that wait, of all senders; one more is rejected. As many confirmations wait for their messages; the
    /// oldest is forgotten first. Default 8,192 of each.
    pub messages_max: usize,
    /// Their bytes. Default 256 MiB.
    pub held_bytes_max: usize,
}

impl Default for TwoPhaseConfig {
    fn default() -> Self {
        TwoPhaseConfig {
            expire: Duration::from_secs(60),
            deepclone: true,
            option_flag: 0,
            messages_max: 8_192,
            held_bytes_max: 256 << 20,
        }
    }
}

impl TwoPhaseConfig {
    pub(in crate::chain) const NAME: &'static str = "two-phase";
    pub(in crate::chain) const KNOWN: &'static [&'static str] = &["expire", "deepclone", "optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "expire" => self.expire = parse_millis(Self::NAME, attribute, value)?,
            "deepclone" => self.deepclone = parse_bool(Self::NAME, attribute, value)?,
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}
