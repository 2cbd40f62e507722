//! `clowder decode`: every golden vector through the binary, and what it says about damaged ones.

#![allow(clippy::unwrap_used)] // in tests a panic is the right report

mod support;

use serde_json::Value;
use support::{run, text};

fn vectors(file: &str) -> Vec<Value> {
    let path = format!("{}/../../vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let content: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    content.get("vectors").or(content.get("messages")).unwrap_or(&content).as_array().unwrap().clone()
}

/// The JSON of a well-formed input, decoded with `--check`.
fn decoded(kind: &str, hex: &str, name: &str) -> Value {
    let output = run(&["decode", "--kind", kind, "--check"], hex.as_bytes());
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a malformed input is answered with.
fn refused(kind: &str, hex: &str, name: &str) -> String {
    let output = run(&["decode", "--kind", kind], hex.as_bytes());
    assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output.stdout));
    let error = text(&output.stderr);
    assert!(error.contains("error: malformed") && error.contains("offset"), "{name}: {error}");
    error
}

/// Every field that the vector names is there with its value; more fields may be.
fn assert_contains(got: &Value, expected: &Value, name: &str) {
    for (field, value) in expected.as_object().unwrap() {
        match (&got[field], value) {
            (Value::Array(got), Value::Array(expected)) if expected.iter().all(Value::is_object) => {
                assert_eq!(got.len(), expected.len(), "{name}: {field}");
                got.iter().zip(expected).for_each(|(got, expected)| assert_contains(got, expected, name));
            }
            (got, expected) => assert_eq!(got, expected, "{name}: {field}"),
        }
    }
}

#[test]
fn transport_vectors() {
    let mut seen = 0;
    for vector in vectors("transport.json") {
        let (name, hex, fields) =
            (vector["name"].as_str().unwrap(), vector["hex"].as_str().unwrap(), &vector["fields"]);
        seen += 1;
        match name.split('-').next().unwrap() {
            "member" | "multicast" if fields.get("parser").is_some() => drop(refused("member", hex, name)),
            "member" if name == "member-orders" => seen -= 1,
            "member" | "multicast" => assert_contains(&decoded("member", hex, name), fields, name),
            "data" if fields.get("parser").is_some() => drop(refused("data", hex, name)),
            "data" => assert_contains(&decoded("data", hex, name), fields, name),
            "ack" => {
                let got = decoded("frames", hex, name);
                let acks = got["data"].as_array().unwrap();
                assert!(acks.iter().all(|ack| ack["ack"] == "ACK" && ack["body"] == "060203"), "{name}: {got}");
                assert_eq!(got["packages"], fields.get("packages").cloned().unwrap_or(1.into()), "{name}");
            }
            _ if fields.get("packages").is_some() => assert_contains(&decoded("frames", hex, name), fields, name),
            _ => seen -= 1,
        }
    }
    assert!(seen >= 55, "{seen} vectors");
}

