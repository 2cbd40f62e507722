//! Every recorded message, and each rule.

use proptest::prelude::*;
use serde_json::Value;

use super::super::tests::vectors::{self, at, draft, unhex, unhex_all, vectors};
use super::*;
use crate::wire::Message;

const FLAG: i32 = 256;
/// "second" as Java compresses it.
const SECOND: &str = "1f8b08000000000000ff2b4e4dcecf4b010069111fb606000000";
/// No content at all.
const EMPTY: &str = "1f8b08000000000000ff03000000000000000000";

fn gzip(attributes: &[(&str, &str)]) -> Gzip {
    let mut config = GzipConfig::default();
    attributes.iter().for_each(|(attribute, value)| config.set(attribute, value).unwrap());
    Gzip::new(&config)
}

fn of_vector(vector: &Value) -> Gzip {
    let settings = vector["config"].as_object().unwrap().iter();
    let settings: Vec<(String, String)> = settings.map(|(name, value)| (name.clone(), value.to_string())).collect();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    gzip(&settings)
}

fn options(value: &Value) -> i32 {
    value.as_i64().unwrap().try_into().unwrap()
}

fn sent(gzip: &Gzip, options: i32, body: impl Into<Bytes>) -> (i32, Bytes) {
    let draft = vectors::sent(gzip, at(0), &[0], draft(options, body)).unwrap();
    (draft.options, draft.body.into_bytes())
}

fn received(gzip: &Gzip, options: i32, body: impl Into<Bytes>) -> Result<Message, Rejection> {
    vectors::received(gzip, at(0), options, body.into())
}

