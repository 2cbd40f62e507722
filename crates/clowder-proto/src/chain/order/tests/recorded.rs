//! The bytes of Tomcat.

use super::*;

#[test]
fn messages_to_one_member_are_numbered_from_one_as_recorded() {
    let vector = vector("order-send-three");
    let node = of_vector(&vector);
    let inputs = unhex_all(&vector["expected"]["inputs_hex"]);
    let made: Vec<Bytes> =
        inputs.into_iter().flat_map(|body| sent(&node.send(draft(2, 1, body), &[vector_member("B")]))).collect();
    assert_eq!(made, unhex_all(&vector["wire_hex"]));
}

#[test]
fn each_destination_has_its_own_numbers_as_recorded() {
    let vector = vector("order-send-two-members");
    let node = of_vector(&vector);
    let (b, c) = (vector_member("B"), vector_member("C"));
    let mut made = sent(&node.send(draft(2, 1, &b"first"[..]), std::slice::from_ref(&b)));
    let plan = node.send(draft(2, 2, unhex(&vector["input_hex"])), &[b, c]);
    assert_eq!(
        plan.parcels.iter().map(|parcel| parcel.targets).collect::<Vec<_>>(),
        [Targets::One(0), Targets::One(1)]
    );
    made.extend(sent(&plan));
    assert_eq!(made, unhex_all(&vector["wire_hex"]));
}

#[test]
fn a_message_without_the_flag_is_not_touched_in_either_direction() {
    let vector = vector("order-send-flag-not-set");
    let node = of_vector(&vector);
    let plan = node.send(draft(2, 1, unhex(&vector["input_hex"])), &[vector_member("B"), vector_member("C")]);
    assert_eq!(plan.parcels.iter().map(|parcel| parcel.targets).collect::<Vec<_>>(), [Targets::All]);
    assert_eq!(sent(&plan), unhex_all(&vector["wire_hex"]));
    assert_eq!(delivered(&node.receive_body(1, "ab")), [&b"ab"[..]]);
}

#[test]
fn every_recorded_sequence_is_delivered_as_by_tomcat_but_for_copies() {
    for vector in vectors("order-rx-") {
        if vector["name"] == "order-rx-member-gone" {
            continue;
        }
        let node = of_vector(&vector);
        let outcomes = vector["expected"]["per_message"].as_array().unwrap();
        for (index, body) in unhex_all(&vector["wire_hex"]).into_iter().enumerate() {
            let sink = node.receive_body(1, body);
            let name = &vector["name"];
            let outcome = &outcomes[index];
            if outcome.as_str().is_some_and(|text| text.starts_with("java")) {
                assert_eq!(rejected(&sink), ["no_number"], "{name}");
                assert_eq!(sink.rejections[0].2.answer, Ack::Failed);
                continue;
            }
            // Differs from Tomcat: the copy of a message that waits is dropped, where it throws.
            // Test: a_copy_of_a_waiting_message_is_dropped.
            let expected: Vec<&str> =
                outcome["delivers"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
            assert_eq!(texts(&sink), expected, "{name}");
        }
    }
}

#[test]
fn what_waits_is_delivered_when_the_sender_left_and_its_count_begins_anew_as_recorded() {
    let vector = vector("order-rx-member-gone");
    let node = of_vector(&vector);
    let wire = unhex_all(&vector["wire_hex"]);
    let mut all = Vec::new();
    for (id, body) in [(5, &wire[0]), (3, &wire[1])] {
        all.extend(delivered(&node.receive_body(id, body.clone())));
    }
    all.extend(delivered(&node.flush(&member(1), Flush::Left)));
    all.extend(delivered(&node.receive_body(6, wire[2].clone())));
    assert_eq!(all, unhex_all(&vector["expected"]["delivered_hex"]));
}
