//! Counts messages and bytes. Tomcat: `ThroughputInterceptor`.

use super::attribute::{AttributeError, parse_count, parse_int, unknown};

/// Settings of the layer, under the names of Tomcat's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThroughputConfig {
    /// Messages between two reports; 0: none. Default 10,000.
    pub interval: usize,
    /// Carried for the check of flags only. Default 0.
    pub option_flag: i32,
}

impl Default for ThroughputConfig {
    fn default() -> Self {
        ThroughputConfig { interval: 10_000, option_flag: 0 }
    }
}

impl ThroughputConfig {
    pub(super) const NAME: &'static str = "throughput";
    pub(super) const KNOWN: &'static [&'static str] = &["interval", "optionFlag"];

    /// Set one of Tomcat's attributes.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "interval" => self.interval = parse_count(Self::NAME, attribute, value, 0)?,
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}