fn kind(result: Result<Message, Rejection>) -> (&'static str, Ack) {
    let rejection = result.unwrap_err();
    (rejection.kind, rejection.answer)
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn counter(gzip: &Gzip, name: &str) -> u64 {
    gzip.counters().into_iter().find(|(other, _)| *other == name).unwrap().1
}

/// Tomcat: the bytes of the blocks are the compressor's own affair; header and trailer are not.
#[test]
fn every_recorded_body_is_compressed_as_tomcat_does_and_read_again() {
    for vector in vectors("gzip-").iter().filter(|vector| vector["direction"] == "send") {
        let (gzip, name, expected) = (of_vector(vector), &vector["name"], &vector["expected"]);
        let (before, on_wire) = (options(&expected["options_before"]), options(&expected["options_on_wire"]));
        let input = unhex(&vector["input_hex"]);
        let recorded = &unhex_all(&vector["wire_hex"])[0];
        let (options, wire) = sent(&gzip, before, input.clone());
        assert_eq!(options, on_wire, "{name}");
        if expected["compressed"] == true {
            assert_eq!(wire[..10], recorded[..10], "{name}: header");
            assert_eq!(wire[wire.len() - 8..], recorded[recorded.len() - 8..], "{name}: trailer");
        } else {
            assert_eq!(wire, recorded, "{name}");
        }
        for body in [wire, recorded.clone()] {
            let message = received(&gzip, on_wire, body).unwrap();
            assert_eq!((message.body, message.options), (input.clone(), on_wire), "{name}");
        }
    }
}

#[test]
fn every_recorded_stream_is_read_or_dropped_as_tomcat_does() {
    for vector in vectors("gzip-rx-") {
        let (gzip, name, expected) = (of_vector(&vector), &vector["name"], &vector["expected"]);
        let result = received(&gzip, options(&expected["options_on_wire"]), unhex_all(&vector["wire_hex"])[0].clone());
        match unhex_all(&expected["delivered_hex"]).first() {
            Some(body) => assert_eq!(result.unwrap().body, body, "{name}"),
            // No exception there, so that the sender is told that all is well.
            None => assert_eq!(result.unwrap_err().answer, Ack::Ok, "{name}"),
        }
    }
}

/// Tomcat's confirmation inherits the bit, stays plain, and is dropped by the receiver.
#[test]
fn a_confirmation_over_gzip_carries_no_bit_and_arrives() {
    let vector = vectors::vector("stack-twophase-over-gzip");
    let gzip = of_vector(&vector);
    let confirmation = unhex_all(&vector["wire_hex"])[1].clone();
    let (options, wire) = sent(&gzip, 258, confirmation.clone());
    assert_eq!((options, &wire), (2, &confirmation));
    assert_eq!(received(&gzip, options, wire).unwrap().body, confirmation);
}

#[test]
fn a_flag_set_before_is_cleared_where_the_body_stays_plain() {
    let gzip = gzip(&[("optionFlag", "770"), ("compressionMinSize", "4")]);
    // Bits that mean something by themselves stay.
    assert_eq!(sent(&gzip, 2 | 256 | 1024, &b"four"[..]), (2 | 1024, Bytes::from_static(b"four")));
    assert_eq!(sent(&gzip, 1024, &b"fives"[..]).0, 1024 | 770);
}

#[test]
fn a_body_of_the_minimum_stays_plain_and_a_longer_one_does_not() {
    let gzip = gzip(&[("compressionMinSize", "4")]);
    assert_eq!(sent(&gzip, 0, &b"four"[..]), (0, Bytes::from_static(b"four")));
    assert_eq!(sent(&gzip, 0, &b"fives"[..]).0, FLAG);
}

#[test]
fn what_was_appended_to_the_body_is_compressed_with_it() {
    let gzip = gzip(&[]);
    let mut draft = draft(0, &b"body"[..]);
    draft.body.append(b"tail");
    let draft = vectors::sent(&gzip, at(0), &[0], draft).unwrap();
    assert_eq!(received(&gzip, draft.options, draft.body.into_bytes()).unwrap().body, &b"bodytail"[..]);
}

#[test]
fn every_cut_stream_is_rejected_and_the_next_is_read() {
    let gzip = gzip(&[]);
    let stream = bytes(SECOND);
    for length in 0..stream.len() {
        let (kind, answer) = kind(received(&gzip, FLAG, stream[..length].to_vec()));
        assert_eq!((kind, answer), (if length < 10 { "not_gzip" } else { "damaged" }, Ack::Ok), "{length}");
        assert_eq!(received(&gzip, FLAG, stream.clone()).unwrap().body, &b"second"[..]);
    }
}

#[test]
fn the_trailer_is_checked() {
    let gzip = gzip(&[]);
    let stream = bytes(SECOND);
    for at in stream.len() - 8..stream.len() {
        let mut stream = stream.clone();
        stream[at] ^= 1;
        assert_eq!(kind(received(&gzip, FLAG, stream)), ("damaged", Ack::Ok), "{at}");
    }
}

#[test]
fn every_optional_field_of_a_header_is_passed_over_and_its_check_sum_is_checked() {
    let gzip = gzip(&[]);
    let blocks = &bytes(SECOND)[10..];
    let mut header = bytes("1f8b081f01020304020303006162636e616d6500636f6d6d656e7400");
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    header.extend(&crc.sum().to_le_bytes()[..2]);
    assert_eq!(received(&gzip, FLAG, [&header, blocks].concat()).unwrap().body, &b"second"[..]);
    for length in 0..header.len() {
        assert_eq!(kind(received(&gzip, FLAG, header[..length].to_vec())), ("not_gzip", Ack::Ok), "{length}");
    }
    *header.last_mut().unwrap() ^= 1;
    assert_eq!(kind(received(&gzip, FLAG, [&header, blocks].concat())), ("not_gzip", Ack::Ok));
}

#[test]
fn members_are_joined_and_a_damaged_one_spoils_the_body() {
    let gzip = gzip(&[]);
    let (second, empty) = (bytes(SECOND), bytes(EMPTY));
    let joined = [&empty[..], &second, &empty, &second, b"\x1f\x8b\x08 no member"].concat();
    assert_eq!(received(&gzip, FLAG, joined).unwrap().body, &b"secondsecond"[..]);
    let mut damaged = [&second[..], &second].concat();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(kind(received(&gzip, FLAG, damaged)), ("damaged", Ack::Ok));
}

#[test]
fn a_body_that_grows_over_the_limit_is_rejected() {
    let zeros = |length: usize| sent(&gzip(&[]), 0, vec![0; length]).1;
    for limit in [1, 1000, 70_000] {
        let gzip = gzip(&[("inflatedBytesMax", &limit.to_string())]);
        assert_eq!(received(&gzip, FLAG, zeros(limit)).unwrap().body.len(), limit);
        assert_eq!(kind(received(&gzip, FLAG, zeros(limit + 1))), ("too_large", Ack::Failed), "{limit}");
        assert_eq!(kind(received(&gzip, FLAG, zeros(limit * 20))), ("too_large", Ack::Failed), "{limit}");
        // Members count together.
        let two = [&zeros(limit)[..], &zeros(limit)].concat();
        assert_eq!(kind(received(&gzip, FLAG, two)), ("too_large", Ack::Failed), "{limit}");
    }
}

#[test]
fn a_flag_that_no_receiver_sees_is_refused() {
    let mut config = GzipConfig::default();
    for value in ["0", "-2147483648", "-1"] {
        let error = config.set("optionFlag", value).unwrap_err().to_string();
        assert!(error.contains("must be positive"), "{error}");
    }
    assert_eq!(config, GzipConfig::default());
    // As it is in a message that is marked with the sign bit by somebody else.
    assert_eq!(received(&gzip(&[]), i32::MIN, &b"plain"[..]).unwrap().body, &b"plain"[..]);
}

#[test]
fn attributes_have_tomcats_names_and_defaults() {
    let mut config = GzipConfig::default();
    assert_eq!((config.option_flag, config.compression_min_size, config.interval), (256, 0, 0));
    assert_eq!((config.stats_enabled, config.inflated_bytes_max), (false, 64 << 20));
    let values = [("optionFlag", "512"), ("compressionMinSize", "9"), ("statsEnabled", "TRUE"), ("interval", "7")];
    values.iter().for_each(|(attribute, value)| config.set(attribute, value).unwrap());
    config.set("inflatedBytesMax", "1000").unwrap();
    let expected = GzipConfig {
        option_flag: 512,
        compression_min_size: 9,
        stats_enabled: true,
        interval: 7,
        inflated_bytes_max: 1000,
    };
    assert_eq!(config, expected);
    config.set("interval", "-5").unwrap();
    assert_eq!(config.interval, 0);
    for (attribute, value) in [("compressionMinSize", "-1"), ("inflatedBytesMax", "0"), ("Interval", "1")] {
        assert!(config.set(attribute, value).is_err(), "{attribute}={value}");
    }
}

#[test]
fn messages_are_always_counted_and_the_rest_when_enabled() {
    for enabled in [false, true] {
        let gzip = gzip(&[("statsEnabled", &enabled.to_string()), ("compressionMinSize", "4")]);
        let (_, wire) = sent(&gzip, 0, &b"more than four"[..]);
        sent(&gzip, 0, &b"four"[..]);
        received(&gzip, FLAG, wire.clone()).unwrap();
        received(&gzip, 0, &b"six678"[..]).unwrap();
        received(&gzip, FLAG, &b"nonsense"[..]).unwrap_err();
        let mut expected = vec![5, 1, 1, 1, 1, 18, 20, wire.len() as u64, wire.len() as u64, 4, 6];
        if !enabled {
            expected[1..].fill(0);
        }
        let counters: Vec<u64> = gzip.counters().into_iter().map(|(_, value)| value).collect();
        assert_eq!(counters, expected);
    }
}

#[test]
fn a_report_is_due_after_every_interval_and_given_once() {
    let gzip = gzip(&[("statsEnabled", "true"), ("interval", "3")]);
    let mut lines = Vec::new();
    for _ in 0..7 {
        sent(&gzip, 0, &b"x"[..]);
        lines.push(gzip.report(at(0)));
    }
    let due: Vec<bool> = lines.iter().map(Option::is_some).collect();
    assert_eq!(due, [false, false, true, false, false, true, false]);
    let line = lines[2].as_ref().unwrap();
    assert!(line.starts_with("count=3 count_compressed_tx=3 "), "{line}");
    assert_eq!(line.matches('=').count(), 11);
    // Without statistics there is no report.
    let silent = super::tests::gzip(&[("interval", "1")]);
    sent(&silent, 0, &b"x"[..]);
    assert_eq!((silent.report(at(0)), counter(&silent, "count")), (None, 1));
}

proptest! {
    #[test]
    fn every_body_comes_back(body in proptest::collection::vec(any::<u8>(), 0..5000), repeat in 1..40_usize) {
        let gzip = gzip(&[]);
        let body = body.repeat(repeat);
        for _ in 0..2 {
            let (options, wire) = sent(&gzip, 2, body.clone());
            prop_assert_eq!(options, if body.is_empty() { 2 } else { 2 | FLAG });
            prop_assert_eq!(&received(&gzip, options, wire).unwrap().body, &body);
        }
    }

    #[test]
    fn damage_anywhere_is_rejected_or_harmless(at in 0..26_usize, bit in 0..8_u32) {
        let gzip = gzip(&[]);
        let mut stream = bytes(SECOND);
        stream[at] ^= 1 << bit;
        // Bits of the header that mean nothing may change; the content never does.
        if let Ok(message) = received(&gzip, FLAG, stream) {
            prop_assert_eq!(message.body, &b"second"[..]);
        }
    }
}
