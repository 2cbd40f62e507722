//! Bodies compressed. Tomcat: `GzipInterceptor`.
//!
//! The sender decides by the length of a body and marks what it compressed with a bit of the options; the receiver
//! looks at the bit. All members must agree on the bit, and on nothing else. Tomcats up to 8.5 know no bit: they
//! compress everything and decompress everything.
//!
//! Invariant: the bit leaves this node on compressed bodies only.

mod stats;
mod stream;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use self::stats::{Stats, Way};
use self::stream::{Codec, Fault};
use super::attribute::{AttributeError, bad, parse_bool, parse_count, parse_int, unknown};
use super::{Above, Arrival, Below, Body, Context, Flow, Interceptor, Parcel, Refusal, Rejection};
use crate::Now;
use crate::wire::{Ack, Limits};

/// Bits with a meaning of their own: never cleared, whatever the flag.
const RESERVED: i32 = 0x7f;

/// Settings of the layer, under the names of Tomcat's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GzipConfig {
    /// The bits that mark a compressed body; positive. Default 256.
    pub option_flag: i32,
    /// Bodies that are longer are compressed, in bytes. Default 0: all but empty ones.
    pub compression_min_size: usize,
    /// Count more than messages. Default false.
    pub stats_enabled: bool,
    /// Messages between two reports, with `stats_enabled`; 0: none. Default 0.
    pub interval: u64,
    /// Bytes of a received body after decompression; a larger one is rejected. Default 64 MiB, as much as a frame.
    pub inflated_bytes_max: usize,
}

impl Default for GzipConfig {
    fn default() -> Self {
        GzipConfig {
            option_flag: 256,
            compression_min_size: 0,
            stats_enabled: false,
            interval: 0,
            inflated_bytes_max: Limits::default().frame_bytes_max,
        }
    }
}

impl GzipConfig {
    pub(super) const NAME: &'static str = "gzip";
    pub(super) const KNOWN: &'static [&'static str] =
        &["optionFlag", "compressionMinSize", "statsEnabled", "interval", "inflatedBytesMax"];

    /// Set one of Tomcat's attributes, or `inflatedBytesMax`.
    ///
    /// Differs from Tomcat: an option flag of zero or below is refused; there it compresses what no receiver
    /// decompresses. Test: a_flag_that_no_receiver_sees_is_refused.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match attribute {
            "optionFlag" => {
                let flag: i32 = parse_int(Self::NAME, attribute, value)?;
                let reason = "must be positive: no receiver sees such a flag, and what is compressed stays so";
                self.option_flag =
                    Some(flag).filter(|flag| *flag > 0).ok_or_else(|| bad(Self::NAME, attribute, value, reason))?;
            }
            "compressionMinSize" => self.compression_min_size = parse_count(Self::NAME, attribute, value, 0)?,
            "statsEnabled" => self.stats_enabled = parse_bool(Self::NAME, attribute, value)?,
            // Tomcat: everything below 1 means no report.
            "interval" => {
                let interval: i32 = parse_int(Self::NAME, attribute, value)?;
                self.interval = u64::try_from(interval).unwrap_or(0);
            }
            "inflatedBytesMax" => self.inflated_bytes_max = parse_count(Self::NAME, attribute, value, 1)?,
            _ => return Err(unknown(Self::NAME, attribute, Self::KNOWN)),
        }
        Ok(())
    }
}

/// The layer.
#[derive(Debug)]
pub struct Gzip {
    option_flag: i32,
    min_size: usize,
    inflated_bytes_max: usize,
    codec: Codec,
    stats: Stats,
}

impl Gzip {
    /// Compresses as configured.
    pub fn new(config: &GzipConfig) -> Gzip {
        Gzip {
            option_flag: config.option_flag,
            min_size: config.compression_min_size,
            inflated_bytes_max: config.inflated_bytes_max,
            codec: Codec::default(),
            stats: Stats::new(config.stats_enabled, config.interval),
        }
    }

    fn reject(&self, fault: Fault) -> Rejection {
        let (kind, answer) = match fault {
            // Tomcat: logs it and drops it, so that the sender is told that all is well.
            Fault::NotGzip => ("not_gzip", Ack::Ok),
            Fault::Damaged => ("damaged", Ack::Ok),
            // Differs from Tomcat: it has no bound, so that a small message can fill the heap.
            // Test: a_body_that_grows_over_the_limit_is_rejected.
            Fault::TooLarge => ("too_large", Ack::Failed),
        };
        Rejection { interceptor: self.name(), kind, answer }
    }
}

impl Interceptor for Gzip {
    fn name(&self) -> &'static str {
        GzipConfig::NAME
    }

    /// Differs from Tomcat: a bit that the application, or a layer above, has set for itself is cleared where the body
    /// stays plain; there the receiver tries to decompress the body, and drops it.
    /// Test: a_flag_set_before_is_cleared_where_the_body_stays_plain.
    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refusal> {
        let draft = &mut parcel.draft;
        let length = draft.body.len();
        let mut compressed = None;
        if length > self.min_size {
            let plain = std::mem::take(&mut draft.body).into_bytes();
            let stream = self.codec.compress(&plain);
            compressed = stream.as_ref().map(Bytes::len);
            draft.body = Body::from(stream.unwrap_or(plain));
        }
        match compressed {
            Some(_) => draft.options |= self.option_flag,
            None => draft.options &= !(self.option_flag & !RESERVED),
        }
        self.stats.body(Way::Tx, length, compressed);
        below.pass(cx, parcel)?;
        self.stats.passed();
        Ok(Flow::Taken)
    }

    /// Any common bit is enough. The bit stays on the way up, as in Tomcat.
    fn inbound(&self, _: &mut Context<'_>, arrival: &mut Arrival, _: &mut Above<'_>) -> Result<Flow, Rejection> {
        self.stats.passed();
        let message = &mut arrival.message;
        let wire_len = message.body.len();
        let is_compressed = message.options & self.option_flag > 0;
        if is_compressed {
            let plain = self.codec.decompress(&message.body, self.inflated_bytes_max);
            message.body = plain.map_err(|fault| self.reject(fault))?;
        }
        self.stats.body(Way::Rx, message.body.len(), is_compressed.then_some(wire_len));
        Ok(Flow::Pass)
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.stats.counters()
    }

    fn report(&self, _now: Now) -> Option<String> {
        self.stats.report()
    }
}