#[test]
fn java_vectors() {
    let mut seen = 0;
    for vector in vectors("java-serialization.json") {
        let (name, hex) = (vector["name"].as_str().unwrap(), vector["hex"].as_str().unwrap());
        let got = decoded("java", hex, name);
        if !vector["json_view"].is_null() {
            assert_eq!(got, vector["json_view"], "{name}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} vectors");
}

/// What only the class itself knows: Java's own reader called `toString` of a user's class.
fn is_opaque(value: &Value) -> bool {
    value["class"].as_str().is_some_and(|class| class.starts_with("SessionVectors$Person"))
        || value["value"] == "listener"
}

fn assert_delta(got: &Value, expected: &Value, name: &str) {
    assert_eq!(got["session_id"], expected["session_id"], "{name}");
    assert_eq!(got["record_all_actions"], expected["record_all_actions"], "{name}");
    let (actions, wanted) = (got["actions"].as_array().unwrap(), expected["actions"].as_array().unwrap());
    assert_eq!(actions.len(), wanted.len(), "{name}");
    for (got, expected) in actions.iter().zip(wanted) {
        if is_opaque(&expected["value"]) {
            assert_eq!(got["value"]["class"], expected["value"]["class"], "{name}");
        } else {
            assert_eq!(got, expected, "{name}");
        }
    }
}

#[test]
fn session_vectors() {
    let mut seen = 0;
    for vector in vectors("session.json") {
        let (name, message) = (vector["name"].as_str().unwrap(), &vector["message"]);
        if message["class"] != "org.apache.catalina.ha.session.SessionMessageImpl" {
            continue;
        }
        seen += 1;
        let got = decoded("session", vector["message_hex"].as_str().unwrap(), name);
        for (field, value) in message.as_object().unwrap() {
            match field.as_str() {
                "delta" => {
                    assert_delta(&got["delta"], value, name);
                    assert_delta(&decoded("delta", message["payload_hex"].as_str().unwrap(), name), value, name);
                }
                // Tomcat's own reader lost this one; the specification says how to read on.
                "sessions" if name.starts_with("transfer_broken") => {
                    assert_eq!(got["sessions"].as_array().unwrap().len(), value[0]["session_count"], "{name}");
                }
                _ => assert_eq!(&got[field], value, "{name}: {field}"),
            }
        }
        if let Some(frame) = vector["frame_hex"].as_str() {
            let frames = decoded("frames", frame, name);
            assert_eq!(frames["packages"], 1, "{name}");
        }
    }
    assert!(seen > 50, "{seen} vectors");
}

#[test]
fn rpc_vectors() {
    let mut seen = 0;
    for vector in vectors("rpc-and-map.json") {
        let (name, expected) = (vector["name"].as_str().unwrap(), &vector["decoded"]);
        if !name.contains("rpc_") {
            continue;
        }
        seen += 1;
        let got = decoded("rpc", vector["hex"].as_str().unwrap(), name);
        for field in ["class", "reply", "uuid", "rpc_id"] {
            assert_eq!(got[field], expected[field], "{name}: {field}");
        }
        let (got, expected) = (&got["message"], &expected["message"]);
        assert_eq!(got["class"], expected["class"], "{name}");
        // Messages of maps have no view of their own yet.
        let is_map = expected["map_id"].is_string();
        for field in ["string", "msgtype", "membership_id"].into_iter().filter(|_| !is_map) {
            assert_eq!(got[field], expected[field], "{name}: {field}");
        }
        if let Some(member) = expected.get("member") {
            assert_contains(&got["member"], member, name);
        }
    }
    assert!(seen >= 16, "{seen} vectors");
}

#[test]
fn messages_of_the_membership_service() {
    let vectors = vectors("transport.json");
    for (name, types) in [("static-service-rpc-ping-reply", 3), ("static-service-stop", 2)] {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let got = decoded("rpc", vector["fields"]["data"][0]["message"].as_str().unwrap(), name);
        let said = if got["message"].is_object() { &got["message"] } else { &got };
        assert_eq!((&said["msgtype"], &said["member"]["class"]), (&types.into(), &"StaticMember".into()), "{name}");
        assert_eq!(said["member"]["domain"], "646f6d", "{name}");
    }
    assert!(refused("rpc", "aced000574000568656c6c6f", "a string").contains("the value is no RPC message"));
    refused("rpc", "aced00057372002b6f72672e6170616368652e636174616c696e61", "half a class");
}

#[test]
fn messages_of_coordinators() {
    let mut seen = 0;
    for vector in vectors("interceptors.json") {
        let Some(name) = vector["name"].as_str().filter(|name| name.starts_with("coordinator-")) else { continue };
        let expected = &vector["expected"];
        for (index, hex) in vector["wire_hex"].as_array().unwrap().iter().enumerate() {
            let hex = hex.as_str().unwrap();
            if hex.is_empty() {
                continue;
            }
            match expected["per_message"][index].as_str() {
                Some("swallowed") => assert_eq!(decoded("coordination", hex, name)["type"], "alive"),
                Some(_) => drop(refused("coordination", hex, name)),
                None => {
                    let step = &expected["steps"][index]["message"];
                    let expected = if step.is_null() { &expected["decoded"] } else { step };
                    let got = decoded("coordination", &format!("{hex}7461696c"), name);
                    assert_eq!((&got["type"], &got["id_hex"]), (&expected["type"], &expected["id_hex"]), "{name}");
                    assert_eq!(got["trailing"], "7461696c", "{name}");
                    let members = got["members"].as_array().unwrap();
                    assert_eq!(members.len(), expected["members"].as_str().unwrap().len(), "{name}");
                    // The port tells the members of the vectors apart: A has 4001.
                    let port = |letter: &Value| 4001 + u64::from(letter.as_str().unwrap().as_bytes()[0] - b'A');
                    assert_eq!(got["leader"]["port"], port(&expected["leader"]), "{name}");
                    assert_eq!(got["source"]["port"], port(&expected["source"]), "{name}");
                }
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 14);
}

/// The vectors of an interceptor whose name begins like this.
fn interceptor_vectors(prefix: &str) -> Vec<Value> {
    let named = |vector: &Value| vector["name"].as_str().unwrap().starts_with(prefix);
    vectors("interceptors.json").into_iter().filter(named).collect()
}

#[test]
fn bodies_that_interceptors_sent() {
    let sent = |prefix: &str, kind: &str| {
        let vectors: Vec<Value> =
            interceptor_vectors(prefix).into_iter().filter(|vector| vector["direction"] == "send").collect();
        let mut views = Vec::new();
        for vector in vectors {
            let name = vector["name"].as_str().unwrap().to_owned();
            let bodies = vector["wire_hex"].as_array().unwrap();
            let decoded = bodies.iter().map(|body| decoded(kind, body.as_str().unwrap(), &name)).collect::<Vec<_>>();
            views.push((name, decoded, vector));
        }
        views
    };
    let mut seen = 0;
    for (name, bodies, vector) in sent("frag-", "fragment") {
        let field =
            |body: &Value, whole: bool| body[if whole { "message" } else { "data" }].as_str().unwrap().to_owned();
        let whole = bodies[0]["whole"] == true;
        let joined: String = bodies.iter().map(|body| field(body, whole)).collect();
        assert_eq!(joined, vector["input_hex"], "{name}");
        let pieces = (0..).zip(&bodies).all(|(n, body)| body["piece"] == n && body["pieces"] == bodies.len());
        assert!(whole || pieces, "{name}: {bodies:?}");
        seen += 1;
    }
    for (name, bodies, _) in sent("order-send-three", "order") {
        let expected = [("6d31", 1), ("6d32", 2), ("6d33", 3)];
        let got: Vec<_> =
            bodies.iter().map(|body| (body["message"].as_str().unwrap(), body["number"].as_i64().unwrap())).collect();
        assert_eq!(got, expected, "{name}");
        seen += 1;
    }
    for (name, bodies, vector) in sent("twophase-send", "two-phase").into_iter().take(1) {
        assert_eq!(bodies[0]["message"], vector["input_hex"], "{name}");
        assert_eq!(bodies[1]["confirms"], vector["expected"]["message_unique_id_hex"], "{name}");
        seen += 1;
    }
    for name in ["gzip-text", "gzip-one-byte", "gzip-repetitive-4096"] {
        for (name, bodies, vector) in sent(name, "gzip") {
            assert_eq!(bodies[0]["message"], vector["input_hex"], "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen} vectors");
}

#[test]
fn bodies_that_were_encrypted() {
    let mut seen = 0;
    for vector in interceptor_vectors("encrypt-") {
        let (name, config, body) = (vector["name"].as_str().unwrap(), &vector["config"], &vector["wire_hex"][0]);
        let (key, algorithm) = (config["encryptionKey"].as_str(), config["encryptionAlgorithm"].as_str());
        let (Some(key), Some(algorithm), Some(body), "send") =
            (key, algorithm, body.as_str(), vector["direction"].as_str().unwrap())
        else {
            continue;
        };
        let args = ["decode", "--kind", "encrypt", "--check", "--key", key, "--algorithm", algorithm, body];
        let output = run(&args, b"");
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let got: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&got["message"], &got["iv"]), (&vector["input_hex"], &vector["expected"]["iv_hex"]), "{name}");
        let plain = vector["expected"]["plaintext_hex"].as_str().unwrap_or_default();
        let time = i64::from_str_radix(plain.get(..16).unwrap_or("0"), 16).unwrap();
        assert!(plain.is_empty() || got["timestamp"] == time, "{name}: {got}");
        let wrong = format!("{:x}{}", 15 - u8::from_str_radix(&key[..1], 16).unwrap(), &key[1..]);
        if algorithm.to_ascii_uppercase().contains("GCM") {
            let output = run(&["decode", "--kind", "encrypt", "--key", &wrong, "--algorithm", algorithm, body], b"");
            assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 10, "{seen} vectors");
    assert_eq!(run(&["decode", "--kind", "encrypt", "00"], b"").status.code(), Some(2), "no key");
}

#[test]
fn bodies_that_no_interceptor_sends() {
    for (kind, body) in [
        ("fragment", "01"),
        ("fragment", "0000000201"),
        ("fragment", "00000000000000000001"),
        ("order", "010203"),
        ("gzip", "1f8b08000000000000ff"),
        ("gzip", "00"),
    ] {
        refused(kind, body, kind);
    }
}

#[test]
fn frames_in_front_of_a_mistake_are_shown() {
    let vectors = vectors("transport.json");
    let good = vectors.iter().find(|vector| vector["name"] == "live-good").unwrap()["hex"].as_str().unwrap();
    let output = run(&["decode", "--kind", "frames", &format!("{good}4a554e4b")], b"");
    assert_eq!(output.status.code(), Some(1));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["packages"], &shown["left"]), (&1.into(), &4.into()));
    let offset = good.len() / 2;
    assert!(text(&output.stderr).contains(&format!("offset {offset}")), "{}", text(&output.stderr));
}

#[test]
fn malformed_frames_are_named_with_their_offset() {
    for vector in vectors("transport.json") {
        let (name, hex) = (vector["name"].as_str().unwrap(), vector["hex"].as_str().unwrap());
        // Not malformed: a frame whose rest may still come, and bytes behind a message, which are shown.
        let incomplete = ["bad-length-max", "bad-message-length-too-short"].contains(&name);
        if name.starts_with("bad-") && !incomplete {
            refused("frames", hex, name);
        }
    }
    assert!(refused("java", "aced000574000568656c6c", "half a string").contains("stream ends"));
    assert!(refused("session", "aced000574000568656c6c6f", "a string").contains("not a session message"));
    refused("delta", "aced00057701", "half a block");
}

#[test]
fn input_that_is_none() {
    let output = run(&["decode", "--kind", "java", "xyz"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("@xyz"), "{}", text(&output.stderr));
    let output = run(&["decode", "--kind", "java", "-"], b"");
    assert!(text(&output.stderr).contains("input is empty"), "{}", text(&output.stderr));
    assert_eq!(run(&["decode", "--kind", "colour", "00"], b"").status.code(), Some(2));
}
