//! Frames: what travels on a connection, in either direction.

use bytes::Bytes;
use clowder_proto::wire::{Ack, FrameDecoder, encode_frame};
use serde_json::{Value, json};

use super::{Decoded, Malformed, data, limits};

/// Start marker and length, in front of a content.
const HEADER: usize = 11;

/// All complete frames; bytes of an incomplete one are counted as left over.
pub(super) fn decode(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let mut frames = FrameDecoder::new(&limits(bytes));
    frames.buffer().extend_from_slice(bytes);
    let mut shown: Vec<Value> = Vec::new();
    let mut again: Vec<u8> = Vec::new();
    loop {
        let at = bytes.len() - frames.pending();
        let content = match frames.next() {
            Ok(Some(content)) => content,
            Ok(None) => break,
            Err(error) => {
                let malformed = Malformed::wire(&error, 0);
                return Err(Malformed { before: Some(view(shown, bytes.len() - at)), ..malformed });
            }
        };
        if let Some(ack) = Ack::decode(&content) {
            shown.push(json!({ "length": content.len(), "body": hex::encode(&content), "ack": ack_name(ack) }));
            again.extend_from_slice(ack.frame());
            continue;
        }
        match data::decode(&content, at + HEADER) {
            Ok(message) => {
                shown.push(message.json);
                again.extend_from_slice(&encode_frame(&message.again));
            }
            Err(malformed) => return Err(Malformed { before: Some(view(shown, bytes.len() - at)), ..malformed }),
        }
    }
    let left = frames.pending();
    again.extend_from_slice(&bytes[bytes.len() - left..]);
    Ok(Decoded { json: view(shown, left), again })
}

fn view(data: Vec<Value>, left: usize) -> Value {
    json!({ "packages": data.len(), "data": data, "left": left })
}

fn ack_name(ack: Ack) -> &'static str {
    match ack {
        Ack::Ok => "ACK",
        Ack::Failed => "FAIL-ACK",
    }
}
