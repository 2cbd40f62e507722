//! Which chains cannot work, and which are doubtful.

use super::EncryptError;
use super::config::ChainConfig;

/// A chain that cannot work. The configuration is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The layer is not there yet.
    #[error("{layer} is not built")]
    NotBuilt {
        /// Its name.
        layer: &'static str,
    },
    /// The settings of encryption cannot work.
    #[error("encrypt: {0}")]
    Encrypt(#[from] EncryptError),
}

/// A chain that works, and not as one may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is doubtful, why, and what to do about it.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

pub(super) fn check(_config: &ChainConfig) -> Result<Vec<Warning>, ChainError> {
    Ok(Vec::new())
}
