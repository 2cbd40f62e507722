//! What is not delivered, and what is told about it.

use super::*;

#[test]
fn a_message_changed_anywhere_is_never_delivered() {
    let encrypt = encrypt(&[]);
    let wire = sealed(&encrypt, 1, &b"a body of some length"[..]);
    for at in 0..wire.len() {
        for bit in 0..8 {
            let mut changed = wire.to_vec();
            changed[at] ^= 1 << bit;
            assert_eq!(kind(received(&encrypt, changed)), ("unopened", Ack::Ok), "{at}: {bit}");
        }
    }
    // None of them took the place of the real one.
    assert_eq!(opened(&encrypt, wire).unwrap(), &b"a body of some length"[..]);
}

#[test]
fn a_message_cut_anywhere_or_with_more_behind_it_is_never_delivered() {
    for algorithm in ["AES/GCM/NoPadding", "AES/CBC/PKCS5Padding", "AES/CFB/PKCS5Padding", "AES/OFB/PKCS5Padding"] {
        let encrypt = encrypt(&[("encryptionAlgorithm", algorithm)]);
        let wire = sealed(&encrypt, 1, &b"a body of some length"[..]);
        let too_short = if algorithm.contains("GCM") { 28 } else { 16 };
        for length in 0..wire.len() {
            let answer = if length < too_short { Ack::Failed } else { Ack::Ok };
            assert_eq!(kind(received(&encrypt, wire.slice(..length))), ("unopened", answer), "{algorithm}: {length}");
        }
        let longer = [&wire[..], b"0"].concat();
        assert_eq!(kind(received(&encrypt, longer)), ("unopened", Ack::Ok), "{algorithm}");
        assert!(opened(&encrypt, wire).is_some());
    }
}

#[test]
fn another_key_another_algorithm_and_a_plain_body_look_alike() {
    let receiver = encrypt(&[]);
    let others: [&[(&str, &str)]; 3] = [
        &[("encryptionKey", OTHER_KEY)],
        &[("encryptionKey", "000102030405060708090a0b0c0d0e0f1011121314151617")],
        &[("encryptionAlgorithm", "AES/CBC/PKCS5Padding")],
    ];
    for attributes in others {
        let wire = sealed(&encrypt(attributes), 1, vec![7; 100]);
        assert_eq!(kind(received(&receiver, wire)), ("unopened", Ack::Ok), "{attributes:?}");
    }
    assert_eq!(kind(received(&receiver, vec![7; 100])), ("unopened", Ack::Ok));
}

#[test]
fn an_authentic_message_is_refused_with_its_cause() {
    let receiver = encrypt(&[("replayWindowMessageCount", "2")]);
    let at_time = |seed, timestamp| sealed_at(&receiver, seed, timestamp, &b"x"[..]);
    assert_eq!(kind(received(&receiver, at_time(1, T - 10_001))), ("too_late", Ack::Ok));
    assert_eq!(kind(received(&receiver, at_time(2, T + 10_001))), ("too_early", Ack::Ok));
    let wire = at_time(3, T + 10_000);
    assert!(opened(&receiver, wire.clone()).is_some());
    assert_eq!(kind(received(&receiver, wire)), ("replayed", Ack::Failed));
    assert!(opened(&receiver, at_time(4, T + 1)).is_some());
    assert!(opened(&receiver, at_time(5, T + 2)).is_some());
    assert_eq!(kind(received(&receiver, at_time(6, T + 1))), ("forgotten", Ack::Ok));
    let line = receiver.report(at(T)).unwrap();
    assert!(line.contains("raise replayWindowMessageCount"), "{line}");
    // Sealed by a member of the old format, and too short to hold a time.
    let old = encrypt(&[("generation", "10.1.55"), ("encryptionAlgorithm", "AES/GCM/NoPadding")]);
    assert_eq!(kind(received(&receiver, sealed(&old, 7, &b"seven.."[..]))), ("too_short", Ack::Ok));
}

/// The first try was opened, and failed above this layer: else its copy had not come so far.
#[test]
fn a_second_try_of_a_message_is_not_told_to_be_well() {
    let receiver = encrypt(&[]);
    let wire = sealed(&receiver, 1, &b"x"[..]);
    assert!(opened(&receiver, wire.clone()).is_some());
    assert_eq!(received(&receiver, wire).unwrap_err().answer, Ack::Failed);
}

/// Else who sends changed copies of a message learns from the counters which of them have good padding, and so the
/// message.
#[test]
fn without_authentication_every_cause_looks_alike() {
    let receiver = encrypt(&[("encryptionAlgorithm", "AES/CBC/PKCS5Padding")]);
    let wire = sealed(&receiver, 1, &b"x"[..]);
    assert!(opened(&receiver, wire.clone()).is_some());
    let mut broken = wire.to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let old = encrypt(&[("generation", "10.1.55")]);
    for body in [
        wire,
        broken.into(),
        sealed_at(&receiver, 2, T - 10_001, &b"x"[..]),
        sealed_at(&receiver, 3, T + 10_001, &b"x"[..]),
        sealed(&old, 4, &b"seven.."[..]),
    ] {
        assert_eq!(kind(received(&receiver, body)), ("unopened", Ack::Ok));
    }
    assert_eq!(receiver.report(at(T)), None);
}

/// What is forged with CFB keeps its IV: the same nonce under another time.
#[test]
fn a_known_nonce_is_refused_whatever_its_time() {
    let receiver = encrypt(&[("encryptionAlgorithm", "AES/CFB/PKCS5Padding")]);
    let wire = sealed(&receiver, 1, &b"a body of more than a block"[..]);
    assert!(opened(&receiver, wire.clone()).is_some());
    let mut forged = wire.to_vec();
    forged[16 + 7] ^= 1;
    assert_eq!(kind(received(&receiver, forged.clone())), ("unopened", Ack::Ok));
    // It is the nonce: who has not seen it takes it.
    let fresh = encrypt(&[("encryptionAlgorithm", "AES/CFB/PKCS5Padding")]);
    assert!(opened(&fresh, forged).is_some());
}
