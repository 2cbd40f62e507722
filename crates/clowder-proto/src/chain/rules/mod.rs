//! Which chains cannot work, and which are doubtful.
//!
//! Messages are values here, so that some faults of Tomcat do not exist: what order writes behind a body for one member
//! is not seen by another, and a confirmation does not take over what gzip did to its message. A Tomcat with the same
//! chain has them all the same, so that they are worth a warning.
//!
//! Differs from Tomcat: it looks at one order only, encryption below the failure detector; every other fault shows as
//! messages that are lost. Test: what_reads_a_probe_does_not_stand_below_the_detector.

mod pairs;
#[cfg(test)]
mod tests;

use super::config::{ChainConfig, LayerConfig};
use super::{EncryptError, FragmentConfig, GzipConfig};
use crate::wire::options;

/// A chain that cannot work. The configuration is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Two layers in an order that cannot work.
    #[error("{above} above {below} cannot work: {why}; {instead}")]
    Order {
        /// The layer nearer to the application.
        above: &'static str,
        /// The layer nearer to the wire.
        below: &'static str,
        /// What would happen.
        why: &'static str,
        /// What works.
        instead: String,
    },
    /// With `option_check`: the flag of one layer contains that of another.
    #[error(
        "the option flags of {first} ({first_flag}) and {second} ({second_flag}) contain one another, so that a message \
         for one of them is one for the other: give each a bit of its own, such as 512, 1024, 2048"
    )]
    Flags {
        /// The layer nearer to the application.
        first: &'static str,
        /// Its flag.
        first_flag: i32,
        /// The other one; `channel` for the bits that messages use themselves.
        second: &'static str,
        /// Its flag.
        second_flag: i32,
    },
    /// A layer with a setting that cannot work.
    #[error("{layer}: {attribute} = {value}: {why}")]
    Setting {
        /// The layer.
        layer: &'static str,
        /// Tomcat's name of the setting.
        attribute: &'static str,
        /// As configured.
        value: i64,
        /// What would happen, and what works.
        why: &'static str,
    },
    /// The settings of encryption cannot work.
    #[error("encrypt cannot work as configured")]
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

/// Tomcat: the coordinator at the bottom of every channel has this flag.
const CHANNEL: (&str, i32) = ("channel", options::BYTE_MESSAGE | options::USE_ACK | options::SYNCHRONIZED_ACK);
/// Bits that have a meaning of their own.
const RESERVED: i32 = 0x7f;

pub(super) fn check(config: &ChainConfig) -> Result<Vec<Warning>, ChainError> {
    config.layers.iter().try_for_each(setting)?;
    if config.option_check {
        flags(config)?;
    }
    let mut warnings = Vec::new();
    for (index, above) in config.layers.iter().enumerate() {
        for below in &config.layers[index + 1..] {
            pairs::refused(above, below)?;
            warnings.extend(pairs::doubtful(above, below).into_iter().map(|text| Warning { text }));
        }
    }
    warnings.extend(unprobed(config));
    Ok(warnings)
}

/// What [`LayerConfig::set`] refuses, and a configuration made without it can have.
fn setting(layer: &LayerConfig) -> Result<(), ChainError> {
    match layer {
        LayerConfig::Fragment(FragmentConfig { max_size: 0, .. }) => Err(ChainError::Setting {
            layer: FragmentConfig::NAME,
            attribute: "maxSize",
            value: 0,
            why: "a piece holds at least one byte",
        }),
        LayerConfig::Gzip(GzipConfig { option_flag, .. }) if *option_flag <= 0 || option_flag & RESERVED != 0 => {
            Err(ChainError::Setting {
                layer: GzipConfig::NAME,
                attribute: "optionFlag",
                value: i64::from(*option_flag),
                why: "the bits that mark a compressed body must be positive and none of the lower seven, which mean \
                      something else: receivers would not decompress, or decompress what is plain; 256 is the default",
            })
        }
        _ => Ok(()),
    }
}

/// Tomcat: `optionCheck`.
fn flags(config: &ChainConfig) -> Result<(), ChainError> {
    let layers = config.layers.iter().map(|layer| (layer.name(), layer.option_flag()));
    let flags: Vec<(&'static str, i32)> = layers.chain([CHANNEL]).filter(|(_, flag)| *flag != 0).collect();
    for (index, &(first, first_flag)) in flags.iter().enumerate() {
        for &(second, second_flag) in &flags[index + 1..] {
            let common = first_flag & second_flag;
            if common == first_flag || common == second_flag {
                return Err(ChainError::Flags { first, first_flag, second, second_flag });
            }
        }
    }
    Ok(())
}

fn unprobed(config: &ChainConfig) -> Option<Warning> {
    let has = |wanted: fn(&LayerConfig) -> bool| config.layers.iter().any(wanted);
    let is_static = |layer: &LayerConfig| matches!(layer, LayerConfig::Static(_));
    let is_detector = |layer: &LayerConfig| matches!(layer, LayerConfig::Detector(_));
    (has(is_static) && !has(is_detector)).then(|| Warning {
        text: "static without failure-detector: a Tomcat with this chain takes configured members for alive until it \
               is told otherwise; put failure-detector above static"
            .to_owned(),
    })
}
