//! Messages recorded from a Tomcat 10.1: read, compared, and written again to the same bytes.

use bytes::Bytes;
use serde_json::Value;

use super::net::{config, start};
use crate::session::wire::{ActionKind, Delta, Event, SessionMessage, decode_sessions, encode_sessions};
use crate::session::{Incoming, JavaStr, SessionLimits, Sessions, wire};

const VECTORS: &str = include_str!("../../../../../vectors/session.json");

fn vectors() -> Vec<Value> {
    let document: Value = serde_json::from_str(VECTORS).expect("the file is JSON");
    let vectors = document["vectors"].as_array().expect("a list").clone();
    let session = vectors.into_iter().filter(|vector| {
        vector["message"]["class"] == "org.apache.catalina.ha.session.SessionMessageImpl"
            && vector["message_hex"].is_string()
    });
    let session: Vec<Value> = session.collect();
    assert!(session.len() > 50, "{} session messages", session.len());
    session
}

fn body(vector: &Value) -> Bytes {
    Bytes::from(hex::decode(vector["message_hex"].as_str().expect("hex")).expect("hex"))
}

fn name(vector: &Value) -> &str {
    vector["name"].as_str().expect("named")
}

fn vector(wanted: &str) -> Value {
    vectors().into_iter().find(|vector| name(vector) == wanted).expect("the vector exists")
}

fn limits() -> SessionLimits {
    SessionLimits::default()
}

