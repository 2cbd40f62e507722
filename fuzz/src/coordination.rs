//! Target over messages between coordinators, and the machine that reads them.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::election::{
    CoordinationMessage, Election, ElectionConfig, ElectionMessage, ElectionOut, is_coordination,
};
use clowder_proto::wire::{Limits, Member};

/// Rounds after which a machine that nobody answers must have nothing more to do at once.
const OUTPUTS_MAX: usize = 1000;

/// A message that is accepted is the same after being written and read once more, and nothing that it says takes the
/// machine out of its bounds, in whatever state it is.
pub fn coordination(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    match CoordinationMessage::decode(&body, &Limits::default()) {
        Ok(message) => {
            assert!(is_coordination(&body), "what can be read is kept from the application");
            if let CoordinationMessage::Election(message) = message {
                round_trip(&message, &body);
            }
        }
        Err(error) => assert!(error.at <= data.len(), "{error}"),
    }
    machine(&body);
}

fn round_trip(message: &ElectionMessage, body: &Bytes) {
    let again = message.encode();
    assert!(again.len() <= body.len(), "nothing is made up");
    let read = CoordinationMessage::decode(&again, &Limits::default()).expect("what we write, we read");
    assert_eq!(read, CoordinationMessage::Election(Box::new(message.clone())));
}

/// As a node alone, as one with a higher and a lower member, and once more after everything that was asked is answered.
fn machine(body: &Bytes) {
    let peer = |number: u8| Member::new(([127, 0, 0, 1], 4000 + u16::from(number)).into(), [number; 16]);
    let mut now = Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH };
    let mut election = Election::new(ElectionConfig::default(), peer(2));
    election.received(now, &peer(1).id, body);
    election.started(now);
    election.received(now, &peer(1).id, body);
    election.view_changed(now, &[peer(1), peer(3)]);
    for alive in [true, false] {
        election.received(now, &peer(1).id, body);
        answer(&mut election, now, alive);
        now = now.later(Duration::from_secs(20));
        election.handle_deadline(now);
    }
    answer(&mut election, now, true);
}

fn answer(election: &mut Election, now: Now, good: bool) {
    for _ in 0..OUTPUTS_MAX {
        let Some(out) = election.poll() else { return };
        match out {
            ElectionOut::Send { to, token, .. } => {
                to.iter().for_each(|to| election.sent(now, token, &to.id, good));
            }
            ElectionOut::Reach(member) => election.reached(now, &member.id, good),
            _ => {}
        }
    }
    panic!("the machine never comes to rest");
}
