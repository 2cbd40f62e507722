//! Bodies as an interceptor of Tomcat leaves them: what it added, and the body inside.
//!
//! Each is opened by the very layer that receives such messages. Which interceptors a body went through, nothing on the
//! wire tells: whoever decodes goes from the wire to the application, one kind after the other.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::chain::{
    Body, Chain, ChainConfig, Context, Draft, Encrypt, EncryptConfig, GzipConfig, Layer, LayerConfig, Sink, TwoPhase,
};
use clowder_proto::wire::{Member, Message, MessageId};
use serde_json::json;

use super::{Decoded, Malformed};
use crate::cli::DecodeKey;

/// Behind a piece: its number, the count of pieces, and a byte.
const PIECE: usize = 9;
/// Behind a numbered message.
const NUMBER: usize = 4;
/// In front of an encrypted body.
const TIMESTAMP: usize = 8;
/// A release whose encrypted bodies have no time stamp.
const BARE: &str = "9.0.70";

/// A body of the fragmentation interceptor.
pub(super) fn fragment(bytes: &Bytes) -> Result<Decoded, Malformed> {
    received(LayerConfig::Fragment(Default::default()), 0, bytes)?;
    let again = bytes.to_vec();
    if bytes.last() == Some(&0) {
        let message = &bytes[..bytes.len() - 1];
        return Ok(Decoded { json: json!({ "whole": true, "message": hex::encode(message) }), again });
    }
    let at = bytes.len() - PIECE;
    let number = |at: usize| i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let json = json!({
        "whole": false,
        "piece": number(at),
        "pieces": number(at + 4),
        "data": hex::encode(&bytes[..at]),
    });
    Ok(Decoded { json, again })
}

/// A body of the order interceptor.
pub(super) fn order(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let Some((message, number)) = bytes.split_last_chunk::<NUMBER>() else {
        return Err(Malformed::new("no number behind the body: fewer than 4 bytes", bytes.len()));
    };
    let json = json!({ "number": i32::from_be_bytes(*number), "message": hex::encode(message) });
    Ok(Decoded { json, again: [message, number].concat() })
}

/// A body of the two-phase commit interceptor.
pub(super) fn two_phase(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let json = match TwoPhase::confirmed(&message(0, bytes)) {
        Some(id) => json!({ "confirms": hex::encode(&id.0) }),
        None => json!({ "message": hex::encode(bytes) }),
    };
    Ok(Decoded { json, again: bytes.to_vec() })
}

/// A body that the gzip interceptor compressed.
pub(super) fn gzip(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let config = GzipConfig::default();
    let flag = config.option_flag;
    let plain = received(LayerConfig::Gzip(config), flag, bytes)?.body;
    let json = json!({ "compressed": bytes.len(), "length": plain.len(), "message": hex::encode(&plain) });
    // One body has many compressed forms; that of Java is not made anew.
    Ok(Decoded { json, again: bytes.to_vec() })
}

/// A body of the encryption interceptor.
pub(super) fn encrypt(bytes: &Bytes, given: &DecodeKey) -> Result<Decoded, Malformed> {
    let generation = given.generation.unwrap_or_default();
    let algorithm = given.algorithm.unwrap_or(generation.default_algorithm());
    let mut config = EncryptConfig { algorithm: Some(algorithm), ..EncryptConfig::default() };
    config.keys.sending.clone_from(&given.key);
    // A format without a look at the clock; the time stamp is then the beginning of what is inside.
    config.generation = BARE.parse().map_err(|error| Malformed::new(error, 0))?;
    let (layer, _) = Encrypt::new(&config).map_err(|error| Malformed::new(format!("--key: {error}"), 0))?;
    let chain = Chain::new(vec![Layer::Interceptor(Arc::new(layer))]);
    let inside = up(&chain, message(0, bytes))?.body;
    let iv = bytes.slice(..algorithm.iv_len().min(bytes.len()));
    let again = sealed(&chain, &iv, &inside)?;
    let (timestamp, body) = match inside.split_first_chunk::<TIMESTAMP>() {
        _ if !generation.has_timestamp() => (None, &inside[..]),
        Some((time, body)) => (Some(i64::from_be_bytes(*time)), body),
        None => return Err(Malformed::new("opened, but no time stamp inside; an older --generation?", iv.len())),
    };
    let json = json!({
        "algorithm": algorithm.to_string(),
        "iv": hex::encode(&iv),
        "timestamp": timestamp,
        "message": hex::encode(body),
    });
    Ok(Decoded { json, again })
}

/// What a layer alone makes of a body.
fn received(layer: LayerConfig, options: i32, body: &Bytes) -> Result<Message, Malformed> {
    let config = ChainConfig { layers: vec![layer], option_check: false };
    let (chain, _) = config.build().map_err(|error| Malformed::new(error, 0))?;
    up(&chain, message(options, body))
}

/// What a chain delivers; the message itself if the chain waits for more.
fn up(chain: &Chain, message: Message) -> Result<Message, Malformed> {
    let mut sink = Sink::default();
    let mut cx = Context { now: now(), random: &mut |bytes: &mut [u8]| bytes.fill(0) };
    chain.inbound(&mut cx, message.clone(), &mut sink);
    match sink.rejections.first() {
        Some((_, _, rejection)) => Err(Malformed::new(rejection, 0)),
        None => Ok(sink.arrivals.pop().map_or(message, |arrival| arrival.message)),
    }
}

fn message(options: i32, body: &Bytes) -> Message {
    let id = MessageId([0; 16].into());
    Message { options, timestamp: 0, id, from: sender(), body: body.clone() }
}

/// Whoever it was: no layer here cares.
fn sender() -> Member {
    Member::new(([127, 0, 0, 1], 1).into(), [0; 16])
}

fn now() -> Now {
    Now { mono: Instant::now(), wall: SystemTime::now() }
}

/// The same again, with the same IV.
fn sealed(chain: &Chain, iv: &Bytes, inside: &Bytes) -> Result<Vec<u8>, Malformed> {
    let mut given = iv.iter().copied().cycle();
    let mut random = |bytes: &mut [u8]| bytes.iter_mut().zip(&mut given).for_each(|(byte, given)| *byte = given);
    let mut cx = Context { now: now(), random: &mut random };
    let draft = Draft { options: 0, timestamp: 0, id: [0; 16], body: Body::from(inside.clone()) };
    let plan = chain.outbound(None, &mut cx, draft, &[sender().id]).map_err(|refusal| Malformed::new(refusal, 0))?;
    Ok(plan.parcels.into_iter().flat_map(|parcel| parcel.draft.body.into_bytes()).collect())
}
