//! What goes over the wire, in Tomcat's own bytes.

use bytes::Bytes;
use clowder::{Message, MessageId, RpcMode, RpcReply, SendOptions, options};
use clowder_proto::rpc::{RpcContent, RpcLimits, RpcMessage};
use clowder_proto::wire::{Ack, FrameDecoder, Limits};

use super::nodes::{node, patiently};
use super::raw::{Raw, RawPeer};
use super::world::LONG;

/// The message in a recorded frame.
fn recorded(name: &str) -> Message {
    let path = format!("{}/../../vectors/transport.json", env!("CARGO_MANIFEST_DIR"));
    let all: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vector = all.as_array().unwrap().iter().find(|vector| vector["name"] == name).expect("the vector");
    let limits = Limits::default();
    let mut decoder = FrameDecoder::new(&limits);
    decoder.buffer().extend_from_slice(&hex_bytes(vector["hex"].as_str().unwrap()));
    Message::decode(&decoder.next().unwrap().expect("a whole frame"), &limits).unwrap()
}

fn hex_bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().map(|digit| char::from(digit).to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The same message from this peer, with another id each time.
fn from(peer: &RawPeer, serial: u8, message: Message) -> Bytes {
    let id = MessageId([serial; 16].into());
    Message { from: peer.member.clone(), id, ..message }.encode_frame()
}

fn rpc(body: &Bytes) -> RpcMessage {
    RpcMessage::decode(body, &RpcLimits::default()).unwrap()
}

#[tokio::test]
async fn a_request_that_nobody_accepts_is_answered_in_tomcats_own_bytes() {
    let (node, tomcat) = (node().await, RawPeer::new().await);
    let mut raw = Raw::connect(&node).await;
    raw.write(&from(&tomcat, 1, recorded("rpc-message-null"))).await;
    assert_eq!(raw.ack().await, Some(Ack::Ok), "it asked for an acknowledgement");
    let answer = tomcat.accept().await.message().await.unwrap();
    let expected = recorded("no-rpc-channel-reply");
    assert_eq!((answer.options, &answer.body), (options::ASYNCHRONOUS, &expected.body));
    assert_eq!(expected.options, options::ASYNCHRONOUS);
}

#[tokio::test]
async fn a_reply_that_nobody_accepts_is_answered_and_that_answer_is_not() {
    let (node, tomcat) = (node().await, RawPeer::new().await);
    let mut raw = Raw::connect(&node).await;
    let request = rpc(&recorded("rpc-message-null").body);
    let told = recorded("no-rpc-channel-reply");
    let late = request.reply(RpcContent::Reply(Bytes::from_static(b"\xac\xed\0\x05p"))).encode().unwrap();
    // First what gets no answer, then what gets one: nothing may come in front of it.
    raw.write(&from(&tomcat, 1, told.clone())).await;
    raw.write(&from(&tomcat, 2, Message { body: late, ..told })).await;
    let mut answers = tomcat.accept().await;
    assert_eq!(rpc(&answers.message().await.unwrap().body).content, RpcContent::NoChannel);
    assert!(answers.is_quiet());
}

#[tokio::test]
async fn requests_and_replies_never_wait_for_their_processing() {
    let (node, tomcat) = (node().await, RawPeer::new().await);
    let asking = node.rpc("nobody").on_request(|_| async { RpcReply::of("pong") });
    let asking = asking.reply_options(SendOptions::SYNC).open().unwrap();
    // A question to a Tomcat, and its answer.
    let call = tokio::spawn({
        let (asking, to) = (asking.clone(), tomcat.member.clone());
        async move { asking.call_typed::<_, String>([to], "ping", RpcMode::All, SendOptions::SYNC, LONG).await.unwrap() }
    });
    let mut requests = tomcat.accept().await;
    let request = requests.message().await.unwrap();
    assert_eq!(request.options, options::USE_ACK, "a Java object, without 4");
    let question = rpc(&request.body);
    assert_eq!((&question.rpc_id[..], question.uuid.len()), (&b"nobody"[..], 16));
    let mut raw = Raw::connect(&node).await;
    let pong = RpcContent::Reply(java_object_stream::to_bytes("pong").unwrap());
    let reply = question.reply(pong.clone()).encode().unwrap();
    raw.write(&from(&tomcat, 1, Message { body: reply, options: 0, ..recorded("rpc-message-null") })).await;
    let result = patiently(call).await.unwrap();
    assert_eq!(result.answers().collect::<Vec<_>>(), [(&tomcat.member, &"pong".to_owned())]);
    requests.answer(Ack::Ok).await;
    // A Tomcat's question, and our answer.
    raw.write(&from(&tomcat, 2, recorded("rpc-message-null"))).await;
    let answer = requests.message().await.unwrap();
    assert_eq!(answer.options, options::USE_ACK);
    assert_eq!(rpc(&answer.body), rpc(&recorded("rpc-message-null").body).reply(pong));
}

#[tokio::test]
async fn a_malformed_rpc_message_is_acknowledged_and_harms_nobody() {
    let (node, tomcat) = (node().await, RawPeer::new().await);
    let mut inbox = node.inbox();
    let mut raw = Raw::connect(&node).await;
    let good = recorded("rpc-message-null");
    let short = Message { body: good.body.slice(..good.body.len() - 5), options: 6, ..good.clone() };
    raw.write(&from(&tomcat, 1, short)).await;
    assert_eq!(raw.ack().await, Some(Ack::Ok), "as in Tomcat");
    // As raw bytes it is no RPC message.
    raw.write(&from(&tomcat, 2, Message { options: options::BYTE_MESSAGE, ..good.clone() })).await;
    assert_eq!(patiently(inbox.recv()).await.unwrap().body(), &good.body);
    raw.write(&from(&tomcat, 3, good)).await;
    assert!(tomcat.accept().await.message().await.is_some());
}
