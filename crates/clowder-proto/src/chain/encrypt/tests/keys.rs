//! Keys: their length, their secrecy, their change.

use std::sync::Arc;

use super::*;
use crate::chain::{ChainConfig, LayerConfig};

fn ring(sending: &str, accepted: &[&str]) -> KeyRing {
    KeyRing {
        sending: Some(sending.parse().unwrap()),
        accepted: accepted.iter().map(|key| key.parse().unwrap()).collect(),
    }
}

#[test]
fn a_key_of_a_wrong_length_is_refused_at_once() {
    for length in 0..=40 {
        let key = "5a".repeat(length);
        let build = |algorithm| Encrypt::new(&config(&[("encryptionAlgorithm", algorithm), ("encryptionKey", &key)]));
        assert_eq!(build("AES/GCM/NoPadding").is_ok(), [16, 24, 32].contains(&length), "{length}");
        assert_eq!(build("AES/CFB/PKCS5Padding").is_ok(), [16, 24, 32].contains(&length), "{length}");
        assert_eq!(build("DESede/CBC/PKCS5Padding").is_ok(), length == 24, "{length}");
    }
    let error = Encrypt::new(&config(&[("acceptedKeys", "00112233")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a key of 4 bytes does not fit AES/GCM/NoPadding, which has keys of 16, 24, 32 bytes"
    );
    assert_eq!(Encrypt::new(&EncryptConfig::default()).unwrap_err(), EncryptError::NoKey);
}

#[test]
fn a_key_is_shown_nowhere() {
    let key = "c0ffee00c0ffee00c0ffee00c0ffee00";
    let config = config(&[("encryptionKey", key), ("acceptedKeys", key)]);
    let (encrypt, _) = Encrypt::new(&config).unwrap();
    let mut shown = format!("{config:?} {encrypt:?} {:?} {:#?}", config.keys, encrypt.ciphers());
    let mut broken = EncryptConfig::default();
    for attribute in ["encryptionKey", "encryptionKeyString", "acceptedKeys"] {
        for value in [format!("{key}0"), format!("{key}x"), format!("0x{key}")] {
            let error = broken.set(attribute, &value).unwrap_err();
            shown += &format!("{error} {error:?}");
        }
    }
    // Neither in hexadecimal nor as numbers.
    let lower = shown.to_lowercase();
    assert!(!lower.contains("c0ffee") && !lower.contains("192, 255") && lower.contains("16 bytes"), "{shown}");
}

#[test]
fn the_key_of_a_running_cluster_is_changed_without_losing_a_message() {
    let nodes = [encrypt(&[]), encrypt(&[])];
    let mut seed = 0;
    let mut exchange = |nodes: &[Encrypt; 2]| {
        for (from, to) in [(0, 1), (1, 0)] {
            seed += 1;
            let wire = sealed(&nodes[from], seed, &b"body"[..]);
            assert_eq!(opened(&nodes[to], wire).as_deref(), Some(&b"body"[..]), "{seed}");
        }
    };
    for step in [ring(KEY, &[OTHER_KEY]), ring(OTHER_KEY, &[KEY]), ring(OTHER_KEY, &[])] {
        for node in 0..2 {
            exchange(&nodes);
            nodes[node].set_keys(&step).unwrap();
        }
    }
    exchange(&nodes);
    // One message each way while they sent with different keys.
    assert_eq!(nodes.each_ref().map(|node| counter(node, "opened_with_accepted_key")), [1, 1]);
    let old = sealed(&encrypt(&[]), 99, &b"body"[..]);
    assert_eq!(kind(received(&nodes[0], old)), ("unopened", Ack::Ok));
}

#[test]
fn a_chain_has_its_keys_changed_if_one_of_its_layers_encrypts() {
    let layer = |name: &str| LayerConfig::named(name).unwrap();
    let chain = |layers: Vec<LayerConfig>| ChainConfig { layers, option_check: false }.build().unwrap().0;
    let encrypts = || LayerConfig::Encrypt(config(&[]));
    for (layers, count) in [(vec![], 0), (vec![layer("gzip")], 0), (vec![encrypts(), encrypts()], 2)] {
        assert_eq!(chain(layers).set_keys(&ring(OTHER_KEY, &[])), Err(EncryptError::Layers { count }));
    }
    let node = Arc::new(encrypt(&[]));
    let chain = chain(vec![layer("gzip"), LayerConfig::Custom(node.clone()), layer("failure-detector")]);
    assert!(chain.set_keys(&ring("00", &[])).is_err());
    chain.set_keys(&ring(OTHER_KEY, &[])).unwrap();
    let other = encrypt(&[("encryptionKey", OTHER_KEY)]);
    assert_eq!(opened(&other, sealed(&node, 1, &b"body"[..])).as_deref(), Some(&b"body"[..]));
}

#[test]
fn keys_that_do_not_fit_change_nothing() {
    let node = encrypt(&[]);
    assert_eq!(node.set_keys(&KeyRing::default()), Err(EncryptError::NoKey));
    assert!(node.set_keys(&ring(OTHER_KEY, &["00"])).is_err());
    assert_eq!(sealed(&node, 1, &b"body"[..]), sealed(&encrypt(&[]), 1, &b"body"[..]));
}

/// A wrong key finds good padding once in 256 messages.
#[test]
fn without_authentication_the_right_key_is_told_by_the_time_inside() {
    for algorithm in ["AES/CBC/PKCS5Padding", "AES/CFB/PKCS5Padding", "AES/OFB/PKCS5Padding"] {
        let sender = encrypt(&[("encryptionAlgorithm", algorithm), ("encryptionKey", OTHER_KEY)]);
        let receiver = encrypt(&[("encryptionAlgorithm", algorithm), ("acceptedKeys", OTHER_KEY)]);
        for seed in 0..1000_u64 {
            let body = Bytes::from(format!("body {seed}"));
            let wire = sealed(&sender, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), body.clone());
            assert_eq!(opened(&receiver, wire), Some(body), "{algorithm}: {seed}");
        }
    }
}

#[test]
fn in_the_old_format_a_message_that_two_keys_open_is_dropped_and_never_garbage() {
    let old = [("generation", "10.1.55")];
    let sender = encrypt(&[old[0], ("encryptionKey", OTHER_KEY)]);
    let receiver = encrypt(&[old[0], ("acceptedKeys", OTHER_KEY)]);
    let mut dropped = 0;
    for seed in 0..2000_u64 {
        let body = Bytes::from(format!("body {seed}"));
        match received(&receiver, sealed(&sender, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), body.clone())) {
            Ok(message) => assert_eq!(message.body, body),
            Err(rejection) => {
                assert_eq!(rejection.kind, "unopened");
                dropped += 1;
            }
        }
    }
    assert!((1..40).contains(&dropped), "{dropped} of 2000");
}
