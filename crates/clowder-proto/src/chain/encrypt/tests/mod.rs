//! Every recorded message, and each rule.

mod keys;
mod names;
mod opening;
mod recorded;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::tests::vectors::{self, at, draft};
use super::*;
use crate::chain::Draft;
use crate::wire::Message;

/// The time of the recorded messages.
const T: i64 = 1_700_000_000_000;
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const OTHER_KEY: &str = "ff0102030405060708090a0b0c0d0e0f";

fn config(attributes: &[(&str, &str)]) -> EncryptConfig {
    let mut config = EncryptConfig::default();
    config.set("encryptionKey", KEY).unwrap();
    attributes.iter().for_each(|(attribute, value)| config.set(attribute, value).unwrap());
    config
}

fn encrypt(attributes: &[(&str, &str)]) -> Encrypt {
    Encrypt::new(&config(attributes)).unwrap().0
}

/// Where random bytes are those of `seed`, over and over.
fn sealed(encrypt: &Encrypt, seed: u64, body: impl Into<Bytes>) -> Bytes {
    sealed_at(encrypt, seed, T, body)
}

fn sealed_at(encrypt: &Encrypt, seed: u64, timestamp: i64, body: impl Into<Bytes>) -> Bytes {
    let draft = Draft { timestamp, ..draft(6, body) };
    vectors::sent(encrypt, at(T), &seed.to_le_bytes(), draft).unwrap().body.into_bytes()
}

fn received(encrypt: &Encrypt, body: impl Into<Bytes>) -> Result<Message, Rejection> {
    vectors::received(encrypt, at(T), 6, body.into())
}

fn opened(encrypt: &Encrypt, body: impl Into<Bytes>) -> Option<Bytes> {
    received(encrypt, body).ok().map(|message| message.body)
}

fn kind(result: Result<Message, Rejection>) -> (&'static str, Ack) {
    let rejection = result.unwrap_err();
    (rejection.kind, rejection.answer)
}

