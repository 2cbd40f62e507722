//! Target over RPC messages and what is said in them.

use bytes::Bytes;
use clowder_proto::group::MemberMessage;
use clowder_proto::rpc::{RpcContent, RpcLimits, RpcMessage};
use clowder_proto::wire::Limits;

/// An RPC message that is accepted is the same after being written and read once more; so is a message of the membership
/// service, in it or alone.
pub fn rpc(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    member_message(&body);
    let limits = RpcLimits::default();
    let Ok(message) = RpcMessage::decode(&body, &limits) else { return };
    let bytes = message.encode().expect("a payload that was read is one value");
    let again = RpcMessage::decode(&bytes, &limits).expect("what we write, we read");
    assert_eq!((&again.uuid, &again.rpc_id), (&message.uuid, &message.rpc_id));
    assert_eq!(again.encode().expect("the same"), bytes);
    match (&message.content, &again.content) {
        (RpcContent::Request(payload), RpcContent::Request(_)) | (RpcContent::Reply(payload), RpcContent::Reply(_)) => {
            member_message(payload);
        }
        (content, again) => assert_eq!((content, again), (&RpcContent::NoChannel, &RpcContent::NoChannel)),
    }
}

fn member_message(stream: &Bytes) {
    let limits = Limits::default();
    let Ok(message) = MemberMessage::decode(stream, &limits) else { return };
    let again = MemberMessage::decode(&message.encode(), &limits).expect("what we write, we read");
    assert_eq!(again, message);
}
