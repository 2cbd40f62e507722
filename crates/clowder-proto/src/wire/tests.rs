//! Every vector of the transport: frames in any split, records and messages byte for byte, and what is refused where.

use bytes::Bytes;
use serde_json::Value;

use super::{Ack, Capabilities, FrameDecoder, Limits, Member, Message, WireError, WireErrorKind, encode_frame};

const VECTORS: &str = include_str!("../../../../vectors/transport.json");

fn vectors(prefixes: &[&str]) -> Vec<(String, Bytes, Value)> {
    let all: Vec<Value> = serde_json::from_str(VECTORS).expect("the file is a list");
    let wanted = all.into_iter().filter_map(|vector| {
        let name = vector["name"].as_str()?.to_owned();
        let bytes = hex::decode(vector["hex"].as_str()?).ok()?;
        prefixes.iter().any(|prefix| name.starts_with(prefix)).then(|| (name, bytes.into(), vector["fields"].clone()))
    });
    let wanted: Vec<_> = wanted.collect();
    assert!(!wanted.is_empty(), "{prefixes:?}");
    wanted
}

/// The contents of the frames of a stream that arrives in pieces, what is left, and the error that ends it.
fn frames(stream: &[u8], piece: usize, limits: &Limits) -> (Vec<Bytes>, usize, Option<WireError>) {
    let mut decoder = FrameDecoder::new(limits);
    let mut contents = Vec::new();
    for piece in stream.chunks(piece) {
        decoder.buffer().extend_from_slice(piece);
        loop {
            match decoder.next() {
                Ok(Some(content)) => contents.push(content),
                Ok(None) => break,
                Err(error) => return (contents, decoder.pending(), Some(error)),
            }
        }
    }
    (contents, decoder.pending(), None)
}

#[test]
fn every_frame_vector_is_cut_alike_in_every_split_and_framed_to_the_same_bytes() {
    for (name, stream, fields) in vectors(&["frame-", "fragment-", "static-", "failure-", "no-rpc", "rpc-", "ack"]) {
        let (whole, left, error) = frames(&stream, stream.len(), &Limits::default());
        assert_eq!(error, None, "{name}");
        assert_eq!(whole.len() as u64, fields["packages"].as_u64().unwrap_or(1), "{name}");
        let again: Vec<u8> = whole.iter().flat_map(|content| encode_frame(content).to_vec()).collect();
        assert_eq!(again, stream[..stream.len() - left], "{name}");
        for piece in 1..=stream.len() {
            assert_eq!(frames(&stream, piece, &Limits::default()).0, whole, "{name} in pieces of {piece}");
        }
    }
}

#[test]
fn every_message_vector_is_written_to_the_same_bytes() {
    for (name, content, fields) in vectors(&["data-"]) {
        let message = Message::decode(&content, &Limits::default());
        if fields["parser"].is_string() {
            assert!(message.is_err(), "{name}");
            continue;
        }
        let message = message.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Value::from(message.options), fields["options"], "{name}");
        assert_eq!(Value::from(hex::encode(&message.id.0)), fields["uniqueId"], "{name}");
        assert_eq!(Value::from(hex::encode(&message.body)), fields["message"], "{name}");
        assert_eq!(message.encode_frame(), encode_frame(&content), "{name}");
    }
}

#[test]
fn every_member_vector_is_written_to_the_same_bytes() {
    for (name, record, fields) in vectors(&["member-", "multicast-"]) {
        let member = Member::decode(&record, &Limits::default());
        if fields["parser"].is_string() {
            assert!(member.is_err(), "{name}");
            continue;
        }
        let member = member.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Value::from(member.alive), fields["alive"], "{name}");
        assert_eq!(Value::from(hex::encode(member.id.unique_id)), fields["uniqueId"], "{name}");
        let ports = (&fields["port"], &fields["securePort"], &fields["udpPort"]);
        assert_eq!(ports, (&member.id.port.into(), &member.secure_port.into(), &member.udp_port.into()), "{name}");
        // Bytes behind the end marker are not part of the record.
        assert_eq!(member.encode(), record[..member.encoded_len()], "{name}");
    }
}

