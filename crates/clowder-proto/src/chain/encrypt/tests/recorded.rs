//! What Tomcat sent and received.

use serde_json::Value;

use super::super::super::tests::vectors::{unhex, unhex_all, vector, vectors};
use super::*;

/// The window of the recordings that shall not mind the time: ten years.
const WIDE_OPEN: &str = "315360000000";
/// When the recordings were made.
const NOW: i64 = 1_795_354_301_427;

fn of_vector(vector: &Value) -> Encrypt {
    let mut config = EncryptConfig::default();
    for (attribute, value) in vector["config"].as_object().unwrap() {
        match (attribute.as_str(), value) {
            ("timestamp" | "now" | "started_at", _) => {}
            (_, Value::String(text)) if text == "wide open" => config.set(attribute, WIDE_OPEN).unwrap(),
            (_, Value::String(text)) => config.set(attribute, text).unwrap(),
            (_, other) => config.set(attribute, &other.to_string()).unwrap(),
        }
    }
    Encrypt::new(&config).unwrap().0
}

#[test]
fn every_recorded_message_is_encrypted_to_the_same_bytes_and_decrypted() {
    let sent: Vec<Value> = vectors("encrypt-").into_iter().filter(|vector| vector["direction"] == "send").collect();
    assert_eq!(sent.len(), 12);
    for vector in sent {
        let (encrypt, name) = (of_vector(&vector), &vector["name"]);
        let (body, wire) = (unhex(&vector["input_hex"]), unhex_all(&vector["wire_hex"])[0].clone());
        let iv = unhex(&vector["expected"]["iv_hex"]);
        let draft = super::vectors::sent(&encrypt, at(T), &iv, draft(6, body.clone())).unwrap();
        assert_eq!((draft.options, draft.timestamp), (6, T), "{name}");
        assert_eq!(draft.body.into_bytes(), wire, "{name}");
        assert_eq!(opened(&encrypt, wire), Some(body), "{name}");
    }
}

#[test]
fn every_recorded_arrival_ends_as_in_tomcat_and_is_answered_alike_but_for_replays() {
    let mut messages = 0;
    for vector in vectors("encrypt-rx-") {
        let (encrypt, name) = (of_vector(&vector), &vector["name"]);
        let expected = vector["expected"]["per_message"].as_array().unwrap();
        for (index, (wire, expected)) in unhex_all(&vector["wire_hex"]).into_iter().zip(expected).enumerate() {
            let result = super::vectors::received(&encrypt, at(NOW), 6, wire);
            messages += 1;
            match expected["outcome"].as_str().unwrap() {
                "delivered" => assert_eq!(result.unwrap().body, unhex(&expected["delivers_hex"]), "{name} {index}"),
                "dropped" => {
                    let (kind, answer) = kind(result);
                    let expected = if kind == "replayed" { Ack::Failed } else { Ack::Ok };
                    assert_eq!(answer, expected, "{name} {index}: {kind}");
                }
                // It throws.
                _ => assert_eq!(result.unwrap_err().answer, Ack::Failed, "{name} {index}"),
            }
        }
    }
    assert_eq!(messages, 31);
}

#[test]
fn every_recorded_key_is_read_or_refused() {
    let verdicts = vector("encrypt-keys")["expected"]["verdicts"].as_array().unwrap().clone();
    assert_eq!(verdicts.len(), 11);
    for verdict in verdicts {
        let mut config = EncryptConfig::default();
        let key = verdict["encryptionKey"].as_str();
        let set = key.map_or(Ok(()), |key| config.set("encryptionKey", key));
        let verdict = verdict["verdict"].as_str().unwrap();
        assert_eq!(set.is_err(), verdict.starts_with("refused by the setter"), "{key:?}: {verdict}");
        // What fails at the first send there fails at the start here.
        let built = set.is_ok() && Encrypt::new(&config).is_ok();
        assert_eq!(built, verdict.ends_with("sends"), "{key:?}: {verdict}");
    }
}
