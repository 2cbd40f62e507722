//! The port for datagrams, and messages that came in datagrams.
//!
//! Each datagram is a whole: its frames are delivered and answered, what is wrong with it concerns nobody else.

use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clowder_proto::wire::Message;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::env::Env;
use super::inbound::{Inbound, Violation};
use crate::metrics::wire_label;

/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_536;
/// Pause after a failed read.
const PAUSE: Duration = Duration::from_millis(100);
/// What is not known of a datagram of the membership's group.
const UNKNOWN: SocketAddr = SocketAddr::new(net::IpAddr::V4(net::Ipv4Addr::UNSPECIFIED), 0);

/// Receives until aborted; `answers` is the same socket.
pub(crate) async fn run(env: Arc<Env>, socket: UdpSocket, answers: net::UdpSocket) {
    let answers = Arc::new(answers);
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => received(&env, &answers, from, &buffer[..length]),
            Err(error) => {
                tracing::warn!(%error, "cannot read a datagram");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Tomcat: `NioReceiver` reads it as if it were a connection.
/// Differs from Tomcat: a datagram without a whole frame ends its receiver for ever.
/// Test: a_stray_byte_is_counted_and_the_next_datagram_is_read.
fn received(env: &Arc<Env>, answers: &Arc<net::UdpSocket>, from: SocketAddr, datagram: &[u8]) {
    if env.budget.is_spent() {
        // Waiting would fill the system's buffer and lose the same without a word.
        return env.refusals.dropped(from, "no_room", "too much is unprocessed");
    }
    let acks = env.registry.datagram(env, from, Some(Arc::clone(answers)));
    let mut inbound = Inbound::plain(Arc::clone(env), Arc::clone(&acks));
    inbound.buffer().extend_from_slice(datagram);
    let result = inbound.received(datagram.len());
    let rest = inbound.pending();
    acks.end();
    match result {
        Err(Violation::Malformed(error)) => env.refusals.dropped(from, wire_label(&error.kind), error),
        Err(Violation::Plain) => env.refusals.dropped(from, "plain", "datagrams have no TLS, which is required here"),
        Ok(messages) if messages == 0 || rest > 0 => {
            env.refusals.dropped(from, "truncated", format_args!("{rest} bytes are no whole frame"));
        }
        Ok(_) => {}
    }
}

/// Messages that came to the membership's group. Nobody is answered, whatever they ask.
pub(crate) async fn deliver(env: Arc<Env>, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        if env.budget.is_spent() {
            env.refusals.dropped(UNKNOWN, "no_room", "too much is unprocessed");
            continue;
        }
        let acks = env.registry.datagram(&env, UNKNOWN, None);
        let bytes = message.encoded_len();
        let mut inbound = Inbound::plain(Arc::clone(&env), Arc::clone(&acks));
        if inbound.may_come(&message) {
            inbound.handle(vec![(message, bytes)]);
        } else {
            env.refusals.dropped(UNKNOWN, "plain", "datagrams have no TLS, which is required here");
        }
        acks.end();
    }
}