#[test]
fn every_message_is_read_as_recorded_and_written_to_the_same_bytes() {
    for vector in vectors() {
        let (body, expected, name) = (body(&vector), &vector["message"], name(&vector));
        assert!(SessionMessage::matches(&body), "{name}");
        let message = SessionMessage::decode(&body, &limits()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(i64::from(message.event.number()), expected["event"].as_i64().expect("number"), "{name}");
        assert_eq!(Value::from(message.event.name()), expected["event_string"], "{name}");
        let text = |text: &Option<JavaStr>| Value::from(text.as_ref().map(JavaStr::to_string));
        assert_eq!(text(&message.context), expected["context_name"], "{name}");
        assert_eq!(text(&message.session_id), expected["session_id"], "{name}");
        assert_eq!(text(&message.unique_id), expected["unique_id"], "{name}");
        assert_eq!(message.time, expected["timestamp"].as_i64().filter(|_| message.time.is_some()), "{name}");
        assert_eq!(Value::from(message.payload.as_ref().map(hex::encode)), expected["payload_hex"], "{name}");
        assert_eq!(message.trailer, Bytes::new(), "{name}");
        assert_eq!(message.encode(), body, "{name}");
    }
}

#[test]
fn every_delta_is_read_as_recorded_and_written_to_the_same_bytes() {
    let mut seen = 0;
    for vector in vectors() {
        let message = SessionMessage::decode(&body(&vector), &limits()).expect("decodes");
        if message.event != Event::Delta {
            continue;
        }
        seen += 1;
        let (payload, expected, name) = (message.payload.expect("there"), &vector["message"]["delta"], name(&vector));
        let delta = Delta::decode(&payload, &limits()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Value::from(delta.session_id.to_string()), expected["session_id"], "{name}");
        assert_eq!(Value::from(delta.record_all), expected["record_all_actions"], "{name}");
        let actions = expected["actions"].as_array().expect("a list");
        assert_eq!(delta.actions.len(), actions.len(), "{name}");
        for (action, expected) in delta.actions.iter().zip(actions) {
            assert_eq!(Value::from(action.kind.number()), expected["type"], "{name}");
            assert_eq!(Value::from(action.kind.label()), expected["type_name"], "{name}");
            assert_eq!(Value::from(i32::from(action.remove)), expected["action"], "{name}");
            assert_eq!(Value::from(action.name.to_string()), expected["name"], "{name}");
            assert_eq!(Value::from(action.value.is_some()), expected["has_value"], "{name}");
            if action.kind == ActionKind::MaxInterval {
                let seconds = action.value.as_deref().and_then(wire::integer_value);
                assert_eq!(Value::from(seconds), expected["value"]["value"], "{name}");
            }
        }
        let (written, left_out) = delta.encode();
        assert_eq!(left_out, 0, "{name}");
        assert_eq!(hex::encode(written), hex::encode(payload), "{name}");
    }
    assert!(seen >= 30, "{seen} deltas");
}

#[test]
fn the_new_id_is_read_and_written() {
    for vector in vectors() {
        let message = SessionMessage::decode(&body(&vector), &limits()).expect("decodes");
        if message.event == Event::ChangeId {
            let payload = message.payload.expect("there");
            let new = wire::decode_new_id(&payload, &limits()).expect("decodes");
            assert_eq!(Value::from(new.to_string()), vector["message"]["new_session_id"]);
            assert_eq!(wire::encode_new_id(&new), payload);
        }
    }
}

#[test]
fn transferred_sessions_are_read_as_recorded_and_survive_being_written_again() {
    let mut seen = 0;
    for vector in vectors() {
        let message = SessionMessage::decode(&body(&vector), &limits()).expect("decodes");
        if message.event != Event::Data || name(&vector).starts_with("transfer_broken") {
            continue;
        }
        seen += 1;
        let name = name(&vector);
        let payload = message.payload.expect("there");
        let sessions = decode_sessions(&payload, &limits()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = vector["message"]["sessions"].as_array().expect("a list");
        assert_eq!(sessions.len(), expected.len(), "{name}");
        for (session, expected) in sessions.iter().zip(expected) {
            let id = &expected["id"];
            assert_eq!(&Value::from(session.id.to_string()), id, "{name}");
            let names: Vec<String> = session.attributes.iter().map(|(name, _)| name.to_string()).collect();
            let expected: Vec<&str> = expected["attributes"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|attribute| attribute["name"].as_str().expect("named"))
                .collect();
            assert_eq!(names, expected, "{name}: {id}");
        }
        let written = encode_sessions(&sessions);
        assert_eq!(decode_sessions(&written, &limits()).expect("decodes"), sessions, "{name}");
        // Java shares the attribute names that are one literal; what has no such sharing gives the same bytes.
        if sessions.is_empty() {
            assert_eq!(written, payload, "{name}");
        }
    }
    assert!(seen >= 3, "{seen} blocks");
}

#[test]
fn w4_a_block_with_a_value_that_its_writer_gave_up_gives_all_other_values() {
    let vector = vector("transfer_broken.2");
    let message = SessionMessage::decode(&body(&vector), &limits()).expect("decodes");
    let sessions = decode_sessions(&message.payload.expect("there"), &limits()).expect("decodes");
    let expected = vector["expected_sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), expected.len());
    for (session, expected) in sessions.iter().zip(expected) {
        assert_eq!(Value::from(session.id.to_string()), expected["id"]);
        let mut values: Vec<(String, Option<i32>)> = Vec::new();
        let mut aborted: Vec<String> = session.aborted.iter().map(JavaStr::to_string).collect();
        for attribute in expected["attributes"].as_array().expect("a list") {
            let name = attribute["name"].as_str().expect("named").to_owned();
            if attribute["value"] == "write aborted" {
                assert_eq!(aborted.pop(), Some(name));
            } else {
                values.push((name, attribute["value"]["value"].as_i64().map(|n| i32::try_from(n).expect("small"))));
            }
        }
        let found: Vec<_> =
            session.attributes.iter().map(|(name, value)| (name.to_string(), wire::integer_value(value))).collect();
        assert_eq!(found, values);
        assert_eq!(aborted, Vec::<String>::new());
    }
    // Written again by us it has no exception marker in the place of a value.
    let written = encode_sessions(&sessions);
    let again = decode_sessions(&written, &limits()).expect("decodes");
    assert!(again.iter().all(|session| session.aborted.is_empty()));
}

#[test]
fn a_new_session_is_told_in_tomcats_own_bytes() {
    let (created, delta) = (vector("create.1"), vector("create.2"));
    let id = created["message"]["session_id"].as_str().expect("an id");
    let mut now = start();
    let at = |vector: &Value| vector["message"]["timestamp"].as_u64().expect("a time");
    now.wall = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at(&created));
    let mut machine = Sessions::new(config(), &super::net::clowder(1).id, now);
    machine.joined(now, super::net::tomcat(2));
    machine.create(now, JavaStr::from(id)).expect("free");
    now.wall = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at(&delta));
    machine.request_completed(now, id);
    let mut bodies = Vec::new();
    while let Some(out) = machine.poll() {
        if let crate::session::SessionsOut::Send(send) = out {
            assert_eq!(send.options, 6);
            bodies.push(send.body.encode());
        }
    }
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], body(&created));
    // Behind the object a Java reader stops; there is our trailer.
    assert!(bodies[1].starts_with(&body(&delta)), "{}", hex::encode(&bodies[1]));
    assert!(bodies[1].len() > body(&delta).len());
}

#[test]
fn prefixes_and_damaged_bytes_are_errors_or_messages_but_never_more() {
    for vector in vectors() {
        let good = body(&vector);
        let step = (good.len() / 150).max(1);
        for at in (0..good.len()).step_by(step) {
            let _ = Incoming::decode(&good.slice(..at), &limits());
            for flip in [0x01, 0x80, 0xff] {
                let mut bad = good.to_vec();
                bad[at] ^= flip;
                let _ = Incoming::decode(&Bytes::from(bad), &limits());
            }
        }
    }
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let small = SessionLimits { message_bytes_max: 300, ..limits() };
    let error = SessionMessage::decode(&body(&vector("create.2")), &small).expect_err("too large");
    assert!(error.to_string().contains("exceeds the limit of 300"), "{error}");
}

#[test]
fn a_session_message_in_another_form_is_read_all_the_same() {
    // The same object with its descriptor's fields in another order cannot be compared with the constant head.
    let good = body(&vector("create.1"));
    let mut other = good.to_vec();
    // Other serialVersionUID: the last byte of the class's own.
    let at = 8 + 49 + 7;
    other[at] ^= 1;
    let message = SessionMessage::decode(&Bytes::from(other), &limits()).expect("decodes");
    assert_eq!(message, SessionMessage::decode(&good, &limits()).expect("decodes"));
}