#[test]
fn a_secure_port_counts_if_its_owner_says_that_it_speaks_tls() {
    let (_, record, _) = vectors(&["member-secure-and-udp-port"]).remove(0);
    let mut member = Member::decode(&record, &Limits::default()).expect("a good record");
    assert!(member.secure_port > 0 && member.secure_addr().is_none(), "a Tomcat names one that nobody opens");
    member.extension = Capabilities::ALL.encode();
    assert_eq!(member.secure_addr(), None);
    member.extension = Capabilities::ALL.and(Capabilities::TLS).encode();
    let addr = member.secure_addr().expect("announced");
    assert_eq!(
        (Some(addr.ip()), i32::from(addr.port())),
        (member.id.socket_addr().map(|a| a.ip()), member.secure_port)
    );
    for none in [-1, 0, 65_536] {
        member.secure_port = none;
        assert_eq!(member.secure_addr(), None, "{none}");
    }
}

#[test]
fn datagrams_go_to_the_host_and_its_udp_port() {
    let (_, record, _) = vectors(&["member-secure-and-udp-port"]).remove(0);
    let mut member = Member::decode(&record, &Limits::default()).expect("a good record");
    assert_eq!(member.udp_addr(), Some(([10, 0, 0, 1], 45_000).into()));
    for none in [-1, 0, 65_536] {
        member.udp_port = none;
        assert_eq!(member.udp_addr(), None, "{none}");
    }
}

#[test]
fn every_malformed_frame_ends_the_stream_and_what_stood_before_it_counts() {
    // What Tomcat replays, loses or waits for. Whole frames in front, and whether the stream ends.
    let expected = [
        ("bad-8-junk-bytes", 0, true),
        ("bad-junk-before-good", 0, true),
        ("bad-junk-after-good", 1, true),
        ("bad-junk-after-two-good", 2, true),
        ("bad-end-marker", 0, true),
        ("bad-length-minus-1", 0, true),
        ("bad-length-min", 0, true),
        ("bad-length-max", 0, true),
        ("bad-between-good", 1, true),
        ("bad-id-length-negative", 0, true),
        ("bad-id-length-max", 0, true),
        ("bad-address-length-zero", 0, true),
        ("bad-address-length-too-long", 0, true),
        ("bad-message-length-negative", 0, true),
        ("bad-message-length-too-long", 0, true),
        ("bad-message-length-too-short", 1, false),
        ("live-address-extension-bytes", 1, false),
    ];
    let all = vectors(&["bad-", "live-"]);
    for (name, good, ends) in expected {
        let (_, stream, _) = all.iter().find(|(found, _, _)| found == name).expect("the vector");
        for piece in [1, 7, stream.len()] {
            let (contents, _, error) = frames(stream, piece, &Limits::default());
            let messages = contents.iter().map(|content| Message::decode(content, &Limits::default()));
            let messages: Vec<_> = messages.collect();
            assert_eq!(messages.iter().take_while(|message| message.is_ok()).count(), good, "{name}");
            assert_eq!(error.is_some() || messages.iter().any(Result::is_err), ends, "{name}");
        }
    }
}

#[test]
fn acknowledgements_are_the_recorded_bytes() {
    let (_, stream, _) = &vectors(&["ack"])[0];
    assert_eq!(Ack::Ok.frame(), stream);
    assert_eq!(Ack::decode(&frames(Ack::Failed.frame(), 21, &Limits::default()).0[0]), Some(Ack::Failed));
    assert_eq!(Ack::decode(b"\x06\x02"), None);
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_header_alone() {
    let limits = Limits { frame_bytes_max: 100, ..Limits::default() };
    let header = [&b"FLT2002"[..], &101i32.to_be_bytes()].concat();
    let (_, _, error) = frames(&header, header.len(), &limits);
    let kind = error.expect("refused before a byte of the content").kind;
    assert!(matches!(kind, WireErrorKind::OverLimit { length: 101, limit: 100, .. }), "{kind}");
    let exact = encode_frame(&[7; 100]);
    assert_eq!(frames(&exact, exact.len(), &limits).0.len(), 1);
}

#[test]
fn ids_and_records_over_their_limits_are_refused() {
    let (_, content, _) = vectors(&["data-unique-id-20"]).remove(0);
    let limits = Limits { id_bytes_max: 19, ..Limits::default() };
    assert!(matches!(
        Message::decode(&content, &limits).expect_err("too long").kind,
        WireErrorKind::OverLimit { length: 20, .. }
    ));
    let (_, record, _) = vectors(&["member-payload-300"]).remove(0);
    let limits = Limits { member_bytes_max: 300, ..Limits::default() };
    assert!(Member::decode(&record, &limits).is_err());
}
