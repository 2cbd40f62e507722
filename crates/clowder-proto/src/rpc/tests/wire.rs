//! Every RPC message that was recorded, and what is refused.

use bytes::Bytes;
use java_object_stream::{ReadErrorKind, from_bytes, to_bytes};
use serde_json::Value;

use crate::rpc::{NULL, RpcContent, RpcLimits, RpcMessage};
use crate::wire::{FrameDecoder, Limits, Message, ObjectErrorKind};

struct Vector {
    name: String,
    body: Bytes,
    decoded: Value,
}

/// The recorded RPC messages; `decoded` is null for those of the transport's file.
fn vectors() -> Vec<Vector> {
    let all: Value = serde_json::from_str(include_str!("../../../../../vectors/rpc-and-map.json")).expect("JSON");
    let of = |vector: &Value| Vector {
        name: vector["name"].as_str().expect("a name").to_owned(),
        body: hex::decode(vector["hex"].as_str().expect("bytes")).expect("hexadecimal").into(),
        decoded: vector["decoded"].clone(),
    };
    let messages = all["messages"].as_array().expect("a list").iter().map(of);
    let rpc = messages.filter(|vector| vector.name.contains("rpc_"));
    let framed: Value = serde_json::from_str(include_str!("../../../../../vectors/transport.json")).expect("JSON");
    let frames = framed.as_array().expect("a list").iter().map(of);
    let framed = frames.filter(|vector| vector.name.contains("rpc"));
    rpc.chain(framed.map(|vector| Vector { body: content(&vector.body), decoded: Value::Null, ..vector })).collect()
}

/// The body of the message in a frame.
fn content(frame: &Bytes) -> Bytes {
    let limits = Limits::default();
    let mut decoder = FrameDecoder::new(&limits);
    decoder.buffer().extend_from_slice(frame);
    Message::decode(&decoder.next().unwrap().expect("a whole frame"), &limits).unwrap().body
}

fn vector(name: &str) -> Bytes {
    vectors().into_iter().find(|vector| vector.name == name).unwrap_or_else(|| panic!("no vector {name}")).body
}

fn decode(body: &Bytes) -> RpcMessage {
    RpcMessage::decode(body, &RpcLimits::default()).unwrap()
}

fn payload(message: &RpcMessage) -> Option<&Bytes> {
    match &message.content {
        RpcContent::Request(payload) | RpcContent::Reply(payload) => Some(payload),
        RpcContent::NoChannel => None,
    }
}

#[test]
fn every_rpc_message_is_read_as_recorded_and_written_to_the_same_bytes() {
    let vectors = vectors();
    assert!(vectors.len() >= 21, "{}", vectors.len());
    for Vector { name, body, decoded } in vectors {
        assert!(RpcMessage::matches(&body), "{name}");
        let message = decode(&body);
        assert_eq!(message.encode().unwrap(), body, "{name}");
        if decoded.is_null() {
            continue;
        }
        assert_eq!(decoded["uuid"], hex::encode(&message.uuid), "{name}");
        assert_eq!(decoded["rpc_id"], hex::encode(&message.rpc_id), "{name}");
        assert_eq!(decoded["reply"], !matches!(message.content, RpcContent::Request(_)), "{name}");
        match (&decoded["message"], payload(&message)) {
            (Value::Null, payload) => assert!(payload.is_none_or(|payload| payload == NULL), "{name}"),
            (expected, Some(payload)) => {
                assert_eq!(expected["class"], *java_object_stream::class_name(payload).unwrap(), "{name}");
                if let Some(text) = expected["string"].as_str() {
                    assert_eq!(from_bytes::<String>(payload).unwrap(), text, "{name}");
                }
            }
            (expected, None) => panic!("{name}: no payload, expected {expected}"),
        }
    }
}

#[test]
fn a_long_id_is_cut_into_blocks_of_1024_and_read_again() {
    let message = RpcMessage {
        uuid: Bytes::from_static(&[7; 16]),
        rpc_id: vec![b'x'; 3000].into(),
        content: RpcContent::Request(to_bytes(&5).unwrap()),
    };
    let body = message.encode().unwrap();
    let blocks = body.windows(5).filter(|part| *part == b"\x7a\x00\x00\x04\x00").count();
    assert_eq!(blocks, 2, "3025 bytes are two blocks of 1024 and the rest");
    assert_eq!(decode(&body), message);
}

