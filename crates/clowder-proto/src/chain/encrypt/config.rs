//! Settings of the layer.

use std::time::Duration;

use super::super::attribute::{AttributeError, bad, parse_count, parse_int, parse_millis, unknown};
use super::{Algorithm, Generation, Key, KeyError, KeyRing};

/// Settings of the layer, under the names of Tomcat's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptConfig {
    /// Default none: that of the generation. Tomcat: `encryptionAlgorithm`.
    pub algorithm: Option<Algorithm>,
    /// The secrets that all members share. Tomcat: `encryptionKey`. Default none, with which nothing can be built.
    pub keys: KeyRing,
    /// How far the time stamp of a message may be from the clock, in whole milliseconds, at least one. Clocks of all
    /// members must agree that far, and a message must not wait longer before it is sent. Default 10 s.
    pub replay_window_time: Duration,
    /// Messages remembered to recognise repeated ones, at least one. Each takes about 50 bytes, when it is needed: more
    /// than 8,192 are kept only as long as they are within the window. With AES-GCM those that a Clowder node sends in
    /// one millisecond share such a place, up to 64 of them. Default 262,144.
    pub replay_window_message_count: usize,
    /// The format that all members speak. Default: that of current releases of Tomcat.
    pub generation: Generation,
    /// Carried for the check of flags only. Default 0.
    pub option_flag: i32,
}

impl Default for EncryptConfig {
    /// Differs from Tomcat: it remembers 8,192 messages. Above 800 a second it drops messages that come later than
    /// later ones, by less the more there are, and tells their senders that all is well.
    /// Test: by_default_a_burst_of_one_millisecond_is_accepted_whole.
    fn default() -> Self {
        EncryptConfig {
            algorithm: None,
            keys: KeyRing::default(),
            replay_window_time: Duration::from_secs(10),
            replay_window_message_count: 262_144,
            generation: Generation::CURRENT,
            option_flag: 0,
        }
    }
}

/// What an error shows where a key was configured.
const HIDDEN: &str = "(not shown)";

impl EncryptConfig {
    pub(in super::super) const NAME: &'static str = "encrypt";
    pub(in super::super) const KNOWN: &'static [&'static str] = &[
        "encryptionAlgorithm",
        "encryptionKey",
        "acceptedKeys",
        "providerName",
        "replayWindowTime",
        "replayWindowMessageCount",
        "generation",
        "optionFlag",
    ];

    /// The algorithm in use.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(self.generation.default_algorithm())
    }

    /// Set one of Tomcat's attributes, or `acceptedKeys` (keys with commas between), or `generation` (a version of
    /// Tomcat).
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value. A key is not repeated in the error.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        let refuse = |reason: String| bad(Self::NAME, attribute, value, reason);
        let hide = |error: KeyError| bad(Self::NAME, attribute, HIDDEN, error.to_string());
        match attribute {
            "encryptionAlgorithm" => {
                self.algorithm = Some(value.parse().map_err(|error: super::AlgorithmError| refuse(error.to_string()))?);
            }
            // Tomcat has a second name for it.
            "encryptionKey" | "encryptionKeyString" => self.keys.sending = Some(value.parse().map_err(hide)?),
            "acceptedKeys" => {
                let keys = value.split(',').filter(|key| !key.trim().is_empty());
                self.keys.accepted = keys.map(|key| key.parse::<Key>().map_err(hide)).collect::<Result<_, _>>()?;
            }
            // The name of a Java provider means nothing here.
            "providerName" => {}
            "replayWindowTime" => {
                let time = parse_millis(Self::NAME, attribute, value)?;
                if time.is_zero() {
                    return Err(refuse("must be at least 1 millisecond".to_owned()));
                }
                self.replay_window_time = time;
            }
            "replayWindowMessageCount" => {
                self.replay_window_message_count = parse_count(Self::NAME, attribute, value, 1)?;
            }
            "generation" => {
                self.generation = value.parse().map_err(|error: super::GenerationError| refuse(error.to_string()))?;
            }
            "optionFlag" => self.option_flag = parse_int(Self::NAME, attribute, value)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}
