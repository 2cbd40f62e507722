//! Settings of fragmentation.

use std::time::Duration;

use crate::chain::attribute::{AttributeError, parse_count, parse_int, parse_millis, unknown};

/// Settings of the layer. Tomcat's attributes are `maxSize`, `expire` and `optionFlag`; the bounds are Clowder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentConfig {
    /// Bytes of the body in one piece; larger bodies are cut. At least 1. Default 102,400.
    pub max_size: usize,
    /// How long an incomplete message is kept after its first piece. Default 60 s.
    pub expire: Duration,
    /// Only messages with all of these bits are cut. Default 0: every message.
    pub option_flag: i32,
    /// Bytes of one joined message. Default 64 MiB, as of one frame.
    pub message_bytes_max: usize,
    /// Pieces that one message can be announced to have. Default 65,536.
    pub pieces_max: usize,
    /// Incomplete messages, of all senders. Default 1,024.
    pub messages_max: usize,
    /// Bytes of all incomplete messages. Default 256 MiB.
    pub held_bytes_max: usize,
}

impl Default for FragmentConfig {
    fn default() -> Self {
        FragmentConfig {
            max_size: 102_400,
            expire: Duration::from_secs(60),
            option_flag: 0,
            message_bytes_max: 64 << 20,
            pieces_max: 65_536,
            messages_max: 1_024,
            held_bytes_max: 256 << 20,
        }
    }
}

impl FragmentConfig {
    pub(in crate::chain) const NAME: &'static str = "fragment";
    pub(in crate::chain) const KNOWN: &'static [&'static str] = &["maxSize", "expire", "optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// Differs from Tomcat: a `maxSize` below 1 is refused; there the first send fails.
    /// Test: a_piece_holds_at_least_one_byte.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "maxSize" => self.max_size = parse_count(Self::NAME, attribute, value, 1)?,
            "expire" => self.expire = parse_millis(Self::NAME, attribute, value)?,
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_holds_at_least_one_byte() {
        let mut config = FragmentConfig::default();
        assert!(config.set("maxSize", "0").is_err() && config.set("maxSize", "-5").is_err());
        config.set("maxSize", "1").unwrap();
        assert_eq!(config.max_size, 1);
    }
}