/// `rpc_reply_string` with another block and something behind its payload.
fn with(block: &[u8], behind_payload: &[u8]) -> Bytes {
    let body = vector("rpc_reply_string");
    let at = body.windows(2).position(|part| part == b"\x77\x2b").expect("the block");
    let (head, rest) = body.split_at(at);
    let (_, rest) = rest.split_at(2 + 0x2b);
    let (payload, end) = rest.split_at(rest.len() - 1);
    [head, block, payload, behind_payload, end].concat().into()
}

/// The block of that message in pieces of so many bytes.
fn pieces(length: usize) -> Vec<u8> {
    let body = vector("rpc_reply_string");
    let at = body.windows(2).position(|part| part == b"\x77\x2b").expect("the block");
    let data = &body[at + 2..at + 2 + 0x2b];
    data.chunks(length).flat_map(|piece| [&[0x77, piece.len() as u8], piece].concat()).collect()
}

#[test]
fn blocks_and_objects_behind_the_payload_are_passed_over() {
    let plain = decode(&vector("rpc_reply_string"));
    assert_eq!(decode(&with(&pieces(3), b"")), plain, "the block in pieces of 3 bytes");
    assert_eq!(decode(&with(&pieces(43), b"\x74\x00\x05extra\x77\x02\x01\x02")), plain);
}

#[test]
fn uuids_of_any_length_up_to_the_limit_are_read() {
    let limits = RpcLimits { uuid_bytes_max: 20, id_bytes_max: 10, ..RpcLimits::default() };
    let of = |uuid: usize, id: usize| RpcMessage {
        uuid: vec![1; uuid].into(),
        rpc_id: vec![2; id].into(),
        content: RpcContent::NoChannel,
    };
    for message in [of(0, 0), of(20, 10)] {
        assert_eq!(RpcMessage::decode(&message.encode().unwrap(), &limits).unwrap(), message);
    }
    for (message, field) in [(of(21, 1), "uuid"), (of(16, 11), "rpc id")] {
        let error = RpcMessage::decode(&message.encode().unwrap(), &limits).unwrap_err();
        assert!(matches!(error.kind, ObjectErrorKind::OverLimit { what, .. } if what == field), "{error}");
    }
    let error = RpcMessage::decode(&vector("rpc_empty_id"), &RpcLimits { message_bytes_max: 90, ..limits });
    assert!(matches!(error.unwrap_err().kind, ObjectErrorKind::OverLimit { what: "RPC message", .. }));
}

#[test]
fn what_is_no_rpc_message_is_refused() {
    let refused = |body: &[u8]| RpcMessage::decode(&Bytes::copy_from_slice(body), &RpcLimits::default()).unwrap_err();
    assert_eq!(refused(&to_bytes("ping").unwrap()).kind, ObjectErrorKind::NotA("RPC message"));
    assert!(!RpcMessage::matches(&to_bytes("ping").unwrap()));
    assert_eq!(refused(b"\xac\xed\x00\x05").kind, ObjectErrorKind::NotA("RPC message"));
    let body = vector("rpc_reply_string");
    for cut in 0..body.len() {
        let error = refused(&body[..cut]);
        assert!(error.at <= cut, "{error}");
    }
    // A payload is there, but the block ends within the rpc id.
    let short = refused(&with(&[&[0x77, 0x19][..], &[0; 0x19]].concat(), b""));
    assert!(!matches!(short.kind, ObjectErrorKind::NotA(_)), "{short}");
    // A negative length.
    let negative = refused(&with(b"\x77\x05\x00\xff\xff\xff\xff", b""));
    assert_eq!(negative.kind, ObjectErrorKind::NegativeLength { what: "uuid", length: -1 });
}

#[test]
fn a_payload_that_is_not_one_value_cannot_be_sent() {
    let message = |payload: &'static [u8]| RpcMessage {
        uuid: Bytes::new(),
        rpc_id: Bytes::new(),
        content: RpcContent::Reply(Bytes::from_static(payload)),
    };
    assert!(message(NULL).encode().is_ok());
    for payload in [&b""[..], b"\xac\xed\x00\x05", b"ping", b"\xac\xed\x00\x05\x70\x70"] {
        assert!(message(payload).encode().is_err(), "{payload:?}");
    }
    assert_eq!(message(b"ping").encode().unwrap_err().kind, ReadErrorKind::NotAStream);
}
