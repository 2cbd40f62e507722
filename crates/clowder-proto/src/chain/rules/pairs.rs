//! Rules about two layers, one above the other.

use super::ChainError;
use crate::chain::config::LayerConfig;
use crate::chain::{DetectorLayer, GzipConfig};
use crate::wire::options;

/// A confirmation of two-phase commit has so many bytes.
const CONFIRMATION: usize = 48;

/// The two in this order cannot work.
pub(super) fn refused(above: &LayerConfig, below: &LayerConfig) -> Result<(), ChainError> {
    let swap = || format!("put {} above {}", below.name(), above.name());
    let (why, instead) = match (above, below) {
        (LayerConfig::Detector(detector), below) if takes(below, probe_options(detector)) => (
            "the probes of other members pass no layer on their way out and would be read by this one on their way in",
            swap(),
        ),
        (LayerConfig::Fragment(_), LayerConfig::TwoPhase(_)) => (
            "all pieces of a message have one id, by which the pieces would be held, so that each replaces the one \
             before it",
            swap(),
        ),
        (LayerConfig::Gzip(upper), LayerConfig::Gzip(lower)) if upper.option_flag & lower.option_flag != 0 => (
            "both mark with the same bit what they compressed, so that what one left plain is not read",
            "have one of them".to_owned(),
        ),
        _ => return Ok(()),
    };
    Err(ChainError::Order { above: above.name(), below: below.name(), why, instead })
}

/// Options of a probe; the bit for an acknowledgement comes and goes.
fn probe_options(detector: &DetectorLayer) -> i32 {
    detector.option_flag | options::BYTE_MESSAGE | options::USE_ACK
}

/// The layer does something to a received message with these options that no layer did on the other side.
fn takes(layer: &LayerConfig, message: i32) -> bool {
    match layer {
        LayerConfig::Encrypt(_) | LayerConfig::Fragment(_) => true,
        LayerConfig::Order(config) => message & config.option_flag == config.option_flag,
        LayerConfig::TwoPhase(config) => message & config.option_flag == config.option_flag,
        LayerConfig::Gzip(config) => message & config.option_flag > 0,
        _ => false,
    }
}

/// It changes bodies, holds messages, or makes several of one.
fn works_on_messages(layer: &LayerConfig) -> bool {
    matches!(
        layer,
        LayerConfig::Encrypt(_)
            | LayerConfig::Fragment(_)
            | LayerConfig::Gzip(_)
            | LayerConfig::Order(_)
            | LayerConfig::TwoPhase(_)
    )
}

/// Why the two in this order work otherwise than one may think, and what would be better.
pub(super) fn doubtful(above: &LayerConfig, below: &LayerConfig) -> Vec<String> {
    let swap = format!("put {} above {}", below.name(), above.name());
    let mut texts = Vec::new();
    let mut warn = |why: &str, better: &str| {
        texts.push(format!("{} above {}: {why}; {better}", above.name(), below.name()));
    };
    if let Some(why) = work(above, below) {
        warn(why, &swap);
    }
    if let Some(why) = control(above, below) {
        warn(why, &swap);
    }
    if let (LayerConfig::TwoPhase(_), LayerConfig::Gzip(GzipConfig { compression_min_size, .. })) = (above, below)
        && *compression_min_size >= CONFIRMATION
    {
        let why = "a Tomcat with this chain marks confirmations as compressed that are not, and what they confirm is \
                   lost";
        warn(why, "set compressionMinSize to less than 48, or put gzip above two-phase");
    }
    if gives_up_first(above, below) {
        let why = "while order holds one half of a message, the other half is given up, although its sender was told that \
                   it is there";
        warn(why, "give the upper one a longer expire");
    }
    if shares_mark(above, below) || shares_mark(below, above) {
        let why = "gzip uses the bit as its mark: it takes it from messages that it leaves plain, and a Tomcat loses \
                   them";
        warn(why, "give each a bit of its own, such as 512, 1024, 2048");
    }
    if std::mem::discriminant(above) == std::mem::discriminant(below) && !matches!(above, LayerConfig::Custom(_)) {
        warn("it stands twice", "one is enough");
    }
    texts
}

/// Two layers that work on messages.
fn work(above: &LayerConfig, below: &LayerConfig) -> Option<&'static str> {
    Some(match (above, below) {
        (LayerConfig::Order(_), LayerConfig::Gzip(_) | LayerConfig::Fragment(_) | LayerConfig::Encrypt(_)) => {
            "a Tomcat with this chain garbles a message to several members for all but the first of them"
        }
        (LayerConfig::Fragment(_), LayerConfig::Gzip(_)) => "pieces are compressed one by one, which saves less",
        (LayerConfig::Encrypt(_), LayerConfig::Gzip(_)) => "what is encrypted cannot be compressed",
        (LayerConfig::Encrypt(_), LayerConfig::Fragment(_)) => {
            "anybody can send pieces, which take room before it shows that they are not genuine"
        }
        (LayerConfig::TwoPhase(_), LayerConfig::Dispatch(_)) => {
            "a Tomcat with this chain confirms asynchronous messages that were not sent yet"
        }
        (above, LayerConfig::Dispatch(_)) if works_on_messages(above) => {
            "a Tomcat with this chain does this work in the thread of the caller"
        }
        _ => return None,
    })
}

/// At least one of them is a place of the control plane.
fn control(above: &LayerConfig, below: &LayerConfig) -> Option<&'static str> {
    Some(match (above, below) {
        (LayerConfig::Static(layer), below) if takes(below, layer.option_flag) => {
            "the notices of configured members pass it, so that members with another order do not understand them"
        }
        (LayerConfig::Static(_), LayerConfig::Detector(_)) => {
            "a Tomcat with this chain takes configured members for alive without a probe"
        }
        (LayerConfig::Static(_), LayerConfig::Ping(_)) => "a Tomcat with this chain does not ping configured members",
        (LayerConfig::Detector(_), LayerConfig::Ping(_)) => {
            "a Tomcat with this chain sends pings, from which the detector learns nothing, and does not probe"
        }
        (LayerConfig::Detector(_), LayerConfig::Coordinator(_) | LayerConfig::SimpleCoordinator) => {
            "elections would count members that do not answer probes"
        }
        _ => return None,
    })
}

/// What waits in `above` for what `order` holds is given up before order gives it out.
fn gives_up_first(above: &LayerConfig, order: &LayerConfig) -> bool {
    let LayerConfig::Order(order) = order else { return false };
    match above {
        LayerConfig::TwoPhase(above) => above.expire <= order.expire,
        LayerConfig::Fragment(above) => above.expire <= order.expire,
        _ => false,
    }
}

/// `gzip` marks with a bit that `other` looks for.
fn shares_mark(gzip: &LayerConfig, other: &LayerConfig) -> bool {
    let LayerConfig::Gzip(gzip) = gzip else { return false };
    let looks = matches!(other, LayerConfig::Order(_) | LayerConfig::TwoPhase(_) | LayerConfig::Fragment(_));
    looks && gzip.option_flag & other.option_flag() != 0
}
