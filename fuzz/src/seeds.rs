//! Seeds of the targets: what the golden vectors hold.

use std::path::PathBuf;

use serde_json::Value;

/// Where the vectors are.
fn vectors(file: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Name and bytes of every seed of a target.
///
/// # Panics
/// If the golden vectors cannot be read: there is nothing to do without them.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "frame" => transport(|name| !name.starts_with("member-") && !name.starts_with("data-")),
        "message" => transport(|name| name.starts_with("data-")).into_iter().chain(frame_contents()).collect(),
        "member" => transport(|name| name.starts_with("member-") || name.starts_with("multicast-")),
        "java_stream" => listed("java-serialization.json", |vector| &vector["hex"]),
        "session_message" => listed("session.json", |vector| &vector["message_hex"]),
        "delta" => deltas(),
        "chain_inbound" => bodies(),
        "chain_fragments" => sequences(),
        "rpc" => rpc_messages(),
        "coordination" => coordination(),
        _ => Vec::new(),
    }
}

fn transport(wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let document = vectors("transport.json");
    let vectors = document.as_array().expect("transport.json is a list").iter();
    vectors
        .filter_map(|vector| {
            let name = vector["name"].as_str()?;
            wanted(name).then(|| Some((name.to_owned(), unhex(&vector["hex"])?)))?
        })
        .collect()
}

fn listed(file: &str, hex: impl Fn(&Value) -> &Value) -> Vec<(String, Vec<u8>)> {
    let document = vectors(file);
    let vectors = document["vectors"].as_array().expect("a list of vectors").iter();
    vectors.filter_map(|vector| Some((vector["name"].as_str()?.to_owned(), unhex(hex(vector))?))).collect()
}

/// The recorded bodies that are compressed or encrypted.
fn bodies() -> Vec<(String, Vec<u8>)> {
    let document = vectors("interceptors.json");
    let vectors = document["vectors"].as_array().expect("a list of vectors").iter();
    let bodies = vectors.filter_map(|vector| {
        let name = vector["name"].as_str()?;
        let suite = match vector["config"]["encryptionAlgorithm"].as_str() {
            Some(algorithm) => Some((algorithm, unhex(&vector["config"]["encryptionKey"])?.len())),
            None => None,
        };
        if suite.is_none() && !name.starts_with("gzip-") {
            return None;
        }
        let selector = crate::chain::selector(suite)?;
        let wires = vector["wire_hex"].as_array()?.iter().enumerate();
        let seed = |(index, wire)| Some((format!("{name}-{index}"), [&[selector], &unhex(wire)?[..]].concat()));
        Some(wires.filter_map(seed).collect::<Vec<_>>())
    });
    bodies.flatten().collect()
}

/// The recorded sequences of messages for the layers that hold some.
fn sequences() -> Vec<(String, Vec<u8>)> {
    let document = vectors("interceptors.json");
    let vectors = document["vectors"].as_array().expect("a list of vectors").iter();
    let sequences = vectors.filter_map(|vector| {
        let name = vector["name"].as_str()?;
        let prefix = name.split('-').next()?;
        let selector = ["frag", "order", "twophase"].iter().position(|known| *known == prefix)?;
        let mut seed = vec![u8::try_from(selector).ok()?];
        for (index, wire) in vector["wire_hex"].as_array()?.iter().enumerate() {
            // The pieces of one message have one id; others differ, and a confirmation names 0x55.
            let id = if prefix == "frag" { 0 } else { u8::try_from(index).ok()? };
            let mut body = unhex(wire)?;
            if let Some(confirmed) = body.get_mut(16..32).filter(|id| **id == [0x55; 16]) {
                confirmed.fill(0);
            }
            seed.extend(crate::fragments::record(&body, id)?);
        }
        Some((name.to_owned(), seed))
    });
    sequences.collect()
}

/// The recorded bodies of coordinators, good and bad.
fn coordination() -> Vec<(String, Vec<u8>)> {
    let document = vectors("interceptors.json");
    let vectors = document["vectors"].as_array().expect("a list of vectors").iter();
    let bodies = vectors.filter_map(|vector| {
        let name = vector["name"].as_str().filter(|name| name.starts_with("coordinator-"))?;
        let wires = vector["wire_hex"].as_array()?.iter().enumerate();
        Some(wires.filter_map(|(index, wire)| Some((format!("{name}-{index}"), unhex(wire)?))).collect::<Vec<_>>())
    });
    bodies.flatten().collect()
}

/// The payloads of the recorded SESSION-DELTA messages.
fn deltas() -> Vec<(String, Vec<u8>)> {
    let document = vectors("session.json");
    let vectors = document["vectors"].as_array().expect("a list of vectors").iter();
    let deltas = vectors.filter(|vector| vector["message"]["delta"].is_object());
    deltas
        .filter_map(|vector| Some((vector["name"].as_str()?.to_owned(), unhex(&vector["message"]["payload_hex"])?)))
        .collect()
}

/// The recorded RPC messages, and the plain one of the membership service.
fn rpc_messages() -> Vec<(String, Vec<u8>)> {
    let document = vectors("rpc-and-map.json");
    let messages = document["messages"].as_array().expect("a list of messages").iter();
    let alone = messages.filter_map(|vector| Some((vector["name"].as_str()?.to_owned(), unhex(&vector["hex"])?)));
    let document = vectors("transport.json");
    let frames = document.as_array().expect("transport.json is a list").iter();
    let stop = frames.filter(|vector| vector["name"] == "static-service-stop");
    let stop =
        stop.filter_map(|vector| Some(("plain_stop".to_owned(), unhex(&vector["fields"]["data"][0]["message"])?)));
    alone.filter(|(name, _)| name.contains("rpc")).chain(stop).collect()
}

/// The messages inside of the recorded frames, good and bad.
fn frame_contents() -> Vec<(String, Vec<u8>)> {
    let framed = transport(|name| name.starts_with("bad-") || name.starts_with("live-") || name.contains("static"));
    let content = |(name, bytes): (String, Vec<u8>)| {
        let end = bytes.len().checked_sub(7)?;
        Some((format!("in-{name}"), bytes.get(11..end)?.to_vec()))
    };
    framed.into_iter().filter_map(content).collect()
}

fn unhex(value: &Value) -> Option<Vec<u8>> {
    hex::decode(value.as_str()?).ok()
}
