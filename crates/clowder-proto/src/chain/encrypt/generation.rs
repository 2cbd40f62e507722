//! Which of Tomcat's formats the members speak. Nothing on the wire tells.

use std::str::FromStr;

use super::Algorithm;

/// What a release of Tomcat puts into an encrypted body, and how it encrypts without being told.
///
/// Members of different generations do not understand each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    has_timestamp: bool,
    default_algorithm: Algorithm,
}

impl Generation {
    /// Tomcat 10.1.58, 9.0.121, 11.0.25, 12 and later: a time stamp inside, so that repeated messages are noticed; GCM.
    pub const CURRENT: Generation = Generation { has_timestamp: true, default_algorithm: Algorithm::AesGcm };
    /// Tomcat 10.1.56 and 10.1.57, 9.0.119 and 9.0.120, 11.0.23 and 11.0.24: the same, but CBC.
    const FIRST_WITH_TIMESTAMP: Generation = Generation { has_timestamp: true, default_algorithm: Algorithm::AesCbc };
    /// Releases before: no time stamp, so that a message can be sent again by anybody; CBC.
    const BARE: Generation = Generation { has_timestamp: false, default_algorithm: Algorithm::AesCbc };

    /// The time of sending is inside the encrypted part.
    pub fn has_timestamp(self) -> bool {
        self.has_timestamp
    }

    /// The algorithm of a Tomcat that is not told which.
    pub fn default_algorithm(self) -> Algorithm {
        self.default_algorithm
    }
}

impl Default for Generation {
    fn default() -> Self {
        Generation::CURRENT
    }
}

/// Why a text names no generation. The configuration is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerationError {
    /// It is no version of Tomcat, or not all of it.
    #[error("expected a whole version of Tomcat, such as 10.1.60")]
    Form,
    /// Its format was made once and never again.
    #[error("Tomcat 9.0.13 chains its messages to each other, as no other release does; update it")]
    Chained,
    /// It was not invented yet.
    #[error("this release of Tomcat has no EncryptInterceptor")]
    TooOld,
}

impl FromStr for Generation {
    type Err = GenerationError;

    /// A version such as `9.0.70`, `10.1.60` or `11.0.0-M4`, of the oldest member if they differ.
    fn from_str(text: &str) -> Result<Generation, GenerationError> {
        let [major, minor, patch] = version(text).ok_or(GenerationError::Form)?;
        // The first releases with a time stamp, and with GCM.
        let (stamped, gcm) = match (major, minor) {
            (..=7, _) | (8, ..=4) => return Err(GenerationError::TooOld),
            (8, _) if patch < 38 => return Err(GenerationError::TooOld),
            (9, 0) if patch < 13 => return Err(GenerationError::TooOld),
            (9, 0) if patch == 13 => return Err(GenerationError::Chained),
            (8, _) | (10, 0) => return Ok(Generation::BARE),
            (9, 0) => (119, 121),
            (10, 1) => (56, 58),
            (11, 0) => (23, 25),
            _ => return Ok(Generation::CURRENT),
        };
        Ok(match patch {
            _ if patch >= gcm => Generation::CURRENT,
            _ if patch >= stamped => Generation::FIRST_WITH_TIMESTAMP,
            _ => Generation::BARE,
        })
    }
}

/// Three numbers, the last with whatever suffix. From 12 on the first is enough: the format did not change since.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.trim().splitn(3, '.');
    let major: u32 = parts.next()?.parse().ok()?;
    let mut next = || parts.next().map(|part| part.split(['-', '.']).next().unwrap_or_default().parse().ok());
    match (next(), next()) {
        (Some(minor), Some(patch)) => Some([major, minor?, patch?]),
        (None, None) if major >= 12 => Some([major, 0, 0]),
        _ => None,
    }
}