fn counter(encrypt: &Encrypt, name: &str) -> u64 {
    encrypt.counters().into_iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn every_message_has_an_iv_of_its_own() {
    let encrypt = encrypt(&[]);
    let bodies = [1, 2].map(|seed| sealed(&encrypt, seed, &b"the same"[..]));
    assert_ne!(bodies[0][..12], bodies[1][..12]);
    assert_ne!(bodies[0][12..], bodies[1][12..]);
    assert_eq!(bodies.map(|body| opened(&encrypt, body).unwrap()), [&b"the same"[..]; 2]);
}

#[test]
fn a_message_without_a_time_gets_the_present_one_inside_and_outside() {
    let sender = encrypt(&[]);
    for timestamp in [0, -1, i64::MIN] {
        let sent = vectors::sent(&sender, at(T + 5), &[1], Draft { timestamp, ..draft(0, &b"x"[..]) }).unwrap();
        assert_eq!(sent.timestamp, T + 5);
        let body = sent.body.into_bytes();
        // A window of a millisecond accepts it then, and not earlier.
        let receiver = |now| {
            let receiver = encrypt(&[("replayWindowTime", "1")]);
            vectors::received(&receiver, at(now), 0, body.clone()).is_ok()
        };
        assert_eq!([T + 3, T + 4, T + 5, T + 6, T + 7].map(receiver), [false, true, true, false, false]);
    }
    // One that has a time keeps it, also when it waited.
    let sent = vectors::sent(&sender, at(T + 5), &[1], draft(0, &b"x"[..])).unwrap();
    assert_eq!(sent.timestamp, T);
}

/// Tomcat before 10.1.56 has no time inside, and leaves a message without one as it is.
#[test]
fn the_old_format_is_the_bare_body() {
    let old = encrypt(&[("generation", "10.1.55"), ("encryptionAlgorithm", "AES/GCM/NoPadding")]);
    let recorded = &vectors::unhex_all(&vectors::vector("encrypt-rx-legacy-peer")["wire_hex"])[0];
    let body = Bytes::from_static(b"The quick brown fox jumps over the lazy dog.");
    assert_eq!(opened(&old, recorded.clone()), Some(body.clone()));
    let iv = &recorded[..12];
    let sent = vectors::sent(&old, at(T), iv, Draft { timestamp: 0, ..draft(0, body.clone()) }).unwrap();
    assert_eq!((sent.timestamp, &sent.body.into_bytes()), (0, recorded));
    // It is delivered again and again: there is nothing to tell a copy by.
    assert_eq!(opened(&old, recorded.clone()), Some(body));
}

#[test]
fn what_was_appended_to_the_body_is_encrypted_with_it() {
    let encrypt = encrypt(&[]);
    let mut draft = draft(0, &b"body"[..]);
    draft.body.append(b"tail");
    let sent = vectors::sent(&encrypt, at(T), &[3], draft).unwrap();
    assert_eq!(opened(&encrypt, sent.body.into_bytes()).unwrap(), &b"bodytail"[..]);
}

#[test]
fn weak_settings_are_told() {
    let told = |attributes: &[(&str, &str)]| {
        let (_, warnings) = Encrypt::new(&config(attributes)).unwrap();
        warnings.into_iter().map(|warning| warning.text).collect::<Vec<_>>()
    };
    assert_eq!(told(&[]), Vec::<String>::new());
    let cbc = told(&[("generation", "10.1.57")]);
    assert!(cbc.len() == 1 && cbc[0].contains("with AES/CBC/PKCS5Padding anybody can change messages"), "{cbc:?}");
    let bare = told(&[("generation", "9.0.118"), ("encryptionAlgorithm", "AES/GCM/NoPadding")]);
    assert!(bare.len() == 1 && bare[0].contains("anybody can send old messages again"), "{bare:?}");
    let key = "000102030405060708090a0b0c0d0e0f1011121314151617";
    let des = told(&[("encryptionAlgorithm", "DESede/CBC/PKCS5Padding"), ("encryptionKey", key)]);
    assert!(des.len() == 2 && des[1].contains("DESede"), "{des:?}");
}

#[test]
fn dropped_messages_of_other_clocks_are_reported_once_a_minute() {
    let encrypt = encrypt(&[]);
    let minute = std::time::Duration::from_secs(60);
    let now = at(T);
    assert_eq!(encrypt.report(now), None);
    for (seed, timestamp) in [(1, T - 12_000), (2, T - 11_000), (3, T + 10_500)] {
        received(&encrypt, sealed_at(&encrypt, seed, timestamp, &b"x"[..])).unwrap_err();
    }
    let line = encrypt.report(now).unwrap();
    assert!(line.contains("dropped 2 messages that are up to 12000 ms old"), "{line}");
    assert!(line.contains("dropped 1 messages that are up to 10500 ms ahead"), "{line}");
    received(&encrypt, sealed_at(&encrypt, 4, T - 12_000, &b"x"[..])).unwrap_err();
    assert_eq!(encrypt.report(now.later(minute - std::time::Duration::from_millis(1))), None);
    assert!(encrypt.report(now.later(minute)).unwrap().contains("1 messages"));
    assert_eq!(encrypt.report(now.later(minute * 3)), None);
}

fn suites() -> impl Strategy<Value = (Algorithm, usize, &'static str)> {
    let algorithms = [
        (Algorithm::AesGcm, vec![16, 24, 32]),
        (Algorithm::AesCbc, vec![16, 24, 32]),
        (Algorithm::AesCfb, vec![16, 24, 32]),
        (Algorithm::AesOfb, vec![16, 24, 32]),
        (Algorithm::DesEdeCbc, vec![24]),
    ];
    (prop::sample::select(algorithms.to_vec()), prop::sample::select(vec!["10.1.55", "10.1.56", "10.1.60"]))
        .prop_flat_map(|((algorithm, lengths), generation)| {
            prop::sample::select(lengths).prop_map(move |length| (algorithm, length, generation))
        })
}

proptest! {
    #[test]
    fn every_body_comes_back(
        (algorithm, key_length, generation) in suites(),
        key in prop::collection::vec(any::<u8>(), 32),
        seed in any::<u64>(),
        body in prop::collection::vec(any::<u8>(), 0..4097),
    ) {
        let key = hex::encode(&key[..key_length]);
        let encrypt = encrypt(&[("encryptionAlgorithm", algorithm.name()), ("encryptionKey", &key), ("generation", generation)]);
        let wire = sealed(&encrypt, seed, body.clone());
        let plain = body.len() + if generation == "10.1.55" { 0 } else { 8 };
        let block = if algorithm == Algorithm::DesEdeCbc { 8 } else { 16 };
        let expected = if algorithm.is_authenticated() { plain + 28 } else { block + (plain / block + 1) * block };
        prop_assert_eq!(wire.len(), expected);
        prop_assert_eq!(opened(&encrypt, wire).unwrap(), body);
    }
}
